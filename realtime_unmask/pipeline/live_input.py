"""Fetches the frames of the chosen source, and opens it again when it stalls or comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from realtime_unmask.capture.stream import LiveSource, SourceSpec
from realtime_unmask.errors import CameraError, MediaError, UnmaskError, own_fault
from realtime_unmask.pipeline.live_values import Notice
from realtime_unmask.pipeline.slots import LatestSlot
from realtime_unmask.pipeline.square import squared
from realtime_unmask.pipeline.stats import Meter
from realtime_unmask.types import Frame

# No frame for so long: it is said. For so much longer: the source is opened again.
STALLED_S, GIVE_UP_S = 0.8, 2.0
# Between two tries to open it, first and at most: a camera is back within 3 s.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 1.5
_READ_S = 0.2


class Input(threading.Thread):
    """The capture thread.

    Args:
        spec: the source.
        frames: where the frames go.
        meter: counts them.
        wanted: whether anybody needs pictures; else the source is released.
        look: called several times a second, whatever the source does.
    """

    def __init__(
        self,
        spec: SourceSpec,
        frames: LatestSlot[Frame],
        meter: Meter,
        wanted: Callable[[], bool],
        look: Callable[[], None],
    ) -> None:
        super().__init__(name="live capture", daemon=True)
        self._spec, self._frames, self._meter = spec, frames, meter
        self._wanted, self._look = wanted, look
        self._number = 0  # of the source, in the order in which they were chosen
        self._lock = threading.Lock()
        self._source: LiveSource | None = None
        self._changed = threading.Event()  # another source, or the end
        self._stopping = False
        self._began_ns = time.perf_counter_ns()
        self._opened_at = time.monotonic()
        self._last_frame: float | None = None  # since the source was opened
        self._trouble: Notice | None = None
        self.asleep = False

    def choose(self, spec: SourceSpec) -> None:
        """Another source, or the same one anew."""
        with self._lock:
            self._spec = spec
            self._number += 1
            self._trouble = None
            self._change()

    def wake(self) -> None:
        """Somebody wants pictures again."""
        if self.asleep:
            self._changed.set()

    def stop(self) -> None:
        """End soon, also from within a read."""
        with self._lock:
            self._stopping = True
            self._change()

    def _change(self) -> None:
        self._changed.set()
        if self._source is not None:
            self._source.interrupt()

    def trouble(self) -> Notice | None:
        """What is the matter with the source just now; judged by the age of its last frame."""
        trouble, spec = self._trouble, self._spec
        if self.asleep:
            return Notice("asleep", "The camera is released: nobody looks at its picture.")
        if trouble is not None or self._source is None:
            return trouble
        now = time.monotonic()
        if self._last_frame is None:
            if now - self._opened_at < STALLED_S:
                return None
            return Notice("opening", f"Waiting for the first picture of {spec.name}.")
        if now - self._last_frame < STALLED_S:
            return None
        return Notice("stalled", f"{spec.name} has stalled: waiting for it.", True)

    def run(self) -> None:
        """The thread's work."""
        wait_s = FIRST_WAIT_S
        while not self._stopping:
            self._look()
            if not self._wanted():
                self.asleep = True
                self._changed.wait(_READ_S)
                self._changed.clear()
                continue
            self.asleep = False
            try:
                delivered = self._use_source()
            except Exception as error:  # noqa: BLE001  a thread's edge: said, and tried again
                delivered, self._trouble = False, _notice(error)
            wait_s = FIRST_WAIT_S if delivered else min(2 * wait_s, LONGEST_WAIT_S)
            if self._trouble is not None:
                self._pause(wait_s)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._changed.is_set() and (left := until - time.monotonic()) > 0:
            self._look()
            self._changed.wait(min(left, _READ_S))

    def _use_source(self) -> bool:
        """Open the source and use it until something changes; whether it gave a frame."""
        with self._lock:
            spec, number = self._spec, self._number
            self._changed.clear()
            if self._stopping:
                return True
            self._opened_at, self._last_frame = time.monotonic(), None
        # Not under the lock: whoever asks for something else must not wait for it.
        source = spec.open()
        with self._lock:
            self._source = source  # whether anything changed meanwhile, _pump() sees first
        delivered = False
        try:
            delivered = self._pump(source, spec, number)
        except CameraError as error:
            delivered = self._last_frame is not None
            self._trouble = _notice(error)
        except MediaError as error:  # it would fail again: another source has to be chosen
            self._trouble = _notice(error)
            while not self._changed.is_set():
                self._pause(10.0)
        finally:
            with self._lock:
                self._source = None
            source.close()
        return delivered

    def _pump(self, source: LiveSource, spec: SourceSpec, number: int) -> bool:
        missed = 0
        while not self._changed.is_set() and self._wanted():
            frame = source.read(_READ_S)
            self._look()
            if source.missed > missed:
                self._meter.came(source.missed - missed)
                self._meter.drop("capture", source.missed - missed)
                missed = source.missed
            now = time.monotonic()
            if frame is not None:
                self._last_frame, self._trouble = now, None
                self._meter.came()
                self._frames.put(self._timed(frame, number))
                continue
            silent = now - (self._last_frame or self._opened_at)
            if silent > (GIVE_UP_S if self._last_frame is not None else spec.opens_in_s):
                self._trouble = Notice(
                    "stalled", f"{spec.name} gives no pictures: it is being opened again.", True
                )
                return self._last_frame is not None
        return True

    def _timed(self, frame: Frame, number: int) -> Frame:
        """With square pixels, and as pts its time since the start: the clocks of cameras lie."""
        pts = Fraction(frame.captured_ns - self._began_ns, 10**9)
        return replace(squared(frame), pts=pts, index=self._meter.captured - 1, source=number)


def _notice(error: Exception) -> Notice:
    if not isinstance(error, UnmaskError):
        error = own_fault(error)
    return Notice(str(getattr(error, "kind", "source")), str(error), True)
