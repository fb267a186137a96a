"""The threads that unmask: one has the turn, others build and warm up what is to follow it.

A worker owns its networks: built, used and freed in its thread. The one without networks shows
the camera's picture until others are ready, and while they fail or take too long.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Protocol

import cv2
import numpy as np

from realtime_unmask.errors import UnmaskError
from realtime_unmask.pipeline.ladder import Ladder
from realtime_unmask.pipeline.live_values import AtOnce, LiveOptions, LiveUnmasker
from realtime_unmask.pipeline.policy import LostFaces
from realtime_unmask.pipeline.slots import LatestSlot
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult, Likeness, UInt8
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.likeness import mirrored
from realtime_unmask.unmask.unmasker import State

MakeUnmasker = Callable[[Settings], LiveUnmasker]
# A frame that takes so much longer than usual, and at least so long, is passed over.
LATE_S, LATE_TIMES = 1.0, 4.0
# Over so long a step from frame to frame, a map cannot be carried along with the face.
LONG_PAUSE_S = 0.3
_LOOK_S = 0.25
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class PassThrough(AtOnce):
    """Gives each frame back as it is; a LiveUnmasker without networks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backend = self.reason = ""

    def process(self, frame: Frame, state: State) -> FrameResult:
        """Nothing is painted."""
        return FrameResult(frame, frame, None)

    def close(self) -> None:
        """Nothing to free."""


class Host(Protocol):
    """What the workers need of the session; all may be called from any worker."""

    @property
    def frames(self) -> LatestSlot[Frame]: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def options(self) -> LiveOptions: ...

    @property
    def stopping(self) -> bool: ...

    @property
    def sample(self) -> Frame | None:
        """The newest frame, to try networks on; None before the first one."""
        ...

    @property
    def step_s(self) -> float:
        """Seconds between two frames of the camera."""
        ...

    def quality(self, less: str | None) -> None:
        """What is left out from now on because frames came too late, in words; None: nothing."""
        ...

    def publish(self, result: FrameResult, sequence: Sequence, done: bool, rung: int) -> None:
        """Show one frame, made on that `rung`; not `done`: there were no networks for it."""
        ...

    def came_late(self) -> None:
        """A frame was finished after the picture had gone on without it."""
        ...

    def took_turn(self, worker: Worker) -> None:
        """From now on `worker` unmasks."""
        ...

    def failed(self, worker: Worker, error: Exception) -> None:
        """Its networks cannot be made or used; it has ended."""
        ...


@dataclass(slots=True)
class Sequence:
    """What the frames of one kind have in common, passed on from worker to worker.

    Attributes:
        state: the unmasker's memory.
        lost: which faces are lost.
        kind: source, size and orientation of the pictures; another one begins another sequence.
    """

    state: State = field(default_factory=State)
    lost: LostFaces = field(default_factory=LostFaces)
    kind: tuple[object, ...] = ()


_NUMBERS = itertools.count()


class Turn:
    """Who unmasks now: given away between two frames, or taken from a worker that is late."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.holder: Worker | None = None
        self.sequence = Sequence()
        self._next: Worker | None = None
        self._owner: Worker | None = None  # the last holder that has networks

    def wait_for(self, worker: Worker, stopping: Callable[[], bool]) -> bool:
        """Ask for the turn and wait; False: there is no more need of `worker`."""
        with self.changed:
            for other in (self._owner, self._next):
                # Made later, and ready sooner: it is the one that is wanted.
                if other is not None and not worker.standby and other.number > worker.number:
                    worker.retired = True
            if not worker.standby and self.holder is not worker and not worker.retired:
                if self._next is not None and self._next is not worker:
                    self._next.retired = True
                self._next = worker
            while self.holder is not worker:
                if stopping() or worker.retired:
                    return False
                self.changed.wait(_LOOK_S)
            return True

    def keep(self, worker: Worker) -> bool:
        """May `worker` take another frame? Else the turn is with the one that asked for it."""
        with self.changed:
            if self.holder is worker and self._next is None:
                return True
            if self.holder is worker and self._next is not None:
                self.holder, self._next = self._next, None
                if self._owner is not None and self._owner is not self.holder:
                    self._owner.retired = True
                self._owner = self.holder
                self.changed.notify_all()
            return False

    def stays_with(self, worker: Worker) -> bool:
        """Has `worker` got it, and nobody asked for it?"""
        return self.holder is worker and self._next is None

    def give(self, standby: Worker, instead_of: Worker | None) -> bool:
        """Give the turn to `standby` if `instead_of` has it; whether it had."""
        with self.changed:
            if self.holder is not instead_of:
                return False
            self.holder = standby
            self.changed.notify_all()
            return True

    def pass_over(self, late: Worker, standby: Worker) -> bool:
        """As give(); `late` is still at work at the sequence's memory, so that a new one begins."""
        with self.changed:
            if not self.give(standby, late):
                return False
            before, self.sequence = self.sequence, Sequence(kind=self.sequence.kind)
            self.sequence.state.choice.box = before.state.choice.box
            self.sequence.lost = before.lost  # which only he touches who has the turn
            return True


