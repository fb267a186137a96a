"""Several programs and threads at one cache, and programs that were killed at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from realtime_unmask.inference import plans
from realtime_unmask.inference.plans import Key, PlanCache

from .plan_files import KEY, OTHER, PLAN, ROOT, Builder, lines, plan_file

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
