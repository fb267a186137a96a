"""The books of the live measurement add up, whoever is slow."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.bench import live as bench_live
from realtime_unmask.bench import scene
from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.live import Live, at_camera_pace, without_window
from realtime_unmask.bench.stages import ORDER, full_throttle
from realtime_unmask.errors import EngineError
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Frame, FrameResult, MaskMap, Reconstruction
from realtime_unmask.unmask.unmasker import State, Unmasker

PLANE = np.zeros((8, 8), np.float32)
PAINTED = Reconstruction(
    0, np.zeros((8, 8, 3), np.uint8), MaskMap(PLANE, 1.0), PLANE, Alignment(np.eye(2, 3), 8), PLANE
)


class FakeUnmasker(AtOnce, Unmasker):
    """Takes so long for each frame, and paints one face, or finds nobody."""

    reason = backend = "fake"

    def __init__(self, seconds: float, paints: bool = False) -> None:
        self._seconds, self._paints = seconds, paints
        self._settings = Settings()
        self.clock = time.perf_counter_ns

    def process(self, frame, state=None, *, given_map=None):  # type: ignore[no-untyped-def]
        assert isinstance(frame, Frame) and isinstance(state, State)
        time.sleep(self._seconds)
        made = (PAINTED,) if self._paints else ()
        spent = {"detect": int(self._seconds * 1e9)}
        return FrameResult(frame, frame, None, (), made, spent)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return scene.jpegs(320, 240, 1, 4)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm-up as short as the tests."""
    monkeypatch.setattr(bench_live, "_WARM_UP_S", 0.3)
    monkeypatch.setattr(bench_live, "_PATIENCE_S", 4.0)


def measured(pictures: list[bytes], unmasker: FakeUnmasker) -> Live:
    threads = threading.active_count()
    live = at_camera_pace(
        Settings(), pictures, 1, 1.0, without_window, lambda settings: unmasker
    )
    assert threading.active_count() == threads
    return live


def test_captured_is_shown_dropped_or_on_its_way(pictures: list[bytes]) -> None:
    live = measured(pictures, FakeUnmasker(0.0, paints=True))
    assert live.captured == live.shown + sum(live.drops.values()) + live.in_flight
    assert abs(live.in_flight) <= 2
    assert (live.unmasked_share, live.top_share, live.window) == (1, 1, "")
    assert live.first_unmasked_s is not None and live.first_unmasked_s > 0


def test_what_a_slow_unmasker_cannot_take_is_dropped_and_named(pictures: list[bytes]) -> None:
    live = measured(pictures, FakeUnmasker(3 / scene.RATE))
    assert live.captured == live.shown + sum(live.drops.values()) + live.in_flight
    assert live.drops["worker busy"] >= live.shown  # two of three come too soon
    assert live.age_ms.p50 >= 3e3 / scene.RATE
    assert (live.unmasked_share, live.top_share, live.first_unmasked_s) == (0, 0, None)


def test_what_was_made_with_less_work_is_not_at_full_quality(pictures: list[bytes]) -> None:
    live = measured(pictures, FakeUnmasker(2 / scene.RATE, paints=True))
    assert live.unmasked_share == 1
    assert live.top_share < 1


def test_a_session_that_does_not_run_is_not_measured(pictures: list[bytes]) -> None:
    def fail(settings: Settings) -> FakeUnmasker:
        raise EngineError("No network loads.")

    with pytest.raises(EngineError, match="cannot be measured. No network loads"):
        at_camera_pace(Settings(), pictures, 1, 1.0, without_window, fail)


def test_the_camera_keeps_its_pace(tmp_path: Path, pictures: list[bytes]) -> None:
    scene.write(pictures, tmp_path)
    times = [shot.captured_ns for shot in islice(scene.read_loop(str(tmp_path)), 10)]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 8.5e9 / scene.RATE  # never faster


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
