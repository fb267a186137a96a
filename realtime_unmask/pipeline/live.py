"""A source that runs: camera -> newest frame -> worker -> window and outputs.

    capture thread -> LatestSlot -> worker -> LatestSlot           -> the window, which polls it
                                           -> queue or slot, thread -> recording
                                           -> slot, thread          -> virtual camera, page, ...

    with LiveSession(spec_of("camera:...")) as session:
        session.start()
        session.latest.take(timeout_s=1.0).shown

Frames never change their order. A frame that comes too late is dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from realtime_unmask.capture.stream import SourceSpec
from realtime_unmask.closing import Closing
from realtime_unmask.errors import CameraError, UnmaskError, UsageError
from realtime_unmask.pipeline.live_engines import Engines
from realtime_unmask.pipeline.live_input import Input
from realtime_unmask.pipeline.live_outputs import Outputs, SinkFactory
from realtime_unmask.pipeline.live_values import LiveFrame, LiveOptions, LiveStats, Notice
from realtime_unmask.pipeline.live_worker import MakeUnmasker, Sequence, Worker
from realtime_unmask.pipeline.slots import LatestSlot
from realtime_unmask.pipeline.stats import Meter
from realtime_unmask.settings import Settings
from realtime_unmask.sinks.badge import with_badge
from realtime_unmask.sinks.images import write_picture
from realtime_unmask.sinks.partial import name_of_now
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.faces_wanted import face_at
from realtime_unmask.unmask.unmasker import Unmasker

# The camera is released when nobody has looked for so long.
IDLE_S = 10.0
# All threads end within this.
STOP_S = 1.8
__all__ = ["LiveFrame", "LiveOptions", "LiveSession", "LiveStats", "Notice"]
_SETTINGS = frozenset(field.name for field in fields(Settings))
_OPTIONS = frozenset(field.name for field in fields(LiveOptions))
# The frames a second that a camera is taken to have at least and at most.
_RATES = (10.0, 60.0)
_USUAL_STEP_S = 1 / 30


def _default(settings: Settings) -> Unmasker:
    return Unmasker.default(settings)


class LiveSession(Closing):
    """Runs one source; all methods may be called from any thread.

    Until the networks are ready the camera's own picture is shown.

    Args:
        source: what to begin with.
        make_unmasker: makes the unmasker, in the thread that then owns it.
        settings, options: how to work; see update().
        idle_s: seconds after which the camera is released when nobody looks, and no output is on.

    Attributes:
        latest: the newest finished frame, for the one who shows it.
        on_frame: called when `latest` has another one, in the worker's thread; returns at once.
    """

    def __init__(
        self,
        source: SourceSpec,
        make_unmasker: MakeUnmasker = _default,
        settings: Settings = Settings(),  # noqa: B008  frozen
        options: LiveOptions = LiveOptions(),  # noqa: B008  frozen
        *,
        idle_s: float = IDLE_S,
    ) -> None:
        self.latest: LatestSlot[LiveFrame] = LatestSlot()
        self.on_frame: Callable[[], None] = lambda: None
        self.frames: LatestSlot[Frame] = LatestSlot()  # on their way to the worker
        self.settings, self.options = settings, options
        self._lock = threading.RLock()
        self._meter = Meter()
        self._stop = threading.Event()
        self._started = False
        self._visible = True
        self._needed_at = time.monotonic()
        self._outputs = Outputs(lambda: self.options.badge, self._why_no_frames)
        self._newest: LiveFrame | None = None
        self._newest_of: Sequence | None = None  # the one that it belongs to
        self._engines = Engines(self, make_unmasker)
        self._input = Input(source, self.frames, self._meter, self._wanted, self._engines.look)
        self._busy_drops: int | None = None
        self._idle_s = idle_s

    # Life

    def start(self) -> None:
        """Open the source and load the networks, each in its thread; returns at once.

        Raises:
            UsageError: it was started or stopped before.
        """
        with self._lock:
            if self._started or self._stop.is_set():
                raise UsageError("A live session is started once; make another one.")
            self._started = True
            self._engines.start()
            self._input.start()
        self._engines.load()

    def stop(self) -> tuple[Notice, ...]:
        """End everything within two seconds, from any state; safe to call again.

        Returns:
            What is stuck and was left behind; threads that are stuck do not keep the program
            from ending.
        """
        until = time.monotonic() + STOP_S
        with self._lock:
            self._stop.set()
        self._engines.end()
        if not self._started:
            return ()
        self._input.stop()
        stuck = [
            Notice("output_unfinished", f"The output “{name}” is not finished yet.")
            for name in self._outputs.end(until)
        ]
        self._input.join(max(0.0, until - time.monotonic()))
        if self._input.is_alive():
            text = "The source does not answer; it was left behind."
            stuck.append(Notice("source_stuck", text))
        self._engines.wake()
        if self._busy_drops is None:
            self._busy_drops = self.frames.dropped
        self.frames.close()
        stuck += self._engines.join(until)
        self.latest.close()
        return tuple(stuck)

    def close(self) -> None:
        """stop(), without saying what is stuck."""
        self.stop()

    # What is asked for

    def update(self, **changes: Any) -> None:
        """Change fields of Settings and LiveOptions, in force from the next frame on.

        Another backend, thread count or precision is built and warmed up beside the one that
        runs, and takes over when it is ready.

        Raises:
            UsageError: there is no such field, or the value is out of its range.
        """
        unknown = changes.keys() - _SETTINGS - _OPTIONS
        if unknown:
            raise UsageError(f"There is no setting {', '.join(sorted(unknown))}.")
        with self._lock:
            options = {k: v for k, v in changes.items() if k in _OPTIONS}
            settings = {k: v for k, v in changes.items() if k in _SETTINGS}
            before = self.settings
            new_options, new_settings = (
                replace(self.options, **options),
                replace(before, **settings),
            )
            self.options, self.settings = new_options, new_settings
        if before.engine_choice != new_settings.engine_choice and self._started:
            self._engines.replace()

    def choose_face(self, x: float, y: float) -> int | None:
        """Paint the face at (x, y) px of the shown picture; its track_id, None if there is none.

        Counts where settings.faces is "chosen". A click on the last picture of the sequence
        before counts for nothing: in the new one its number is another person's.
        """
        turn = self._engines.turn
        with turn.changed:
            newest, sequence = self._newest, turn.sequence
            if newest is None or self._newest_of is not sequence:
                return None
            face = face_at(newest.result.faces, x, y)
            if face is None:
                return None
            choice = sequence.state.choice
            choice.track_id, choice.box = face.track_id, face.box
        return face.track_id

    def choose_source(self, source: SourceSpec) -> None:
        """Show another source from now on; also to open the same one anew."""
        self._input.choose(source)

    def set_visible(self, visible: bool) -> None:
        """Whether anybody looks: without, and without outputs, the camera is released."""
        with self._lock:
            self._visible = visible
            self._needed_at = time.monotonic()
        self._input.wake()

    def attach(
        self, name: str, make: SinkFactory, *, keep_all: bool = False, timeout_s: float = 3.0
    ) -> None:
        """Send the frames to a sink as well.

        Args:
            name: "record", "virtual_camera", "page" or any other; an older one is detached.
            make: makes the sink in its own thread, when the first frame comes; see
                pipeline.live_outputs.PacedSink for one that is to be fed all the time.
            keep_all: it gets each frame in order (a recording) instead of the newest.
            timeout_s: how long to wait for its opening; then it goes on in the background.

        Raises:
            UnmaskError: it cannot be opened; then it is not attached.
            UsageError: the session does not run.
        """
        self._outputs.clear(name)  # one that failed does not stand in the way of the next
        self.detach(name)
        with self._lock:
            if not self._started or self._stop.is_set():
                raise UsageError("Start the camera first.")
            output = self._outputs.add(name, make, keep_all)
        self._input.wake()
        try:
            output.wait_opened(timeout_s)
        except UnmaskError:
            self._outputs.forget(output)
            raise

    def detach(self, name: str, timeout_s: float = 30.0) -> None:
        """End an output: what it was handed is written, its sink is closed.

        Raises:
            UnmaskError: the sink could not be finished, is not finished in that time, or has ended
                by itself since it was attached.
        """
        with self._lock:
            self._needed_at = time.monotonic()
        self._outputs.remove(name, timeout_s)

    def snapshot(self, folder: Path) -> Path:
        """Write the newest shown picture as a PNG into `folder`; its name says when.

        Raises:
            CameraError: there is no picture yet.
            OutputError: it cannot be written.
        """
        newest = self._newest
        if newest is None:
            raise CameraError("There is no picture yet. Wait for it, then try again.", "no_picture")
        frame = with_badge(newest.shown) if self.options.badge else newest.shown
        path = name_of_now(folder, ".png")
        write_picture(path, frame.image, reconstructed=True, replace=False)
        return path

    # What is told

    def stats(self) -> LiveStats:
        """The figures of now."""
        worker = self._engines.current
        replaced = self.frames.dropped  # before the books: what comes between is in flight
        captured, shown, drops = self._meter.books()
        busy = replaced if self._busy_drops is None else self._busy_drops
        drops |= {k: v for k, v in (("worker busy", busy), ("stopped", replaced - busy)) if v}
        fps_in, fps_out = self._meter.rates()
        p50, p95 = self._meter.ages_ms()
        return LiveStats(
            captured=captured,
            shown=shown,
            in_flight=captured - shown - sum(drops.values()),
            drops=drops,
            fps_in=fps_in,
            fps_out=fps_out,
            age_p50_ms=p50,
            age_p95_ms=p95,
            stages_ms=self._meter.stages_ms(),
            backend=worker.backend if worker is not None else "",
            reason=worker.reason if worker is not None else "",
            outputs=self._outputs.stats(),
            asleep=self._input.asleep,
        )

    def notices(self) -> tuple[Notice, ...]:
        """What a person should know now."""
        found = [*self._engines.notices(), *self._outputs.notices()]
        trouble = self._input.trouble() if self._started and not self._stop.is_set() else None
        return tuple(found if trouble is None else [trouble, *found])

    # For the threads

    @property
    def stopping(self) -> bool:
        """Has stop() been called?"""
        return self._stop.is_set()

    @property
    def sample(self) -> Frame | None:
        """See live_worker.Host."""
        newest = self._newest
        return newest.result.frame if newest is not None else None

    @property
    def step_s(self) -> float:
        """See live_worker.Host; a thirtieth until it is known."""
        rate = self._meter.rates()[0]
        return 1 / min(max(rate, _RATES[0]), _RATES[1]) if rate > 0 else _USUAL_STEP_S

    def quality(self, less: str | None) -> None:
        """See live_worker.Host."""
        self._engines.quality(less)

    def publish(self, result: FrameResult, sequence: Sequence, done: bool, rung: int) -> None:
        """See live_worker.Host."""
        captured_ns = result.frame.captured_ns
        # Also where no networks looked: then all faces that were painted just now are lost.
        shown, lost = sequence.lost.choose(result, self.options.lost, captured_ns)
        if done:
            status = "lost" if lost else "done"
        else:
            status = "starting" if self._engines.current is None else "late"
        chosen = sequence.state.choice.track_id
        live = LiveFrame(result, shown, status, captured_ns, chosen, rung)
        self._newest, self._newest_of = live, sequence
        waited = time.perf_counter_ns() - captured_ns - sum(result.timings.values())
        self._meter.went(captured_ns, {"wait": max(0, waited), **result.timings})
        self.latest.put(live)
        self.on_frame()
        self._outputs.put(live)

    def came_late(self) -> None:
        """See live_worker.Host."""
        self._meter.drop("late")

    def took_turn(self, worker: Worker) -> None:
        """See live_worker.Host."""
        self._engines.took_turn(worker)

    def failed(self, worker: Worker, error: Exception) -> None:
        """See live_worker.Host."""
        self._engines.failed(worker, error)

    def _wanted(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if self._visible or self._outputs.alive:
                self._needed_at = now
            return now - self._needed_at < self._idle_s

    def _why_no_frames(self) -> str:
        trouble = self._input.trouble()
        return trouble.text if trouble is not None else ""
