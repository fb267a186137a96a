"""The editor's inputs, and the colour match that is kept only where it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.unmask.editor import (
    OWN_WEIGHT,
    PICTURE_WEIGHT,
    Prior,
    match_colour,
    own_guess,
    paint,
    seam,
)
from tests.unit.conftest import lower_face

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

SIZE = 256


def face() -> NDArray[np.float32]:
    """A smooth skin-coloured picture with light from one side."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIZE
    skin = np.stack([150 + 60 * x, 110 + 50 * x + 10 * y, 90 + 40 * x], -1)
    return np.asarray(skin, np.float32)


def everywhere() -> NDArray[np.uint8]:
    return np.ones((SIZE, SIZE), np.uint8)


def hole() -> NDArray[np.uint8]:
    return lower_face().astype(np.uint8)


def test_a_tint_is_taken_away() -> None:
    crop = face().round().astype(np.uint8)
    tinted = face() + np.array([20, -15, 8], np.float32)
    matched = match_colour(tinted, crop, hole(), everywhere())
    assert np.abs(matched - face())[hole() > 0].mean() < 1.5
    before, after = (seam(v, crop, hole(), everywhere()) for v in (tinted, matched))
    assert after < 0.3 * before


def test_a_slope_of_light_is_carried_inward() -> None:
    crop = face().round().astype(np.uint8)
    flat = np.full_like(face(), face().mean())
    matched = match_colour(flat, crop, hole(), everywhere())
    inside = hole() > 0
    assert np.abs(matched - face())[inside].mean() < 0.4 * np.abs(flat - face())[inside].mean()


def test_lips_and_beard_have_no_say() -> None:
    crop = face().round().astype(np.uint8)
    tinted = face() + 12
    bearded = tinted.copy()
    bearded[170:200, 100:156] -= 90
    plain, other = (match_colour(v, crop, hole(), everywhere()) for v in (tinted, bearded))
    assert np.allclose(plain[150, 128], other[150, 128], atol=0.5)


def test_a_match_that_would_widen_the_seam_is_dropped() -> None:
    """The rim that the network painted is off, but what it painted inside fits."""
    crop = face().round().astype(np.uint8)
    painted = face()
    painted[hole() == 0] += 40
    assert match_colour(painted, crop, hole(), everywhere()) is painted


def test_what_lies_outside_the_picture_is_not_compared() -> None:
    crop = face().round().astype(np.uint8)
    known = everywhere()
    known[:, 128:] = 0
    crop[:, 128:] = 0  # repeated edge, or anything
    matched = match_colour(face() + 10, crop, hole(), known)
    assert np.abs(matched - face())[174, 100].max() < 3


def test_too_little_edge_leaves_the_colour_alone() -> None:
    painted = face()
    nothing = np.zeros((SIZE, SIZE), np.uint8)
    crop = face().round().astype(np.uint8)
    assert match_colour(painted, crop, hole(), nothing) is painted


def test_seam_is_small_where_nothing_was_painted_and_large_on_a_step() -> None:
    crop = face().round().astype(np.uint8)
    assert seam(crop.astype(np.float32), crop, hole(), everywhere()) < 1.5
    assert seam(face() + 60, crop, hole(), everywhere()) > 10


def test_priors_reach_the_network_inside_the_hole_only(editor_engine: FakeEngine) -> None:
    batch = np.full((2, 3, SIZE, SIZE), 0.5, np.float32)
    holes = np.stack([lower_face(), lower_face()])
    prior = Prior(np.full((SIZE, SIZE, 3), 255, np.float32), PICTURE_WEIGHT)
    made = paint(editor_engine, batch, holes, [prior, None])
    call = editor_engine.calls[0]
    assert call["prior_weight"][0].max() == pytest.approx(PICTURE_WEIGHT)
    assert np.allclose(call["prior"][0], holes[:1])
    assert not call["prior"][1].any() and not call["prior_weight"][1].any()
    assert not (call["image"] * call["map"]).any()
    assert made[0].rgb.shape == (SIZE, SIZE, 3)
    assert np.allclose(made[0].rgb[0, 0], 0.75 * 255, atol=0.1)


def test_what_was_painted_goes_on_in_form_without_detail_and_without_what_is_around() -> None:
    painted = np.full((SIZE, SIZE, 3), 1000, np.float32)  # a hand, perhaps
    where = lower_face().astype(np.uint8)
    painted[where > 0] = 120
    painted[:, ::4] += 40 * where[:, ::4, None]  # stripes of 4 px: 130 on average
    guess = own_guess(painted, where)
    assert guess.weight == OWN_WEIGHT and guess.known is where
    assert np.abs(guess.rgb[cv2.erode(where, np.ones((15, 15), np.uint8)) > 0] - 130).max() < 0.1
    assert guess.rgb[where > 0].max() < 165
