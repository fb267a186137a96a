"""Landmarkers end where nothing is under way, however their owners forget them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from realtime_unmask.faces import landmarker
from realtime_unmask.faces.landmarker import Follower


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tasks that were freed, in order; they are freed all the same."""
    freed: list[Any] = []
    free = landmarker._free

    def noted(task: Any) -> None:
        freed.append(task)
        free(task)

    monkeypatch.setattr(landmarker, "_free", noted)
    return freed


def test_one_that_is_forgotten_is_not_freed_while_memory_is_collected(closed: list[Any]) -> None:
    """It may be collected in the middle of another one's call, which holds mediapipe's lock."""
    gc.collect()
    landmarker._free_left()
    closed.clear()
    follower = Follower()
    task = follower._task
    del follower
    gc.collect()
    assert closed == [] and list(landmarker._left) == [task]
    following = Follower()
    assert closed == [task] and not landmarker._left
    following.close()


def test_closing_twice_frees_once(closed: list[Any]) -> None:
    follower = Follower()
    follower.close()
    follower.close()
    assert closed.count(follower._task) == 1


def test_two_threads_that_hold_the_noise_back_leave_the_error_output_as_it_was() -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with landmarker._quiet():
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=other)
    before, kept = os.fstat(2), os.dup(2)
    try:
        with landmarker._quiet():
            thread.start()
            entered.wait(0.5)  # if it may, it comes in here, and goes out last
        leave.set()
        thread.join()
        assert os.path.samestat(os.fstat(2), before)
    finally:
        os.dup2(kept, 2)  # for the tests to come
        os.close(kept)


def test_a_program_that_closes_nothing_ends_quietly() -> None:
    program = (
        "import gc\n"
        "from realtime_unmask.faces.landmarker import Follower\n"
        "kept, forgotten = Follower(), Follower()\n"
        "del forgotten; gc.collect()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "")
