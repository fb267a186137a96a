"""What one frame leaves to the next serves only where, and as long as, it fits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine, lower_face

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


def test_only_what_was_painted_is_a_guess(clip: Clip, editor_engine: FakeEngine) -> None:
    """Around its hole the network repeats what it saw: cloth that a hand had covered."""
    whole = lower_face()
    maps = answering(upper_half(whole), whole)
    with Unmasker(maps, editor_engine, use_prior=True) as unmasker:
        state = State()
        for number in range(2):
            unmasker.process(frame(clip[0], number), state)
    first, second = editor_engine.calls
    was, now = first["map"][0, 0] > 0, second["map"][0, 0] > 0
    assert (now & ~was).sum() > 1000
    guessed = second["prior_weight"][0, 0] > 0
    assert np.array_equal(guessed, was & now)
    assert not second["prior"][0][:, ~guessed].any()


def test_paint_is_not_held_where_the_hole_has_grown(
    clip: Clip, editor_engine: FakeEngine
) -> None:
    whole = lower_face()
    maps = answering(upper_half(whole), whole)
    with Unmasker(maps, editor_engine, Settings(colour_match=False)) as unmasker:
        unmasker.effort, state = Effort(edit_every=9), State()
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


def guesses(
    pictures: list[NDArray[np.uint8]], map_engine: FakeEngine, editor: FakeEngine, overlap: bool
) -> NDArray[np.bool_]:
    """Which faces of which frame, (frames, 6), were given a guess."""
    editor.calls.clear()
    with Unmasker(map_engine, editor, Settings(max_faces=6), use_prior=True) as unmasker:
        state, before = State(), None
        for number, image in enumerate(pictures):
            begun = unmasker.begin(frame(image, number), state)
            if before is not None:
                unmasker.finish(before)
                before = None
            if overlap:
                before = begun
            else:
                unmasker.finish(begun)
        if before is not None:
            unmasker.finish(before)
    given = np.concatenate([call["prior_weight"].max((1, 2, 3)) for call in editor.calls])
    return given.reshape(len(pictures), 6) > 0


def test_no_face_of_many_is_guessed_over_a_cut(
    portrait: NDArray[np.uint8], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """The last of more faces than a batch are painted when the next frame was already seen."""
    row = np.hstack([portrait] * 3)
    crowd = np.vstack([row, row])
    other = np.clip(crowd.astype(int) + 60, 0, 255).astype(np.uint8)
    pictures = [crowd, crowd, crowd, other, other]
    plain, overlapped = (
        guesses(pictures, map_engine, editor_engine, overlap) for overlap in (False, True)
    )
    assert plain[2].any() and not plain[3].any() and plain[4].any()
    assert np.array_equal(plain, overlapped)
