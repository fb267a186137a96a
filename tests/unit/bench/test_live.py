"""The books of the live measurement add up, whoever is slow."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from realtime_unmask.bench import scene
from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.live import RATE, at_camera_pace
from realtime_unmask.bench.stages import ORDER, full_throttle
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.unmasker import State, Unmasker


class FakeUnmasker(Unmasker):
    """Takes so long for each frame, and finds nobody."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.clock = time.perf_counter_ns

    def process(self, frame, state=None, *, given_map=None):  # type: ignore[no-untyped-def]
        assert isinstance(frame, Frame) and isinstance(state, State)
        time.sleep(self._seconds)
        return FrameResult(frame, frame, None, timings={"detect": int(self._seconds * 1e9)})


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return scene.jpegs(320, 240, 1, 4)


@pytest.mark.parametrize("frame_s", [0.0, 3 / RATE])
def test_captured_is_shown_and_dropped(pictures: list[bytes], frame_s: float) -> None:
    threads = threading.active_count()
    live = at_camera_pace(FakeUnmasker(frame_s), pictures, 1, 0.7)
    assert live.captured == live.shown + live.dropped_late
    assert live.unmasked_share == 0
    assert threading.active_count() == threads
    if frame_s:
        assert live.dropped_late >= live.shown  # two of three come too soon
        assert live.age_ms.p50 >= frame_s * 1e3


def test_all_stages_are_timed(pictures: list[bytes]) -> None:
    made = full_throttle(FakeUnmasker(0.01), pictures, 1, 0.3)
    assert [stage.name for stage in made.stages] == list(ORDER)
    assert sum(stage.cpu_share for stage in made.stages) == pytest.approx(1, abs=0.01)
    detect = made.stages[ORDER.index("detect")]
    assert detect.ms.p50 == pytest.approx(10)
    assert made.frame_ms.p50 >= 10


def test_the_camera_shows_as_many_people_as_it_was_asked_for(detector) -> None:  # type: ignore[no-untyped-def]
    for faces in (1, 2):
        (picture, *_) = scene.jpegs(1280, 720, faces, 2)
        image = scene.Camera([picture]).read()
        assert image.shape == (720, 1280, 3) and image.dtype == np.uint8
        assert len(detector.find(image, 4)) == faces


def test_percentiles() -> None:
    assert Spread.of(list(range(101))) == Spread(50.0, 95.0, 99.0)
