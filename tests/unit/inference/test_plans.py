"""The cache of compiled engines: whatever was done to it, the right engine or a new one."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realtime_unmask.inference import plans
from realtime_unmask.inference.plans import Key, PlanCache

ROOT = Path(__file__).resolve().parents[3]
KEY = Key("tensorrt", {"network": "map", "card": "sm_86"})
OTHER = Key("tensorrt", {"network": "map", "card": "sm_89"})
PLAN = bytes(range(256)) * 40
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and limits")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_said", set())


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "cache" / "engines")


class Builder:
    """Counts how often it was asked."""

    def __init__(self, data: bytes = PLAN) -> None:
        self.data = data
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.data


def plan_file(cache: PlanCache, key: Key = KEY) -> Path:
    assert cache.folder is not None
    return cache.folder / f"{key.name}.plan"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_built_once_and_then_read(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    build = Builder()
    assert cache.load(KEY) is None
    assert cache.fetch(KEY, build) == PLAN
    assert cache.fetch(KEY, build) == PLAN
    assert cache.load(KEY) == PLAN
    assert build.calls == 1
    assert lines(caplog) == []


def test_everything_that_makes_another_engine_makes_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {KEY.name, OTHER.name, Key("openvino", KEY.about).name}
    monkeypatch.setattr(plans, "__version__", "99.0")
    names.add(KEY.name)
    assert len(names) == 4


@POSIX
def test_folder_and_files_are_for_this_user_alone(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    assert cache.folder is not None
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    for path in cache.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@POSIX
def test_folder_that_is_open_to_others_is_closed(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    assert cache.folder is not None
    cache.folder.chmod(0o777)
    assert cache.load(KEY) == PLAN
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700


@POSIX
def test_folder_of_another_user_is_not_trusted(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache.store(KEY, PLAN)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert cache.fetch(KEY, Builder(b"new")) == b"new"
    assert "belongs to another user" in lines(caplog)[0]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    """The plan of another card, with its own true digest."""
    assert PlanCache(path.parent).store(OTHER, b"for another card")
    for ending in (".plan", ".json"):
        shutil.copy(path.parent / f"{OTHER.name}{ending}", path.with_suffix(ending))


def older(path: Path) -> None:
    """As a version before this one would have left it under the same name."""
    sidecar = path.with_suffix(".json")
    table = json.loads(sidecar.read_text())
    table["key"]["program"] = "0.0.1"
    sidecar.write_text(json.dumps(table))


def no_sidecar(path: Path) -> None:
    path.with_suffix(".json").unlink()


def nonsense_sidecar(path: Path) -> None:
    path.with_suffix(".json").write_bytes(b"\xff[1, 2")


def list_sidecar(path: Path) -> None:
    path.with_suffix(".json").write_text("[]")


@pytest.mark.parametrize(
    "damage", [flip, cut, empty, foreign, older, no_sidecar, nonsense_sidecar, list_sidecar]
)
def test_plan_that_is_not_what_was_stored_is_refused_and_made_anew(
    cache: PlanCache, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    cache.store(KEY, PLAN)
    damage(plan_file(cache))
    build = Builder()
    assert cache.fetch(KEY, build) == PLAN
    assert build.calls == 1
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("A compiled engine is made anew: ")
    assert cache.load(KEY) == PLAN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_pipe_in_its_place_does_not_block(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    plan_file(cache).unlink()
    os.mkfifo(plan_file(cache))
    assert cache.fetch(KEY, Builder()) == PLAN
    assert cache.load(KEY) == PLAN


def test_folder_in_its_place(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.store(KEY, PLAN)
    plan_file(cache).unlink()
    (plan_file(cache) / "inside").mkdir(parents=True)
    assert cache.fetch(KEY, Builder()) == PLAN
    assert "no ordinary file" in lines(caplog)[0]
    assert "cannot be written" in lines(caplog)[1]
    assert cache.clean() == 1
    assert cache.fetch(KEY, Builder()) == PLAN
    assert cache.load(KEY) == PLAN


def test_file_where_the_folder_should_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = PlanCache(tmp_path / "cache" / "engines")
    assert cache.fetch(KEY, Builder()) == PLAN
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("Compiled engines are not kept: ")


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder of this user that nothing can be written to, also not where the tests are root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    engines = folder / "engines"
    engines.mkdir()
    root = os.geteuid() == 0
    if root:
        os.chown(engines, 65534, 65534)
        os.seteuid(65534)
    engines.chmod(0o500)
    yield engines
    if root:
        os.seteuid(0)
    engines.chmod(0o700)
    shutil.rmtree(folder)


@POSIX
def test_read_only_folder(read_only_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = PlanCache(read_only_folder)
    build = Builder()
    assert cache.fetch(KEY, build) == cache.fetch(KEY, build) == PLAN
    assert build.calls == 2
    assert len(lines(caplog)) == 1
    assert "cannot be written to" in lines(caplog)[0]
    assert list(read_only_folder.iterdir()) == []


def test_machine_without_a_cache_folder(caplog: pytest.LogCaptureFixture) -> None:
    cache = PlanCache(None)
    assert cache.fetch(KEY, Builder()) == PLAN
    assert not cache.store(KEY, PLAN)
    assert (cache.entries(), cache.clean(), lines(caplog)) == ([], 0, [])


def test_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/x")
    assert PlanCache.default().folder is None

    def nobody(*_: object, **__: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_cache_dir", nobody)
    assert PlanCache.default().folder is None


RACE = """
import sys, time
from pathlib import Path
from realtime_unmask.inference.plans import Key, PlanCache

