"""A follower's window, and the end of landmarkers: never where something is under way."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import AssetError
from realtime_unmask.faces import landmarker
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.landmarker import Follower

Picture = NDArray[np.uint8]


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


def test_the_window_stays_where_a_face_trembles_and_goes_along_where_it_moves(
    portrait: Picture, detector: Detector
) -> None:
    (mesh,) = detector.find(portrait, 1)
    width = float(np.ptp(mesh[:, 0]))
    with Follower() as follower:
        assert follower.look(portrait, mesh, 1 / 30) is not None
        before = follower._window.copy()
        follower.look(portrait, mesh + np.float32(0.03 * width), 1 / 30)
        follower.look(portrait, (mesh - mesh.mean(0)) * np.float32(1.05) + mesh.mean(0), 1 / 30)
        np.testing.assert_array_equal(follower._window, before)
        step = round(0.3 * width)
        there = np.ascontiguousarray(np.roll(portrait, step, axis=1))
        shifted = mesh + np.array([step, 0, 0], np.float32)
        found = follower.look(there, shifted, 1 / 30)
        assert follower._window[0] - before[0] == pytest.approx(step, abs=0.01 * width)
        assert found is not None  # in px of the frame, wherever the window is
        assert np.abs(found - shifted)[:, :2].mean() < 0.03 * width


def test_closing_twice_frees_once(closed: list[Any]) -> None:
    follower = Follower()
    follower.close()
    follower.close()
    assert closed.count(follower._task) == 1


def test_one_whose_freeing_is_interrupted_is_not_freed_again() -> None:
    """mediapipe frees it in a thread of its own, and forgets only then that it has to."""

    def close() -> None:
        raise KeyboardInterrupt

    task = SimpleNamespace(close=close, _handle=object())
    with pytest.raises(KeyboardInterrupt):
        landmarker._free(task)
    assert task._handle is None


def test_library_that_mediapipe_lacks_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mediapipe.tasks.python import vision

    def create(_: Any) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(vision.FaceLandmarker, "create_from_options", create)
    with pytest.raises(AssetError, match=r"libEGL.*apt-get install libegl1 libgles2"):
        Follower()


def test_ctrl_c_is_heard_once_mediapipe_has_started(
    closed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on starting in threads of its own, and print to the error output again."""
    from mediapipe.tasks.python import vision

    task = SimpleNamespace(close=lambda: None, _handle=object())
    held_back: list[bool] = []

    def create(_: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        held_back.append(os.path.samestat(os.fstat(2), os.stat(os.devnull)))
        return task

    monkeypatch.setattr(vision.FaceLandmarker, "create_from_options", create)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Follower()
    finally:
        signal.signal(signal.SIGINT, before)
    assert held_back == [True]
    gc.collect()
    landmarker._free_left()
    assert closed.count(task) == 1


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
