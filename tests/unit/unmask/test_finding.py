"""Which way up the faces of a still are, which only the map can tell of a masked one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask import Frame, State, Unmasker
from realtime_unmask.faces import quarters
from realtime_unmask.faces.detector import Detector
from tests.unit.conftest import FakeEngine

Picture = NDArray[np.uint8]


@pytest.fixture
def unmasker(blue_engine: FakeEngine, editor_engine: FakeEngine) -> Iterator[Unmasker]:
    with Unmasker(blue_engine, editor_engine) as made:
        yield made


def painted(before: Picture, after: Picture) -> NDArray[np.bool_]:
    return (before != after).any(2)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_still_on_its_side_or_head_is_painted_where_the_upright_one_is(
    unmasker: Unmasker, portrait: Picture, turns: int
) -> None:
    upright = painted(portrait, unmasker.process(portrait).output.image)
    picture = quarters.turned(portrait, turns)
    result = unmasker.process(picture)
    assert quarters.of_face(result.faces[0].landmarks) == -turns % 4
    turned = quarters.turned(painted(picture, result.output.image)[..., None], -turns)[..., 0]
    assert (upright & turned).sum() / (upright | turned).sum() > 0.85


def test_only_stills_in_which_nobody_is_masked_are_looked_at_again(
    unmasker: Unmasker, blue_engine: FakeEngine, bare_engine: FakeEngine, portrait: Picture
) -> None:
    picture = quarters.turned(portrait, 2)
    upright = unmasker.process(Frame(picture), State())
    assert len(blue_engine.calls) == 1  # none in a sequence
    unmasker.process(picture, given_map=np.zeros(picture.shape[:2], np.uint8))
    assert len(blue_engine.calls) == 1  # and none for a given map
    unmasker.process(portrait)
    assert len(blue_engine.calls) == 3  # nor where somebody is masked: twice, for the mirror
    blue_engine.answer = bare_engine.answer
    result = unmasker.process(picture)
    assert len(blue_engine.calls) > 5
    assert not result.reconstructions
    (face,), (first,) = result.faces, upright.faces  # those of the first look
    assert quarters.of_face(face.landmarks) == quarters.of_face(first.landmarks)


def test_no_other_way_up_is_looked_for_where_somebody_is_surely_bare(
    unmasker: Unmasker, blue_engine: FakeEngine, portrait: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = quarters.turned(portrait, 2)
    monkeypatch.setattr(Detector, "surely_bare", lambda *_: True)
    assert not unmasker.process(picture).reconstructions
    assert len(blue_engine.calls) == 2  # one look, and its mirror


def test_a_frame_says_which_way_up_a_video_is_where_one_way_alone_shows_a_mask(
    unmasker: Unmasker, blue_engine: FakeEngine, map_engine: FakeEngine, portrait: Picture
) -> None:
    turned = quarters.turned(portrait, 2)
    assert unmasker.on_head(Frame(portrait)) is False
    assert unmasker.on_head(Frame(turned)) is True
    assert unmasker.on_head(Frame(np.zeros_like(portrait))) is None
    blue_engine.answer = map_engine.answer  # a mask on every face, whichever way up
    assert unmasker.on_head(Frame(turned)) is None


def test_a_video_of_somebody_who_is_surely_bare_is_upright(
    unmasker: Unmasker, blue_engine: FakeEngine, portrait: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Detector, "surely_bare", lambda *_: True)
    assert unmasker.on_head(Frame(quarters.turned(portrait, 2))) is False
