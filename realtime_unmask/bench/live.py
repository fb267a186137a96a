"""The program as people use it: a camera in its process, the live session, and the window."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from realtime_unmask.bench import scene
from realtime_unmask.bench.figures import Spread
from realtime_unmask.errors import EngineError
from realtime_unmask.pipeline.live import LiveFrame, LiveSession
from realtime_unmask.pipeline.live_worker import MakeUnmasker
from realtime_unmask.settings import Settings
from realtime_unmask.unmask.unmasker import Unmasker

_WARM_UP_S = 2.0
# The networks are loaded, and a mask is found, within this; else it is measured without.
_PATIENCE_S = 20.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Live:
    """Attributes:
    window: what the window was open on ("xcb", "wayland", "windows", "cocoa", "offscreen");
        "" without one.
    first_unmasked_s: from the session's start to the first unmasked frame shown; None: there
        was none.
    frames_per_s: shown, that is drawn by the window; without one, converted for drawing.
    age_ms: of a frame when it was shown, since the camera had it, its decoding included.
    captured: frames; captured = shown + the drops + in_flight.
    shown: frames.
    drops: frames by cause, as in LiveStats; "window busy": a newer one was there to be drawn.
    in_flight: more frames on their way at the end than at the beginning.
    missed_by_camera: moments at which the camera's decoder was still busy.
    unmasked_share: share of the frames shown in which every face was unmasked.
    top_share: of those frames as well, and with the quality ladder at its top.
    cores_busy: processor seconds a second of the program; the camera's process is not in it.
    """

    window: str
    first_unmasked_s: float | None
    frames_per_s: float
    age_ms: Spread
    captured: int
    shown: int
    drops: dict[str, int]
    in_flight: int
    missed_by_camera: int
    unmasked_share: float
    top_share: float
    cores_busy: float


@dataclass(frozen=True, slots=True)
class _Mark:
    """The counters of one moment; times in seconds."""

    now: float
    cpu: float
    captured: int
    drops: Counter[str]

    @classmethod
    def of(cls, session: LiveSession) -> _Mark:
        stats = session.stats()
        drops = Counter(stats.drops)
        drops["window busy"] = session.latest.dropped
        return cls(time.monotonic(), time.process_time(), stats.captured, drops)


class Watch:
    """Keeps the books of one session; used from one thread.

    Args:
        session: not started yet.
        faces: how many there are to be unmasked.
        seconds: to be measured, after the first unmasked frame and some of warming up.
    """

    def __init__(self, session: LiveSession, faces: int, seconds: float) -> None:
        self._session, self._faces, self._seconds = session, faces, seconds
        self._made = time.monotonic()
        self._first: float | None = None
        self._begin: _Mark | None = None
        self._end: _Mark | None = None
        self._ages: list[float] = []
        self._unmasked = self._top = 0

    def saw(self, live: LiveFrame) -> None:
        """That frame was shown just now."""
        now = time.perf_counter_ns()
        whole = live.status == "done" and len(live.result.reconstructions) >= self._faces
        if whole and self._first is None:
            self._first = time.monotonic()
        if self._begin is None or self._end is not None:
            return
        self._ages.append((now - live.captured_ns) / 1e6)
        self._unmasked += whole
        self._top += whole and live.rung == 0

    def over(self) -> bool:
        """Was it long enough? To be asked several times a second.

        Raises:
            EngineError: something is the matter, so that there is nothing to measure.
        """
        grave = [notice.text for notice in self._session.notices() if notice.grave]
        if grave:
            raise EngineError(f"The live session cannot be measured. {grave[0]}")
        now = time.monotonic()
        if self._begin is None:
            warm = self._first is not None and now - self._first >= _WARM_UP_S
            if warm or now - self._made >= _PATIENCE_S:
                self._begin = _Mark.of(self._session)
        elif self._end is None and now - self._begin.now >= self._seconds:
            self._end = _Mark.of(self._session)
        return self._end is not None

    def report(self, window: str) -> Live:
        """The figures, once it is over.

        Raises:
            EngineError: no frame was shown.
        """
        begin, end = self._begin, self._end
        if begin is None or end is None or not self._ages:
            raise EngineError("The live session showed no picture; there is nothing to measure.")
        seconds, shown = end.now - begin.now, len(self._ages)
        captured = end.captured - begin.captured
        drops = {cause: n for cause, n in (end.drops - begin.drops).items() if n}
        first = self._first
        return Live(
            window,
            round(first - self._made, 2) if first is not None else None,
            round(shown / seconds, 2),
            Spread.of(self._ages),
            captured,
            shown,
            drops,
            captured - shown - sum(drops.values()),
            max(0, round(seconds * scene.RATE) - captured),
            round(self._unmasked / shown, 4),
            round(self._top / shown, 4),
            round((end.cpu - begin.cpu) / seconds, 2),
        )


# Starts the session, shows its frames until the watch is over, and stops it; returns what the
# window was open on.
Show = Callable[[LiveSession, Watch], str]


def at_camera_pace(
    settings: Settings,
    pictures: list[bytes],
    faces: int,
    seconds: float,
    show: Show,
    make: MakeUnmasker = Unmasker.default,
) -> Live:
    """Run the live session on a camera that shows `pictures`.

    Args:
        show: `without_window`, or the window's own.
        make: makes the unmasker.

    Raises:
        EngineError: the session does not run.
    """
    with TemporaryDirectory(prefix="realtime-unmask-bench-") as folder:
        session = LiveSession(scene.write(pictures, Path(folder)), make, settings)
        watch = Watch(session, faces, seconds)
        try:
            window = show(session, watch)
        finally:
            session.stop()
        return watch.report(window)


def without_window(session: LiveSession, watch: Watch) -> str:
    """Convert each frame as for drawing, and no more."""
    session.start()
    while not watch.over():
        live = session.latest.take(_LOOK_S)
        if live is not None:
            cv2.cvtColor(live.shown.image, cv2.COLOR_RGB2BGRA)
            watch.saw(live)
    return ""
