"""Unmaskers and sinks that do what a test needs, for live sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from realtime_unmask.errors import OutputError
from realtime_unmask.pipeline.live import LiveFrame, LiveSession
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult, Likeness
from realtime_unmask.unmask.unmasker import State

Start = Callable[..., LiveSession]


class FakeUnmasker(AtOnce):
    """Inverts each picture, in `seconds`; `gate` holds it up, `fault` is raised.

    Attributes:
        made, closed: names of the threads in which that was done.
    """

    reason = "it is a fake"

    def __init__(
        self,
        settings: Settings,
        *,
        backend: str = "fake",
        seconds: float = 0.0,
        gate: threading.Event | None = None,
        fault: Callable[[Frame], None] = lambda frame: None,
    ) -> None:
        self.settings, self.backend = settings, backend
        self.seconds, self.gate, self.fault = seconds, gate, fault
        self.made = threading.current_thread().name
        self.closed = ""
        self.states: list[State] = []
        self.seen: list[Settings] = []
        self.followed: list[Likeness | None] = []

    def process(self, frame: Frame, state: State) -> FrameResult:
        if self.gate is not None and frame.captured_ns:
            self.gate.wait(20)
        time.sleep(self.seconds)
        self.fault(frame)
        self.states.append(state)
        self.seen.append(self.settings)
        self.followed.append(self.likeness)
        return FrameResult(frame, replace(frame, image=255 - frame.image), None)

    def close(self) -> None:
        self.closed = threading.current_thread().name


class ListSink:
    """Keeps what it gets; `full_after` frames it fails."""

    def __init__(self, full_after: int = 10**9, seconds: float = 0.0) -> None:
        self.frames: list[Frame] = []
        self.full_after, self.seconds = full_after, seconds
        self.ended = ""

    def write(self, frame: Frame) -> None:
        time.sleep(self.seconds)
        if len(self.frames) >= self.full_after:
            raise OutputError("The disk is full.") from OSError(28, "No space left on device")
        self.frames.append(frame)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait for `condition`; fail after that many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.005)


def books_balance(session: LiveSession) -> bool:
    """After stop(): captured = shown + drops, exactly."""
    stats = session.stats()
    return stats.captured == stats.shown + sum(stats.drops.values()) and stats.in_flight == 0


def live_threads() -> list[str]:
    """Names of the live pipeline's threads."""
    return [one.name for one in threading.enumerate() if one.name.startswith("live")]


def grey(frame: Frame) -> int:
    """The first pixel's value."""
    with suppress(IndexError):
        return int(np.asarray(frame.image)[0, 0, 0])
    return -1


def wait_done(session: LiveSession) -> LiveFrame:
    """The next frame that went through the networks."""
    found: list[LiveFrame] = []

    def done() -> bool:
        frame = session.latest.take(0.01)
        found.extend([frame] if frame is not None and frame.status == "done" else [])
        return bool(found)

    wait_until(done, "a frame that went through the networks")
    return found[0]


def kinds(session: LiveSession) -> set[str]:
    """Of what it has to say now."""
    return {notice.kind for notice in session.notices()}
