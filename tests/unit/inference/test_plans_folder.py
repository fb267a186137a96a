"""The cache's folder: whose it is, and what happens where nothing can be kept in it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_unmask.inference.plans import Key, PlanCache

from .plan_files import KEY, PLAN, POSIX, ROOT, Builder, flip, lines, plan_file

pytestmark = pytest.mark.usefixtures("cache")


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
