"""The outputs of a live session: one thread, one edge and one sink each, none in another's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from realtime_unmask.errors import OutputUnfinished, UnmaskError, own_fault
from realtime_unmask.pipeline.live_values import LiveFrame, Notice, OutputStats
from realtime_unmask.pipeline.slots import BoundedQueue, LatestSlot
from realtime_unmask.sinks.badge import with_badge
from realtime_unmask.sinks.sink import Sink
from realtime_unmask.types import Frame

# Makes the sink, in the output's own thread; gets the first frame, whose size counts. The pixels of
# all frames are square.
SinkFactory = Callable[[Frame], Sink]
# Frames that wait for a recording whose disk is slow for a moment; 1080p: 6 MB each.
QUEUE = 24
_LOOK_S = 0.25


@runtime_checkable
class PacedSink(Protocol):
    """A sink that has to be fed all the time, also when no frame comes.

    Attributes:
        interval_s: how often.
    """

    interval_s: float

    def tick(self, trouble: str) -> None:
        """No frame came in time; `trouble` says why, "" for no reason.

        Raises:
            OutputError: the sink has ended.
        """
        ...


class Output:
    """Feeds one sink from a thread of its own until it is ended.

    Args:
        name: "record", "virtual_camera", "page" or any other.
        make: makes the sink when the first frame comes.
        keep_all: the sink gets every frame, in order, as long as it keeps up; else the newest.
        badge: whether the frames get the badge, asked for each.
        trouble: why no frames come, "" if they do.
        report: takes the output and the error when the sink fails, unless wait_opened() raises it.
    """

    def __init__(
        self,
        name: str,
        make: SinkFactory,
        *,
        keep_all: bool,
        badge: Callable[[], bool],
        trouble: Callable[[], str],
        report: Callable[[Output, UnmaskError], None],
    ) -> None:
        self.name = name
        self._make, self._badge, self._trouble, self._report = make, badge, trouble, report
        self._edge: BoundedQueue[LiveFrame] | LatestSlot[LiveFrame] = (
            BoundedQueue(QUEUE) if keep_all else LatestSlot()
        )
        self._offered = self._written = self._lost = 0
        self._ending = threading.Event()
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._on_its_own = False  # nobody waits for its opening any more
        self._sink: Sink | None = None
        self._paced: PacedSink | None = None
        self.error: UnmaskError | None = None
        self._thread = threading.Thread(target=self._run, name=f"live output {name}", daemon=True)
        self._thread.start()

    def put(self, frame: LiveFrame) -> None:
        """Hand over one frame; from one thread at a time."""
        self._offered += 1
        self._edge.put(frame)

    def wait_opened(self, timeout_s: float) -> None:
        """Wait until the sink took its first frame.

        Raises:
            UnmaskError: it could not be opened.
        """
        self._opened.wait(timeout_s)
        with self._lock:
            self._on_its_own = True
            if self.error is not None:
                raise self.error

    def end(self, timeout_s: float) -> bool:
        """Finish what was handed over, close the sink; False: it is not done yet."""
        self._ending.set()
        self._edge.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Does it take frames?"""
        return self._thread.is_alive() and not self._ending.is_set()

    @property
    def unfinished(self) -> bool:
        """Is its thread still at work?"""
        return self._thread.is_alive()

    @property
    def stats(self) -> OutputStats:
        """Its books."""
        dropped = self._edge.dropped + self._lost
        return OutputStats(self._offered, self._written, dropped, self._edge.waiting)

    def _run(self) -> None:
        try:
            self._feed()
            if self._sink is not None:
                self._sink.close()
        except UnmaskError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  a thread's edge: a fault must be heard of
            self._fail(own_fault(error))
        finally:
            if isinstance(self._edge, BoundedQueue):
                self._edge.abandon()
            else:
                self._edge.close()
            self._opened.set()

    def _feed(self) -> None:
        while True:
            interval = self._paced.interval_s if self._paced is not None else _LOOK_S
            frame = self._edge.take(interval)
            if frame is not None:
                self._write(with_badge(frame.shown) if self._badge() else frame.shown)
            elif self._ending.is_set():
                return
            elif self._paced is not None:
                self._paced.tick(self._trouble())

    def _write(self, frame: Frame) -> None:
        written = False
        try:
            if self._sink is None:
                self._sink = self._make(frame)
                if isinstance(self._sink, PacedSink):
                    self._paced = self._sink
            self._sink.write(frame)
            written = True
        finally:
            self._written += written
            self._lost += not written
        self._opened.set()

    def _fail(self, error: UnmaskError) -> None:
        self._ending.set()
        if self._sink is not None:
            self._sink.abort()
        with self._lock:
            self.error = error
            told = not self._on_its_own  # raised in wait_opened()
        if not told:
            self._report(self, error)


