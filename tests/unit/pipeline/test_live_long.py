"""Live sessions for hours, unplugged a thousand times, and on a disk that gets full."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.sinks.live_recording import LiveRecording
from realtime_unmask.sinks.readback import count_pictures
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.unmasker import State
from tests.unit.pipeline.live_fakes import (
    FakeUnmasker,
    ListSink,
    books_balance,
    live_threads,
    wait_until,
)


def _held_mb() -> float:
    """Memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "unplugs", [5, pytest.param(1000, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_a_camera_may_be_unplugged_again_and_again(unplugs: int) -> None:
    camera = ScriptedCamera([Step(frames=2, gone_s=0.02)] * unplugs)
    session = LiveSession(camera, FakeUnmasker)
    session.start()
    wait_until(lambda: camera.given > 2 * unplugs + 5, "pictures after the last one", 2 * unplugs)
    assert session.notices() == ()
    assert session.stop() == ()
    assert books_balance(session)
    assert camera.opened == camera.closed
    assert live_threads() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for its figures")
@pytest.mark.parametrize(
    "frames", [1000, pytest.param(100_000, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_memory_threads_and_handles_do_not_grow(frames: int) -> None:
    sinks: list[ListSink] = []

    class Forgetful(ListSink):
        def write(self, frame):  # type: ignore[no-untyped-def]
            pass

    class Passing(FakeUnmasker):
        def process(self, frame: Frame, state: State) -> FrameResult:
            result = super().process(frame, state)
            for record in (self.states, self.seen, self.followed):
                record.clear()  # of 100,000 frames it would be megabytes
            return result

    def attach(first: object) -> ListSink:
        sinks.append(Forgetful())
        return sinks[-1]

    camera = ScriptedCamera(fps=240, size=(320, 240))
    session = LiveSession(camera, Passing)
    session.start()
    session.attach("page", attach)
    wait_until(lambda: camera.given > 500, "the warm-up", 30)
    before = _held_mb(), threading.active_count(), _handles()
    wait_until(lambda: camera.given > 500 + frames, "the frames", frames / 20)
    after = _held_mb(), threading.active_count(), _handles()
    assert session.stop() == ()
    assert after[0] - before[0] < 5
    assert after[1:] == before[1:]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_ends_the_recording_only_and_keeps_what_plays(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (8, 240, 320, 3), np.uint8)

    def paint(index: int, width: int, height: int) -> NDArray[np.uint8]:
        return noise[index % 8]

    import resource

    path = tmp_path / "full.mp4"
    session = LiveSession(ScriptedCamera(paint=paint, size=(320, 240), fps=60), FakeUnmasker)
    session.start()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, old[1]))
    try:
        session.attach("record", lambda first: LiveRecording(path, first), keep_all=True)
        wait_until(lambda: bool(session.notices()), "the notice", 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    (notice,) = session.notices()
    assert (notice.kind, notice.output, notice.grave) == ("disk_full", "record", True)
    assert "full.partial.mp4" in notice.text
    shown = session.stats().shown
    wait_until(lambda: session.stats().shown > shown + 5, "the picture goes on")
    assert session.stop() == ()
    assert not path.exists()
    plays = count_pictures(tmp_path / "full.partial.mp4")  # the last packet is cut through
    assert plays > 0
    assert f"first {plays} frames" in notice.text
