"""Painted skin has the tint of the skin that can be seen."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.unmask.colour import match_colour
from realtime_unmask.unmask.skin import GREY, match_skin

S = 256
SKIN, PALE, ASHEN = (200, 150, 120), (190, 153, 130), (170, 160, 150)
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


def tint(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    return rgb[..., ::2] / (rgb @ GREY)[..., None] - 1


def grained(paint: NDArray[np.float32]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return paint + rng.normal(0, 12, (S, S, 1)).astype(np.float32)


def test_six_tenths_of_what_is_missing_are_given() -> None:
    model = tint(np.array(SKIN, np.float32)) * 1.1
    own = tint(np.array(PALE, np.float32))
    made = match_skin(picture(PALE).astype(np.float32), picture(SKIN), hole(), everywhere())
    assert np.allclose(tint(made[INSIDE]), own + 0.6 * (model - own), atol=2e-3)


def test_grain_mouth_brows_and_a_dark_side_do_not_change_what_is_given() -> None:
    plain = match_skin(picture(PALE).astype(np.float32), picture(SKIN), hole(), everywhere())
    crop, paint = picture(SKIN), grained(picture(PALE).astype(np.float32))
    crop[::9] = (60, 50, 45)
    paint[165:206, 98:158] = (150, 60, 70)  # lips
    paint[:, :95] *= 0.4
    made = match_skin(paint, grained(crop.astype(np.float32)).clip(0, 255).astype(np.uint8),
                      hole(), everywhere())  # fmt: skip
    given = tint(made[208, 110:146]) - tint(paint[208, 110:146])
    expected = tint(plain[INSIDE]) - tint(np.array(PALE, np.float32))
    assert np.allclose(given.mean(0), expected, atol=0.012)


def test_the_less_it_is_a_model_the_less_is_given() -> None:
    """By how much of the paint is in its light, how much of it is seen, and how even it is."""
    paint, crop, plain = picture(PALE).astype(np.float32), picture(SKIN), hole()

    def given(
        paint: NDArray[np.float32] = paint,
        crop: NDArray[np.uint8] = crop,
        hole: NDArray[np.uint8] = plain,
    ) -> float:
        made = match_skin(paint, crop, hole, everywhere())
        return float((made - paint)[150:210, 96:160, 0].max())

    dark, darker = paint.copy(), paint.copy()
    dark[:, :128] *= 0.5
    darker[:, :152] *= 0.5
    covered, hidden = hole(), hole()
    covered[94:200, 60:200] = 1
    hidden[86:200, 60:200] = 1
    mixed, gaudy = crop.copy(), crop.copy()
    mixed[:, 140:] = ASHEN
    gaudy[:, 140:] = (140, 165, 190)
    full = given()
    for some, less in (
        (given(paint=dark), given(paint=darker)),
        (given(hole=covered), given(hole=hidden)),
        (given(crop=mixed), given(crop=gaudy)),
    ):
        assert full > some + 1 > less + 1
        assert less < 0.2 * full


def test_where_the_hole_goes_on_beyond_the_crop_its_skin_is_no_edge() -> None:
    paint = picture(PALE).astype(np.float32)
    below = hole()
    below[180:, 80:176] = 1
    made = match_skin(paint, picture(SKIN), below, everywhere())
    assert np.allclose(made[-1, 128], made[INSIDE], atol=0.1)


def test_the_brightest_stays_within_the_bytes() -> None:
    paint = picture((254, 238, 222)).astype(np.float32)
    made = match_skin(paint, picture((255, 225, 200)), hole(), everywhere())
    assert made.max() == 255 and (made != paint).any()


def test_a_pixel_that_is_no_number_harms_no_other() -> None:
    paint = picture(PALE).astype(np.float32)
    paint[150, 100] = np.nan
    made = match_skin(paint, picture(SKIN), hole(), everywhere())
    assert np.isnan(made).sum() == 3
    assert (made[INSIDE] != paint[INSIDE]).all()


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
    assert 0.08 * 120 < made[INSIDE][0] - 120 <= 0.1 * 120 + 0.5


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
