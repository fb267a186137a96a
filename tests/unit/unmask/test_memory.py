"""What one frame leaves to the next serves only where, and as long as, it fits."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineError
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine, Planes, lower_face

Clip = list[NDArray[np.uint8]]


def answering(*planes: NDArray[np.float32]) -> FakeEngine:
    """A map network that says one after the other, and the last one from then on."""
    left = list(planes)
    return FakeEngine(
        lambda inputs: {
            "map": np.repeat((left.pop(0) if left[1:] else left[0])[None, None],
                             len(inputs["image"]), 0)
        }  # fmt: skip
    )


def upper_half(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a hand leaves to be seen of a mask whose lower half it covers."""
    rows = np.flatnonzero(plane.any(1))
    half = plane.copy()
    half[int(rows.mean()) :] = 0
    return half


def frame(image: NDArray[np.uint8], number: int) -> Frame:
    return Frame(image, Fraction(number, 30), (number + 1) * 33_333_333, number)


def brightening() -> FakeEngine:
    """Paints grey, each time two levels brighter."""
    asked = 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        level, asked = np.float32((100 + 2 * asked) / 127.5 - 1), asked + 1
        hole = inputs["map"]
        return {"rgb": inputs["image"] + hole * level, "confidence": hole.copy()}

    return FakeEngine(answer)


def test_paint_follows_only_where_there_was_paint(clip: Clip) -> None:
    """Around its hole the network repeats what it saw: cloth that a hand had covered."""
    whole = lower_face()
    maps = answering(upper_half(whole), whole)
    with Unmasker(maps, brightening(), Settings(colour_match=False)) as unmasker:
        state = State()
        first, second = (
            unmasker.process(frame(clip[0], number), state).reconstructions[0]
            for number in range(2)
        )
    was, now = first.alpha > 0, second.alpha > 0
    assert (now & ~was).sum() > 1000
    assert set(np.unique(second.crop[was & now])) == {100}  # 102 that follow 100
    assert set(np.unique(second.crop[now & ~was])) == {102}


def test_after_a_moment_without_a_mask_paint_follows_nothing(clip: Clip) -> None:
    whole = lower_face()
    maps = answering(whole, *[np.zeros_like(whole)] * 3, whole)
    with Unmasker(maps, brightening(), Settings(colour_match=False)) as unmasker:
        state = State()
        made = [unmasker.process(frame(clip[0], n), state).reconstructions for n in range(5)]
    painted = [bool(one) for one in made]
    assert painted[0] and not painted[3] and painted[4]
    assert made[4][0].crop[174, 128, 0] == 100 + 2 * sum(painted[:4])  # less if it followed


def test_paint_is_not_held_where_the_hole_has_grown(
    clip: Clip, editor_engine: FakeEngine
) -> None:
    whole = lower_face()
    maps = answering(upper_half(whole), whole)
    with Unmasker(maps, editor_engine, Settings(colour_match=False)) as unmasker:
        state = State(Effort(edit_every=9))
        for number in range(4):
            result = unmasker.process(frame(clip[0], number), state)
    # Twice: for the upper half, and when the hole had grown; then its paint serves again.
    assert len(editor_engine.calls) == 2
    assert result.map is not None
    inside = result.map == 255
    assert (result.output.image[inside].argmax(1) == 1).mean() > 0.99


def test_the_map_of_before_a_cut_is_forgotten(clip: Clip, editor_engine: FakeEngine) -> None:
    whole = lower_face()
    maps = answering(whole, np.zeros_like(whole))
    with Unmasker(maps, editor_engine) as unmasker:
        state = State()
        assert unmasker.process(frame(clip[0], 0), state).map is not None
        # The same face on another day: all is brighter.
        other = np.clip(clip[0].astype(int) + 60, 0, 255).astype(np.uint8)
        assert unmasker.process(frame(other, 1), state).map is None


def test_after_a_cut_that_failed_paint_follows_nothing(clip: Clip) -> None:
    whole, asked = lower_face(), 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise EngineError("Not now.")
        return {"map": whole[None, None]}

    other = np.clip(clip[0].astype(int) + 60, 0, 255).astype(np.uint8)
    with Unmasker(FakeEngine(answer), brightening(), Settings(colour_match=False)) as unmasker:
        state = State()
        unmasker.process(frame(clip[0], 0), state)
        with pytest.raises(EngineError, match="Not now"):
            unmasker.process(frame(other, 1), state)
        made = unmasker.process(frame(other, 2), state).reconstructions
    assert made[0].crop[174, 128, 0] == 102  # 100 if it followed


def following(pictures: list[NDArray[np.uint8]], maps: FakeEngine, overlap: bool) -> Clip:
    """For each frame what was painted of each of six faces, (6,)."""
    editor, shown = brightening(), []
    settings = Settings(max_faces=6, colour_match=False)
    with Unmasker(maps, editor, settings) as unmasker:
        state, under_way = State(), []
        for number, image in enumerate(pictures):
            under_way.append(unmasker.begin(frame(image, number), state))
            if number or not overlap:
                shown.append(unmasker.finish(under_way.pop(0)))
        shown += [unmasker.finish(begun) for begun in under_way]
    return [np.array([one.crop[174, 128, 0] for one in r.reconstructions]) for r in shown]


def test_no_face_of_many_follows_over_a_cut(
    portrait: NDArray[np.uint8], map_engine: FakeEngine
) -> None:
    """The last of more faces than a batch are painted when the next frame was already seen."""
    row = np.hstack([portrait] * 3)
    crowd = np.vstack([row, row])
    other = np.clip(crowd.astype(int) + 60, 0, 255).astype(np.uint8)
    pictures = [crowd, crowd, crowd, other, other]
    plain, overlapped = (following(pictures, map_engine, overlap) for overlap in (False, True))
    assert [len(levels) for levels in plain] == [6] * 5
    # Two batches a frame: fresh paint is 100 + 2 * batch.
    fresh = [np.repeat([100 + 4 * k, 102 + 4 * k], (4, 2)) for k in range(5)]
    for k in (1, 2, 4):
        assert (plain[k] <= fresh[k]).all() and (plain[k][:4] < fresh[k][:4]).any()
        assert (plain[k][4:] < fresh[k][4:]).any()
    assert np.array_equal(plain[3], fresh[3])
    assert all(map(np.array_equal, plain, overlapped))
