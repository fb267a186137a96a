"""What a person may change while the camera runs: strength, whose faces, blend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import UsageError
from realtime_unmask.settings import Settings
from realtime_unmask.types import Face
from realtime_unmask.unmask.faces_wanted import Choice, face_at, wanted
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine


@pytest.fixture
def unmasker(map_engine: FakeEngine, editor_engine: FakeEngine) -> Iterator[Unmasker]:
    with Unmasker(map_engine, editor_engine) as made:
        yield made


def _face(track_id: int, x0: float, y0: float, x1: float, y1: float) -> Face:
    box = np.array([x0, y0, x1, y1], np.float32)
    return Face(track_id, box, np.zeros((478, 3), np.float32))


def test_strength_changes_between_two_frames_of_a_sequence(
    unmasker: Unmasker, portrait: NDArray[np.uint8]
) -> None:
    state = State()
    full = unmasker.process(portrait, state)
    unmasker.settings = replace(unmasker.settings, strength=0.5)
    half = unmasker.process(portrait, state)
    unmasker.settings = replace(unmasker.settings, strength=0.0)
    none = unmasker.process(portrait, state)

    assert full.map is not None and half.map is not None
    assert full.map.max() == 255
    assert 120 <= half.map.max() <= 135
    assert none.output is none.frame and none.map is None


def test_strength_holds_for_given_maps(
    unmasker: Unmasker, portrait: NDArray[np.uint8]
) -> None:
    everywhere = np.full(portrait.shape[:2], 255, np.uint8)
    unmasker.settings = Settings(strength=0.5)
    result = unmasker.process(portrait, given_map=everywhere)
    assert result.map is not None and 120 <= result.map.max() <= 135


def test_another_backend_needs_another_unmasker(unmasker: Unmasker) -> None:
    with pytest.raises(ValueError, match="new Unmasker"):
        unmasker.settings = Settings(backend="onnxruntime")


def test_nothing_is_painted_before_a_face_is_chosen(
    unmasker: Unmasker, portrait: NDArray[np.uint8]
) -> None:
    unmasker.settings = Settings(faces="chosen")
    state = State()
    before = unmasker.process(portrait, state)
    assert before.faces and before.map is None
    state.choice = Choice(before.faces[0].track_id, before.faces[0].box)
    assert unmasker.process(portrait, state).map is not None


def test_the_largest_face_is_the_one_with_the_largest_box() -> None:
    small, large = _face(1, 0, 0, 10, 10), _face(2, 20, 20, 60, 60)
    assert wanted([small, large], "largest", Choice()) == [large]
    assert wanted([], "largest", Choice()) == []
    assert wanted([small, large], "all", Choice()) == [small, large]


def test_two_faces_of_one_size_do_not_take_turns_at_being_the_largest() -> None:
    """Each turn would cost the other one its memory; boxes jitter by a few per cent."""
    choice = Choice()

    def largest(*sides: float) -> int:
        faces = [_face(n, 100 * n, 0, 100 * n + side, side) for n, side in enumerate(sides)]
        (one,) = wanted(faces, "largest", choice)
        return one.track_id

    assert [largest(40, 41), largest(41, 40), largest(42, 39), largest(40, 41)] == [1, 1, 1, 1]
    assert [largest(46, 40), largest(42, 45)] == [0, 0]  # it came clearly nearer
    choice.largest = 1
    assert largest(40) == 0  # the other one is gone


def test_a_chosen_face_that_comes_back_under_another_number_is_still_chosen() -> None:
    choice = Choice(1, np.array([0, 0, 40, 40], np.float32))
    assert wanted([_face(2, 200, 0, 240, 40)], "chosen", choice) == []
    back = _face(7, 4, 4, 46, 46)
    assert wanted([_face(2, 200, 0, 240, 40), back], "chosen", choice) == [back]
    assert choice.track_id == 7


def test_somebody_else_never_becomes_the_chosen_one() -> None:
    box = np.array([0, 0, 40, 40], np.float32)
    choice, neighbour = Choice(1, box), _face(2, 200, 0, 240, 40)
    wanted([_face(1, 0, 0, 40, 40), neighbour], "chosen", choice, 0)
    assert wanted([neighbour], "chosen", choice, 10**8) == []
    assert wanted([_face(2, 2, 0, 42, 40)], "chosen", choice, 2 * 10**8) == []  # moved over

    choice = Choice(1, box)
    assert wanted([], "chosen", choice, 0) == []
    late = _face(9, 0, 0, 40, 40)
    assert wanted([late], "chosen", choice, 3 * 10**9) == []
    choice.lost_ns = 2 * 10**9
    assert wanted([late], "chosen", choice, 3 * 10**9) == []  # and nor does it by waiting there


def test_a_click_picks_the_inner_of_two_faces() -> None:
    outer, inner = _face(1, 0, 0, 100, 100), _face(2, 30, 30, 60, 60)
    assert face_at([outer, inner], 40, 40) is inner
    assert face_at([outer, inner], 90, 90) is outer
    assert face_at([outer, inner], 200, 90) is None


@pytest.mark.parametrize("wrong", [{"strength": 1.5}, {"strength": -0.1}, {"faces": "some"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float | str]) -> None:
    with pytest.raises(UsageError):
        Settings(**wrong)  # type: ignore[arg-type]
