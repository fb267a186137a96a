"""Less work a frame: what is left out, and that nothing shows but a little less detail in time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.unmasker import State, Unmasker

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

Clip = list[NDArray[np.uint8]]


def run(unmasker: Unmasker, clip: Clip, effort: Effort) -> list[FrameResult]:
    state = State(effort)
    return [
        unmasker.process(Frame(image, Fraction(number, 30), 0, number), state)
        for number, image in enumerate(clip[:9])
    ]


@pytest.mark.parametrize(("every", "calls"), [(1, 9), (2, 5), (3, 3)])
def test_the_map_network_rests(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine, every: int, calls: int
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        results = run(unmasker, clip, Effort(map_every=every))
    assert len(map_engine.calls) == calls
    assert len(editor_engine.calls) == 9
    assert all(result.map is not None for result in results)


@pytest.mark.parametrize(("every", "calls"), [(1, 9), (2, 5), (4, 3)])
def test_the_editor_rests_and_every_frame_is_painted(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine, every: int, calls: int
) -> None:
    with Unmasker(map_engine, editor_engine, Settings(colour_match=False)) as unmasker:
        results = run(unmasker, clip, Effort(edit_every=every))
    assert len(editor_engine.calls) == calls
    for result in results:
        assert result.map is not None
        inside = result.map == 255
        assert inside.sum() > 1000
        # The fake editor's green, also where it is that of the frame before.
        assert (result.output.image[inside].argmax(1) == 1).mean() > 0.99
        untouched = result.map == 0
        assert np.array_equal(result.output.image[untouched], result.frame.image[untouched])


@pytest.mark.parametrize(
    ("step_ms", "maps", "paints"), [(16, 3, 3), (33, 5, 3), (49, 5, 3), (100, 9, 5), (200, 9, 9)]
)
def test_nothing_is_held_for_long_however_far_apart_frames_are(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine,
    step_ms: int, maps: int, paints: int,
) -> None:  # fmt: skip
    with Unmasker(map_engine, editor_engine) as unmasker:
        state = State(Effort(map_every=4, edit_every=4))
        for number, image in enumerate(clip[:9]):
            captured_ns = (1000 + number * step_ms) * 1_000_000
            unmasker.process(Frame(image, Fraction(number, 30), captured_ns, number), state)
    assert (len(map_engine.calls), len(editor_engine.calls)) == (maps, paints)


def test_nothing_is_held_over_a_cut(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        state = State(Effort(map_every=9, edit_every=9))
        for image in clip[:3]:
            unmasker.process(Frame(image), state)
        before = len(map_engine.calls), len(editor_engine.calls)
        unmasker.process(Frame(clip[2] // 2), state)
    assert (len(map_engine.calls), len(editor_engine.calls)) == (before[0] + 1, before[1] + 1)


def test_a_mask_that_is_put_on_is_painted_at_once(
    clip: Clip, map_engine: FakeEngine, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """What is held from before never stands in for a face that was bare before."""
    worn = map_engine.answer
    map_engine.answer = bare_engine.answer
    with Unmasker(map_engine, editor_engine) as unmasker:
        state = State(Effort(edit_every=4))
        for image in clip[:3]:
            assert unmasker.process(Frame(image), state).map is None
        map_engine.answer = worn
        painted = [unmasker.process(Frame(image), state).map is not None for image in clip[3:7]]
    assert painted[-1]
    first = painted.index(True)
    assert all(painted[first:])
    assert editor_engine.calls


def test_effort_of_less_than_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Effort(map_every=0)
