"""Painted skin has the tint of the skin that can be seen."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.unmask.colour import match_colour
from realtime_unmask.unmask.skin import GREY, match_skin

S = 256
SKIN, ASHEN = (200, 150, 120), (170, 160, 150)
INSIDE = (195, 128)  # row and column of the chin


def picture(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((S, S, 3), colour, np.uint8)


def hole() -> NDArray[np.uint8]:
    plane = np.zeros((S, S), np.uint8)
    cv2.ellipse(plane, (128, 180), (60, 46), 0, 0, 360, (1,), -1)
    return plane


def everywhere() -> NDArray[np.uint8]:
    return np.ones((S, S), np.uint8)


def warmth(rgb: NDArray[np.float32]) -> float:
    return float(rgb[..., 0] - rgb[..., 2])


def test_ashen_paint_gets_the_tint_of_the_skin_and_keeps_its_light() -> None:
    paint = picture(ASHEN).astype(np.float32)
    made = match_skin(paint, picture(SKIN), hole(), everywhere())
    assert warmth(paint[INSIDE]) + 20 < warmth(made[INSIDE]) < warmth(np.array(SKIN, np.float32))
    assert np.allclose(made @ GREY, paint @ GREY, atol=0.05)
    outside = cv2.dilate(hole(), np.ones((9, 9), np.uint8)) == 0
    assert (made[outside] == paint[outside]).all()


def test_at_the_edge_of_the_hole_it_comes_in_softly() -> None:
    paint = picture(ASHEN).astype(np.float32)
    made = match_skin(paint, picture(SKIN), hole(), everywhere())
    down = made[:, 128, 0] - paint[:, 128, 0]
    assert np.abs(np.diff(down)).max() < 0.1 * down.max()


def test_what_is_no_skin_stays() -> None:
    """A wall behind the cheek, which the hole reaches."""
    paint = picture(ASHEN).astype(np.float32)
    paint[:, 160:] = (90, 150, 210)
    made = match_skin(paint, picture(SKIN), hole(), everywhere())
    assert warmth(made[180, 110]) > warmth(paint[180, 110]) + 20
    assert (made[180, 172:] == paint[180, 172:]).all()


@pytest.mark.parametrize(
    ("why", "crop"), [("sunglasses", picture((30, 25, 22))), ("no light", picture((0, 0, 0)))]
)
def test_skin_in_another_light_is_no_model(why: str, crop: NDArray[np.uint8]) -> None:
    paint = picture(ASHEN).astype(np.float32)
    assert (match_skin(paint, crop, hole(), everywhere()) == paint).all()


def test_nothing_is_told_from_what_is_hidden_or_beyond_the_picture() -> None:
    paint, crop = picture(ASHEN).astype(np.float32), picture(SKIN)
    covered, beyond = hole(), everywhere()
    covered[60:200] = 1
    beyond[:150] = 0
    assert match_skin(paint, crop, covered, everywhere()) is paint
    assert match_skin(paint, crop, hole(), beyond) is paint
    assert match_skin(paint, crop, np.zeros_like(hole()), everywhere()) is paint


def test_a_strange_tint_is_followed_only_so_far() -> None:
    paint = picture((120, 120, 120)).astype(np.float32)
    made = match_skin(paint, picture((250, 70, 70)), hole(), everywhere())
    assert 0 < made[INSIDE][0] - 120 <= 0.12 * 120 + 0.5


def test_paint_that_is_no_number_is_left_alone() -> None:
    paint = picture(ASHEN).astype(np.float32)
    paint[:] = np.nan
    assert match_skin(paint, picture(SKIN), hole(), everywhere()) is paint


def test_it_is_part_of_the_colour_match() -> None:
    """The rim fits, as where a mask's shade has tinted it; the chin is ashen."""
    crop = picture(SKIN)
    grown = cv2.dilate(hole(), np.ones((15, 15), np.uint8))
    crop[(grown > 0) & (hole() == 0)] = ASHEN
    paint = picture(ASHEN).astype(np.float32)
    made = match_colour(paint, crop, hole(), everywhere())
    assert warmth(made[INSIDE]) > warmth(paint[INSIDE]) + 15
    assert match_colour(paint, crop, hole(), None) is paint