def _notice(name: str, error: UnmaskError) -> Notice:
    kind = str(getattr(error, "kind", "")) or _kind(error)
    return Notice(kind, str(error), True, name)


def _kind(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in (28, 122, 27):  # ENOSPC, EDQUOT, EFBIG
            return "disk_full"
        cause = cause.__cause__
    return "output_failed"


class Outputs:
    """All outputs of a session by name; methods may be called from any thread.

    Args:
        badge, trouble: see Output.
    """

    def __init__(self, badge: Callable[[], bool], trouble: Callable[[], str]) -> None:
        self._badge, self._trouble = badge, trouble
        self._lock = threading.Lock()
        self._running: dict[str, Output] = {}
        self._leaving: list[Output] = []  # removed, and not finished in time
        self._ended: dict[str, UnmaskError] = {}  # why those that ended by themselves did

    def add(self, name: str, make: SinkFactory, keep_all: bool) -> Output:
        """A new output, which gets all frames from now on; there must be none of that name."""
        with self._lock:
            self._ended.pop(name, None)
            output = self._running[name] = Output(
                name,
                make,
                keep_all=keep_all,
                badge=self._badge,
                trouble=self._trouble,
                report=self._note,
            )
            return output

    def forget(self, output: Output) -> None:
        """It could not be opened."""
        with self._lock:
            if self._running.get(output.name) is output:
                del self._running[output.name]

    def remove(self, name: str, timeout_s: float) -> None:
        """Finish the output `name`, if there is one.

        Raises:
            UnmaskError: it could not be finished, is not finished in that time, or has ended by
                itself.
        """
        with self._lock:
            output = self._running.pop(name, None)
            ended = self._ended.pop(name, None) if output is None else None
        if ended is not None:  # perhaps nobody has asked for notices() since
            raise ended
        if output is None:
            return
        if not output.end(timeout_s):
            with self._lock:
                self._leaving = [*(one for one in self._leaving if one.unfinished), output]
            raise OutputUnfinished(f"The output “{name}” is not finished yet; it goes on.")
        if output.error is not None:
            with self._lock:
                self._ended.pop(name, None)
            raise output.error

    def clear(self, name: str) -> None:
        """What is known of one of that name which ended by itself is of no interest any more."""
        with self._lock:
            self._ended.pop(name, None)

    def end(self, until: float) -> list[str]:
        """End all at once; the names of those not done at time.monotonic() == `until`."""
        with self._lock:
            outputs = [*self._leaving, *self._running.values()]
            self._leaving, self._running = [], {}
        for output in outputs:
            output.end(0)
        return [one.name for one in outputs if not one.end(max(0.0, until - time.monotonic()))]

    def put(self, frame: LiveFrame) -> None:
        """Hand a frame to all; from one thread at a time."""
        with self._lock:
            outputs = tuple(self._running.values())
        for output in outputs:
            output.put(frame)

    @property
    def alive(self) -> bool:
        """Does any of them take frames?"""
        with self._lock:
            return any(one.alive for one in self._running.values())

    def stats(self) -> dict[str, OutputStats]:
        """The books, by name."""
        with self._lock:
            return {name: one.stats for name, one in self._running.items()}

    def notices(self) -> tuple[Notice, ...]:
        """On those that ended by themselves, until they are attached or detached again."""
        with self._lock:
            return tuple(_notice(name, error) for name, error in self._ended.items())

    def _note(self, output: Output, error: UnmaskError) -> None:
        with self._lock:
            self._ended[output.name] = error
            if self._running.get(output.name) is output:  # else a newer one of that name runs
                del self._running[output.name]