folder, log = Path(sys.argv[1]), Path(sys.argv[2])

def build():
    with log.open("a") as file:
        file.write("built\\n")
    time.sleep(0.5)
    return b"plan" * 100_000

(log.parent / f"ready-{sys.argv[3]}").touch()
while not (log.parent / "go").exists():
    time.sleep(0.005)
made = PlanCache(folder).fetch(Key("race", {}), build)
assert made == b"plan" * 100_000
"""


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", RACE, str(tmp_path / "cache"), str(tmp_path / "log")]
    running = [
        subprocess.Popen([*arguments, str(n)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for n in range(2)
    ]
    until = time.monotonic() + 60
    while sum((tmp_path / f"ready-{n}").exists() for n in range(2)) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    (tmp_path / "go").touch()
    for process in running:
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")
    assert (tmp_path / "log").read_text() == "built\n"


def test_process_that_never_ends_its_build_is_not_waited_for(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "LOCK_TIMEOUT_S", 0.1)
    cache.store(OTHER, PLAN)
    with plans._locked(plan_file(cache).with_suffix(".lock")):
        assert cache.fetch(KEY, Builder()) == PLAN


FULL = """
import resource, sys
from pathlib import Path
from realtime_unmask.inference.plans import Key, PlanCache

cache = PlanCache(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
assert cache.fetch(Key("full", {}), lambda: bytes(100_000)) == bytes(100_000)
"""


@POSIX
def test_disk_that_gets_full_in_mid_write(tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk: the write fails after its first half."""
    cache = PlanCache(tmp_path / "cache")
    full = Key("full", {})
    cache.store(full, b"an older one")
    flip(plan_file(cache, full))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "cache")], cwd=ROOT, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == 2
    assert "is damaged" in said[0]
    assert "cannot be written (File too large); it is compiled at each start." in said[1]
    assert not list((tmp_path / "cache").glob("*.partial"))
    assert cache.load(full) is None


def test_entries_say_what_is_there_and_what_is_wrong_with_it(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    cache.store(OTHER, PLAN)
    cut(plan_file(cache, OTHER))
    sound, broken = sorted(cache.entries(), key=lambda entry: entry.fault)
    assert (sound.size, sound.about["card"], sound.fault) == (len(PLAN), "sm_86", "")
    assert "is damaged" in broken.fault


def test_clean_leaves_nothing(cache: PlanCache) -> None:
    cache.fetch(KEY, Builder())
    cache.fetch(OTHER, Builder())
    assert cache.clean() == 2
    assert cache.folder is not None
    assert list(cache.folder.iterdir()) == []


def test_oldest_go_when_there_are_too_many(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_ENTRIES", 3)
    keys = [Key("tensorrt", {"number": str(n)}) for n in range(5)]
    for age, key in enumerate(keys):
        cache.store(key, PLAN)
        os.utime(plan_file(cache, key), (age, age))
    cache.store(KEY, PLAN)
    kept = [key for key in keys if cache.load(key) is not None]
    assert kept == keys[-2:]
    assert cache.load(KEY) == PLAN


def test_two_threads_that_store_the_same_do_not_disturb_each_other(cache: PlanCache) -> None:
    begin, stored = threading.Barrier(2), []

    def store() -> None:
        for _ in range(20):
            begin.wait(10)
            stored.append(cache.store(KEY, PLAN * 20))

    threads = [threading.Thread(target=store) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored == [True] * 40
    assert cache.load(KEY) == PLAN * 20


def test_plan_in_use_is_not_taken_for_an_old_one(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_ENTRIES", 3)
    keys = [Key("openvino", {"threads": str(n)}) for n in range(3)]
    for age, key in enumerate([KEY, *keys[:2]]):
        cache.store(key, PLAN)
        os.utime(plan_file(cache, key), (age, age))
    assert cache.load(KEY) == PLAN
    cache.store(keys[2], PLAN)
    assert cache.load(KEY) == PLAN
    assert cache.load(keys[0]) is None


def test_reader_beside_the_first_store_meets_no_fault(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that starts for the first time beside another one."""
    replace, found = Path.replace, []

    def slowly(path: Path, target: Path) -> None:
        found.append(cache.load(KEY))
        replace(path, target)
        found.append(cache.load(KEY))

    monkeypatch.setattr(Path, "replace", slowly)
    assert cache.store(KEY, PLAN)
    assert found[-1] == PLAN
    assert lines(caplog) == []


def test_forgetting_goes_on_after_a_file_that_another_program_removed(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [Key("choice", {"network": name}) for name in ("map", "editor")]
    for key in keys:
        cache.store(key, PLAN)
    first = min(plan_file(cache, key).with_suffix(".json") for key in keys)
    unlink = Path.unlink

    def gone(path: Path, missing_ok: bool = False) -> None:
        if path == first:
            unlink(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", gone)
    cache.forget("choice")
    assert cache.entries() == []


def test_what_a_killed_program_left_half_written_goes_with_the_time(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    old, new = (plan_file(cache).with_name(f"a.plan.{n}-1.partial") for n in (1, 2))
    for path in (old, new):
        path.write_bytes(PLAN)
    os.utime(old, (1, 1))
    cache.store(OTHER, PLAN)
    assert (old.exists(), new.exists()) == (False, True)
