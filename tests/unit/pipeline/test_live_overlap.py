"""While the networks are at work at a frame, the next one is begun; their order is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from realtime_unmask.capture.scripted import ScriptedCamera
from realtime_unmask.errors import EngineError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.pipeline.live_worker import LATE_S
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.unmasker import State
from tests.unit.pipeline.live_fakes import FakeUnmasker, books_balance, live_threads, wait_until


@dataclass
class UnderWay:
    frame: Frame
    state: State


class Overlapping(FakeUnmasker):
    """Its networks are at work until a newer frame waits; `fault`: in the n-th `step`."""

    session: LiveSession

    def __init__(
        self, settings: Settings, fails_at: int = 0, step: str = "finish",
        fault: Exception = EngineError("The networks are tired."),  # noqa: B008  never changed
    ) -> None:  # fmt: skip
        super().__init__(settings)
        self.calls: list[tuple[str, int]] = []
        self.fails_at, self.step, self.fault_then = fails_at, step, fault

    def begin(self, frame: Frame, state: State) -> UnderWay:  # type: ignore[override]
        self._called("begin", frame.index)
        wait_until(lambda: self.session.frames.waiting > 0 or self.session.stopping, "a frame")
        return UnderWay(frame, state)

    def finish(self, begun: UnderWay) -> FrameResult:  # type: ignore[override]
        self._called("finish", begun.frame.index)
        return super().process(begun.frame, begun.state)

    def _called(self, step: str, number: int) -> None:
        self.calls.append((step, number))
        times = sum(name == self.step for name, _ in self.calls)
        if step == self.step and times == self.fails_at:
            raise self.fault_then


def run(make: Callable[[Settings], Overlapping], enough: Callable[[LiveSession], bool]) -> None:
    session = LiveSession(ScriptedCamera(), make)
    Overlapping.session = session
    session.start()
    try:
        wait_until(lambda: enough(session), "enough frames")
    finally:
        assert session.stop() == ()
    assert books_balance(session)
    assert live_threads() == []


def test_the_next_frame_is_begun_before_this_one_is_finished() -> None:
    made: list[Overlapping] = []

    def make(settings: Settings) -> Overlapping:
        made.append(Overlapping(settings))
        return made[-1]

    run(make, lambda session: bool(made) and len(made[0].calls) > 20)
    calls = made[0].calls
    begun = [number for name, number in calls if name == "begin"]
    finished = [number for name, number in calls if name == "finish"]
    assert begun == finished == sorted(begun)
    for this, following in zip(begun[:8], begun[1:9], strict=True):
        assert calls.index(("begin", following)) < calls.index(("finish", this))


def test_one_that_was_passed_over_takes_no_more_frames() -> None:
    """Else it would take them from the stand-in, and each would come too late."""
    made: list[Overlapping] = []

    class Stuck(Overlapping):
        def finish(self, begun: UnderWay) -> FrameResult:  # type: ignore[override]
            if len(self.calls) > 6 and not self.released:
                self.released = True
                time.sleep(LATE_S + 0.5)
            return super().finish(begun)

        released = False

    def make(settings: Settings) -> Overlapping:
        made.append(Stuck(settings))
        return made[-1]

    late: list[int] = []

    def enough(session: LiveSession) -> bool:
        late.append(session.stats().drops.get("late", 0))
        return late[-1] >= 1 and session.stats().shown > 200 and len(made[0].calls) > 20

    run(make, enough)
    assert max(late) <= 2  # the one that took too long, and the one that was begun beside it


class Waiting(FakeUnmasker):
    """Quicker than the camera; notes what it is asked for."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.calls: list[tuple[str, State]] = []

    def begin(self, frame: Frame, state: State) -> FrameResult:
        self.calls.append(("begin", state))
        return super().begin(frame, state)

    def catch_up(self, state: State) -> None:
        self.calls.append(("catch up", state))


def test_what_the_next_frame_needs_is_done_while_there_is_none() -> None:
    made: list[Waiting] = []

    def make(settings: Settings) -> Waiting:
        made.append(Waiting(settings))
        return made[-1]

    session = LiveSession(ScriptedCamera(), make)
    session.start()
    try:
        wait_until(lambda: bool(made) and len(made[0].calls) > 24, "enough frames")
    finally:
        assert session.stop() == ()
    calls = [name for name, _ in made[0].calls]
    assert calls.count("catch up") > len(calls) // 4
    assert all(a != "catch up" or b == "begin" for a, b in pairwise(calls))
    assert len({id(state) for _, state in made[0].calls}) == 1


@pytest.mark.parametrize("fails_at", [1, 5])
@pytest.mark.parametrize("step", ["begin", "finish"])
@pytest.mark.parametrize("kind", [EngineError, KeyError], ids=["foreseen", "unforeseen"])
def test_a_fault_is_said_and_no_frame_is_lost_by_it(
    fails_at: int, step: str, kind: type[Exception]
) -> None:
    made: list[Overlapping] = []

    def make(settings: Settings) -> Overlapping:
        made.append(Overlapping(settings, fails_at, step, kind("The networks are tired.")))
        return made[-1]

    run(make, lambda session: any("tired" in notice.text for notice in session.notices()))
    assert made[0].closed