@dataclass(slots=True, eq=False)
class _Job:
    """A frame between its taking and its showing."""

    frame: Frame  # turned
    sequence: Sequence
    rung: int
    taken: float
    begun: Any = None
    failure: UnmaskError | None = None


class Worker(threading.Thread):
    """Builds an unmasker, warms it up, and unmasks while it has the turn.

    Args:
        host: the session.
        turn: shared by all workers.
        make: makes the unmasker.
        settings: to make it with.
        standby: it has no networks, lives as long as the session, and steps in for others.
    """

    def __init__(
        self,
        host: Host,
        turn: Turn,
        make: MakeUnmasker,
        settings: Settings,
        *,
        standby: bool = False,
    ) -> None:
        super().__init__(name="live standby" if standby else "live worker", daemon=True)
        self._host, self._turn, self._make = host, turn, make
        self.settings, self.standby = settings, standby
        self.number = next(_NUMBERS)  # in the order in which they were asked for
        self.backend = self.reason = ""
        self.retired = False
        self._busy_since: float | None = None
        self._took: deque[float] = deque(maxlen=30)
        self._done_at = 0.0  # when the frame before was
        self._caught_up_s = 0.0  # spent since, on what the next frame would have to wait for
        self._ladder = Ladder()
        self._before_ns = 0  # when the frame before was captured
        self._in_hand: deque[_Job] = deque()  # taken, and not shown yet

    def run(self) -> None:
        """The thread's work."""
        try:
            unmasker = self._make(self.settings)
        except Exception as error:  # noqa: BLE001  a thread's edge: the session says what it was
            self._host.failed(self, error)
            return
        try:
            self.backend, self.reason = unmasker.backend, unmasker.reason
            if not self.standby and not self._host.stopping:
                self._warm(unmasker)
            self._serve(unmasker)
        except Exception as error:  # noqa: BLE001  a thread's edge, as above
            self._host.failed(self, error)
        finally:
            unmasker.close()

    def _warm(self, unmasker: LiveUnmasker) -> None:
        """The first runs of a network take longer; best with a picture of what is to come."""
        unmasker.warm()
        sample = self._host.sample
        frame = Frame(sample.image if sample is not None else np.zeros((96, 128, 3), np.uint8))
        for _ in range(2):
            if not self._host.stopping:
                unmasker.process(frame, State())

    @property
    def is_late(self) -> bool:
        """Has it worked at one frame for much too long?"""
        since = self._busy_since
        if since is None or self.standby:
            return False
        took = list(self._took)
        usual = median(took) if took else 0.0
        return time.monotonic() - since > max(LATE_S, LATE_TIMES * usual)

    def _serve(self, unmasker: LiveUnmasker) -> None:
        host = self._host
        while self._turn.wait_for(self, lambda: host.stopping):
            host.took_turn(self)
            self._work(unmasker)
            if host.stopping:
                return

    def _work(self, unmasker: LiveUnmasker) -> None:
        """Frame after frame; the next one is begun while the networks are at work at this one."""
        job: _Job | None = None
        following: _Job | None = None
        try:
            while not self._host.stopping:
                if job is None:
                    if not self._turn.keep(self):
                        return
                    job = self._next(unmasker, _LOOK_S)
                    continue
                if self._turn.stays_with(self):
                    following = self._next(unmasker, 0.0)  # one that waits already
                self._finish(unmasker, job)
                if following is None and self._turn.stays_with(self):
                    self._catch_up(unmasker, job.sequence.state)
                job, following = following, None
            if job is not None:
                self._finish(unmasker, job)
        finally:  # whatever went wrong: frames in hand are shown as they came, in their order
            self._busy_since = None
            while self._in_hand:
                job = self._in_hand[0]
                self._publish(job, FrameResult(job.frame, job.frame, None), False)

    def _next(self, unmasker: LiveUnmasker, timeout_s: float) -> _Job | None:
        """Take a frame and begin with it."""
        frame = self._host.frames.take(timeout_s)
        if frame is None:
            return None
        options, settings = self._host.options, self._host.settings
        job = _Job(frame, self._turn.sequence, self._ladder.rung, time.monotonic())
        self._in_hand.append(job)
        self._busy_since = job.taken
        try:
            unmasker.settings = with_engines_of(unmasker.settings, settings)
            unmasker.likeness = likeness_in(options)
            job.frame = turn_picture(frame, options)
            job.sequence = self._sequence(job.frame, options)
            job.sequence.state.effort = self._effort(frame.captured_ns)
            job.begun = unmasker.begin(job.frame, job.sequence.state)
        except UnmaskError as error:  # raised in its turn: the frame before may be well
            job.failure = error
        self._busy_since = None
        return job

    def _finish(self, unmasker: LiveUnmasker, job: _Job) -> None:
        """Show a frame that was begun, or raise what went wrong with it."""
        if job.failure is not None:
            raise job.failure
        self._busy_since = time.monotonic()
        result = unmasker.finish(job.begun)
        self._busy_since = None
        now = time.monotonic()
        # Where two frames overlap, each costs what lies between their ends.
        self._took.append(now - max(job.taken, self._done_at) + self._caught_up_s)
        self._done_at, self._caught_up_s = now, 0.0
        if not self.standby and self._ladder.took(self._took[-1], self._host.step_s):
            self._host.quality(self._ladder.notice())
        self._publish(job, result, not self.standby)

    def _catch_up(self, unmasker: LiveUnmasker, state: State) -> None:
        """Between two frames: the next one is shown the sooner."""
        began = self._busy_since = time.monotonic()
        unmasker.catch_up(state)
        self._busy_since = None
        self._caught_up_s = time.monotonic() - began

    def _publish(self, job: _Job, result: FrameResult, done: bool) -> None:
        self._in_hand.remove(job)
        with self._turn.changed:  # or a newer frame of another worker might come before this one
            if self._turn.holder is self:
                self._host.publish(result, job.sequence, done, job.rung)
            else:
                self._host.came_late()

    def _effort(self, captured_ns: int) -> Effort:
        """What the ladder says; all of it after a pause, in which a head may have moved far."""
        pause_ns, self._before_ns = captured_ns - self._before_ns, captured_ns
        return self._ladder.effort if pause_ns < LONG_PAUSE_S * 1e9 else Effort(look_every=1)

    def _sequence(self, frame: Frame, options: LiveOptions) -> Sequence:
        """That of the frame before, or a fresh one where pictures of another kind begin."""
        # The source as well: another camera of the same size shows other people.
        kind = (frame.source, frame.image.shape, options.mirror, options.rotate)
        if self._turn.sequence.kind != kind:
            self._turn.sequence = Sequence(kind=kind)
        return self._turn.sequence


def turn_picture(frame: Frame, options: LiveOptions) -> Frame:
    """`frame` turned and mirrored; itself where there is nothing to do."""
    image: UInt8 = frame.image
    if options.rotate:
        image = cv2.rotate(image, _TURNS[options.rotate]).astype(np.uint8, copy=False)
    if options.mirror:
        image = cv2.flip(image, 1).astype(np.uint8, copy=False)
    return frame if image is frame.image else replace(frame, image=image)


def likeness_in(options: LiveOptions) -> Likeness | None:
    """The bare face as it looks in a picture that is shown by these options."""
    if options.likeness is None or not options.mirror:
        return options.likeness
    return mirrored(options.likeness)


def with_engines_of(made_with: Settings, settings: Settings) -> Settings:
    """`settings`, but for what a running unmasker cannot change."""
    if made_with.engine_choice == settings.engine_choice:
        return settings
    backend, threads, precision = made_with.engine_choice
    return replace(settings, backend=backend, threads=threads, precision=precision)
