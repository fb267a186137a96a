"""A frame can be begun while the editor is at work at the one before; the pixels are the same."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineError
from realtime_unmask.pipeline.ladder import RUNGS
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine, Planes, lower_face

Clip = list[NDArray[np.uint8]]
STEP_NS = 33_333_333


def frames(clip: Clip) -> list[Frame]:
    return [Frame(im, Fraction(n, 30), (n + 1) * STEP_NS, n) for n, im in enumerate(clip[:10])]


def coming_and_going() -> FakeEngine:
    """A mask that is there, gone, and there again."""
    asked = 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        asked += 1
        there = lower_face() * np.float32(not 3 <= asked <= 5)
        return {"map": there[None, None]}

    return FakeEngine(answer)


def brightening() -> FakeEngine:
    """Paints a little brighter each time, so that frame follows frame."""
    asked = 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        asked += 1
        hole = inputs["map"]
        rgb = hole * np.float32(0.03 * (asked % 20)) + inputs["image"]
        return {"rgb": rgb, "confidence": hole.copy()}

    return FakeEngine(answer)


def one_by_one(unmasker: Unmasker, clip: Clip, state: State) -> list[FrameResult]:
    return [unmasker.process(frame, state) for frame in frames(clip)]


def overlapping(
    unmasker: Unmasker, clip: Clip, state: State, apart: set[int]
) -> list[FrameResult]:
    """Each frame is begun before the one before is finished, but for those in `apart`."""
    results, before = [], None
    for frame in frames(clip):
        if before is not None and frame.index in apart:
            results.append(unmasker.finish(before))
            before = None
        begun = unmasker.begin(frame, state)
        assert begun.frame is frame
        if before is not None:
            results.append(unmasker.finish(before))
        before = begun
    assert before is not None
    return [*results, unmasker.finish(before)]


@pytest.mark.parametrize("effort", [*RUNGS, Effort()])
def test_frames_that_overlap_come_out_the_same(
    clip: Clip, effort: Effort
) -> None:
    made = []
    for apart in (None, set[int](), {2, 3, 7}):
        with Unmasker(coming_and_going(), brightening()) as unmasker:
            made.append(
                one_by_one(unmasker, clip, State(effort))
                if apart is None
                else overlapping(unmasker, clip, State(effort), apart)
            )
    for results in made[1:]:
        for ours, plain in zip(results, made[0], strict=True):
            assert np.array_equal(ours.output.image, plain.output.image)
            assert (ours.map is None) == (plain.map is None)
            assert len(ours.reconstructions) == len(plain.reconstructions)
    assert {result.map is None for result in made[0]} == {True, False}


def test_the_editor_is_at_work_between_begin_and_finish(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        begun = unmasker.begin(frames(clip)[0], State())
        assert editor_engine.under_way is not None
        result = unmasker.finish(begun)
    assert editor_engine.under_way is None
    assert result.map is not None and result.timings["composite"] > 0


def test_a_frame_works_by_the_settings_that_it_was_begun_with(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        begun = unmasker.begin(frames(clip)[0], State())
        unmasker.settings = Settings(strength=0)
        assert unmasker.finish(begun).map is not None


def test_what_the_editor_meets_is_said_of_its_frame(clip: Clip, map_engine: FakeEngine) -> None:
    def fail(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        raise EngineError("The editor is out of paint.")

    state = State()
    with Unmasker(map_engine, FakeEngine(fail)) as unmasker:
        first, second, *_ = frames(clip)
        begun = unmasker.begin(first, state)
        with pytest.raises(EngineError, match="out of paint"):
            unmasker.begin(second, state)
        with pytest.raises(EngineError, match="out of paint"):
            unmasker.finish(begun)


def test_a_fault_of_the_program_is_not_mistaken_for_the_editors(
    clip: Clip, map_engine: FakeEngine
) -> None:
    """Kept for later, it would come back as another one, of another frame."""

    def fail(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        raise KeyError("rgb")

    with Unmasker(map_engine, FakeEngine(fail)) as unmasker:
        begun = unmasker.begin(frames(clip)[0], State())
        with pytest.raises(KeyError, match="rgb"):
            unmasker.finish(begun)
        assert begun.fault is None and begun.fresh is None
