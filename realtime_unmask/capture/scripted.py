"""A camera that does what a script says: stalls, is unplugged, changes its format, hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from realtime_unmask.errors import CameraError
from realtime_unmask.types import Frame, UInt8

Painter = Callable[[int, int, int], UInt8]
_SANE_FPS = (1.0, 240.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens to the camera, then the next one.

    Attributes:
        frames: it gives so many frames.
        stall_s: then it gives nothing for so long, though it is still there.
        gone_s: then it is unplugged for so long: read() and open() fail.
        blocked_s: then a read hangs for so long, and cannot be interrupted.
        size: from here on its pictures have this (width, height).
        fps: from here on it claims this rate; NaN, 0 and the like are claimed by real cameras.
    """

    frames: int = 0
    stall_s: float = 0.0
    gone_s: float = 0.0
    blocked_s: float = 0.0
    size: tuple[int, int] | None = None
    fps: float | None = None


def plain_picture(index: int, width: int, height: int) -> UInt8:
    """(height, width, 3) uint8: a grey that tells frames apart; index modulo 251."""
    return np.full((height, width, 3), index % 251, np.uint8)


@dataclass
class ScriptedCamera:
    """The device itself; a SourceSpec. Where the script is goes on from one open() to the next.

    Args:
        script: what happens; after its end the last picture rate goes on for ever.
        paint: (index, width, height) -> picture.
        size, fps: of the pictures, to begin with.
        name: for people.

    Attributes:
        opened, closed: how often that was done.
        given: how many frames it gave.
    """

    script: Sequence[Step] = ()
    paint: Painter = plain_picture
    size: tuple[int, int] = (64, 48)
    fps: float = 100.0
    name: str = "Scripted camera"
    opens_in_s: float = 2.0
    opened: int = 0
    closed: int = 0
    given: int = 0
    _left: list[Step] = field(init=False)
    _frames_left: int = field(init=False, default=0)
    _gone_until: float = field(init=False, default=0.0)
    _silent_until: float = field(init=False, default=0.0)
    _block_for: float = field(init=False, default=0.0)
    _step: Step | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._left = list(self.script)

    def open(self) -> ScriptedSource:
        """Connect to it; whether it is there shows in the first read()."""
        self.opened += 1
        return ScriptedSource(self)

    def present(self) -> bool:
        """Is it plugged in?"""
        return time.monotonic() >= self._gone_until

    def advance(self) -> float | None:
        """What comes next: seconds until a frame is due; None while there is none to come.

        Raises:
            CameraError: it is unplugged.
        """
        now = time.monotonic()
        if not self.present():
            raise CameraError(f"{self.name} is not connected. Plug it in.", "no_camera")
        if now < self._silent_until:
            return None
        if self._frames_left > 0 or not (self._left or self._step):
            return 1.0 / self._rate()
        if self._step is not None:
            step, self._step = self._step, None
            self._silent_until = now + step.stall_s
            self._gone_until = now + step.gone_s if step.gone_s else 0.0
            self._block_for = step.blocked_s
            return self.advance()
        self._step = self._left.pop(0)
        self._frames_left = self._step.frames
        self.size = self._step.size or self.size
        self.fps = self._step.fps if self._step.fps is not None else self.fps
        return self.advance()

    def hang(self) -> None:
        """Block as a broken driver does."""
        wait, self._block_for = self._block_for, 0.0
        if wait:
            time.sleep(wait)

    def picture(self) -> UInt8:
        """The next picture."""
        self._frames_left = max(0, self._frames_left - 1)
        self.given += 1
        return self.paint(self.given - 1, *self.size)

    def _rate(self) -> float:
        low, high = _SANE_FPS
        # Comparisons with NaN are false.
        return self.fps if low <= self.fps <= high else 30.0


class ScriptedSource:
    """A connection to a ScriptedCamera; see LiveSource."""

    def __init__(self, camera: ScriptedCamera) -> None:
        self.missed = 0
        self._camera = camera
        self._stop = threading.Event()
        self._closed = False

    def read(self, timeout_s: float) -> Frame | None:
        """See LiveSource."""
        wait = self._camera.advance()
        self._camera.hang()
        if wait is None or wait > timeout_s:
            self._stop.wait(timeout_s)
            return None
        if self._stop.wait(wait):
            return None
        now = time.perf_counter_ns()
        picture = self._camera.picture()
        return Frame(picture, Fraction(now, 10**9), now, self._camera.given - 1)

    def interrupt(self) -> None:
        """See LiveSource."""
        self._stop.set()

    def close(self) -> None:
        """See LiveSource."""
        self._stop.set()
        if not self._closed:
            self._closed = True
            self._camera.closed += 1
