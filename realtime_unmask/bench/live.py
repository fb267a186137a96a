"""The camera's pace: pictures come 30 times a second whether or not they can be taken."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from fractions import Fraction

import cv2

from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.scene import Camera
from realtime_unmask.pipeline.ladder import RUNGS, Ladder
from realtime_unmask.types import Frame, UInt8
from realtime_unmask.unmask.unmasker import State, Unmasker

RATE = 30
_WARM_UP_S = 1.0
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Live:
    """Attributes:
    frames_per_s: shown, that is unmasked and converted for drawing.
    age_ms: of a frame when it is ready to be drawn, since the camera had it.
    captured: frames; captured = shown + the drops.
    shown: frames.
    dropped_late: replaced by a newer one before the unmasker could take them.
    missed_by_camera: moments at which decoding was still busy with the frame before.
    unmasked_share: share of the frames shown in which every face was unmasked, with the quality
        ladder at its top.
    cores_busy: processor time of the whole program per second.
    """

    frames_per_s: float
    age_ms: Spread
    captured: int
    shown: int
    dropped_late: int
    missed_by_camera: int
    unmasked_share: float
    cores_busy: float


def at_camera_pace(
    unmasker: Unmasker, pictures: list[bytes], faces: int, seconds: float
) -> Live:
    """Run for so many seconds after one of warming up."""
    slot = _Slot()
    stop = threading.Event()
    camera = threading.Thread(target=_capture, args=(pictures, slot, stop), name="bench camera")
    state, ladder, ages, unmasked, shown = State(), Ladder(), [], 0, 0
    camera.start()
    try:
        began, cpu, warm = time.perf_counter(), 0.0, False
        while True:
            frame = slot.take(_PATIENCE_S)
            if not warm and time.perf_counter() - began >= _WARM_UP_S:
                slot.restart()
                began, cpu, warm = time.perf_counter(), time.process_time(), True
            unmasker.effort = effort = ladder.effort
            started = time.perf_counter()
            result = unmasker.process(frame, state)
            cv2.cvtColor(result.output.image, cv2.COLOR_RGB2BGRA)
            now = time.monotonic_ns()
            ladder.took(time.perf_counter() - started, 1 / RATE)
            if not warm:
                continue
            ages.append((now - frame.captured_ns) / 1e6)
            shown += 1
            unmasked += len(result.reconstructions) >= faces and effort == RUNGS[0]
            elapsed = time.perf_counter() - began
            if elapsed >= seconds:
                break
        busy = (time.process_time() - cpu) / elapsed
    finally:
        stop.set()
        camera.join()
    captured, dropped, missed = slot.counts()
    return Live(
        round(shown / elapsed, 2),
        Spread.of(ages),
        captured - slot.waiting(),
        shown,
        dropped,
        missed,
        round(unmasked / shown, 4),
        round(busy, 2),
    )


class _Slot:
    """Holds the newest frame; counts those that it replaced."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._changed = threading.Condition()
        self._captured = self._dropped = self._missed = 0

    def put(self, frame: Frame, missed: int) -> None:
        with self._changed:
            self._captured += 1
            self._missed += missed
            self._dropped += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def take(self, patience_s: float) -> Frame:
        with self._changed:
            if not self._changed.wait_for(lambda: self._frame is not None, patience_s):
                raise RuntimeError("The benchmark's camera has stopped.")
            frame, self._frame = self._frame, None
            assert frame is not None
            return frame

    def restart(self) -> None:
        """Count from here, with a frame in hand, which is one of those captured."""
        with self._changed:
            self._captured = 1 + (self._frame is not None)
            self._dropped = self._missed = 0

    def waiting(self) -> int:
        """Frames that were captured and neither taken nor dropped: 0 or 1."""
        with self._changed:
            return int(self._frame is not None)

    def counts(self) -> tuple[int, int, int]:
        """Captured, dropped, missed."""
        with self._changed:
            return self._captured, self._dropped, self._missed


def _capture(pictures: list[bytes], slot: _Slot, stop: threading.Event) -> None:
    camera, number = Camera(pictures), 0
    due = time.monotonic()
    while not stop.is_set():
        arrived = time.monotonic_ns()
        image: UInt8 = camera.read()
        late = max(0, int((time.monotonic() - due) * RATE))
        slot.put(Frame(image, Fraction(number, RATE), arrived, number), late)
        number += 1 + late
        due += (1 + late) / RATE
        stop.wait(max(0.0, due - time.monotonic()))
