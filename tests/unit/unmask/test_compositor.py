"""Nothing outside the support changes; the map says exactly what did."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.types import Alignment, MaskMap
from realtime_unmask.unmask.compositor import Canvas, feather, known_region, support

SIZE = 256


def blob(size: int = SIZE) -> NDArray[np.float32]:
    y, x = np.mgrid[:size, :size] / size
    return (((x - 0.5) / 0.25) ** 2 + ((y - 0.6) / 0.2) ** 2 < 1).astype(np.float32)


def alignment(scale: float, angle: float = 0.2) -> Alignment:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    offset = np.full(2, SIZE / 2) - linear @ np.array([300.0, 220.0])
    return Alignment(np.hstack([linear, offset[:, None]]), SIZE)


def test_support_is_the_map_grown_by_at_most_three_pixels() -> None:
    values = blob()
    grown = support(MaskMap(values, 1.0), 0.5)
    away = cv2.distanceTransform((values < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    assert grown[values >= 0.5].all()
    assert away[grown > 0].max() <= 3


def test_support_is_hardly_larger_than_the_map() -> None:
    values = blob()
    assert support(MaskMap(values, 1.0), 0.5).sum() / values.sum() < 1.12


def test_alpha_covers_the_whole_map_and_a_pixel_round_it() -> None:
    values = blob()
    alpha = feather(support(MaskMap(values, 1.0), 0.5), 2.0)
    round_it = cv2.dilate(values, np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8))
    assert alpha[values > 0].min() == 1.0
    assert alpha[round_it > 0].min() > 0.7  # less than 1 only at the tip of a one-pixel bump
    assert 0 < alpha[alpha > 0].min() < 1


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 2.3, 4.0])
def test_outside_the_support_the_frame_is_untouched(scale: float) -> None:
    image = np.random.default_rng(2).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    made = alignment(scale)
    hole = support(MaskMap(blob(), 1.0), 0.5)
    canvas = Canvas(image)
    canvas.put(np.zeros((SIZE, SIZE, 3), np.float32), feather(hole, 2.0), made)
    result = canvas.result()
    assert result is not None
    output, shown = result
    # The support in frame px, drawn independently: the frame's pixel centres in the crop.
    y, x = np.mgrid[:480, :640]
    at = np.rint(np.stack([x, y], -1) @ made.matrix[:, :2].T + made.matrix[:, 2]).astype(int)
    inside = ((at >= 0) & (at < SIZE)).all(-1)
    grown = np.zeros((480, 640), bool)
    grown[inside] = hole[at[inside][:, 1], at[inside][:, 0]] > 0
    grown = cv2.dilate(grown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # rounding
    assert np.array_equal(output[~grown], image[~grown])
    assert not shown[~grown].any()
    assert (output != image).any()


def test_map_is_zero_exactly_where_nothing_changed() -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    image[200:260] = 255
    canvas = Canvas(image)
    alpha = feather(support(MaskMap(blob(), 1.0), 0.5), 2.0)
    # Paint the very colour that part of the picture has.
    canvas.put(np.full((SIZE, SIZE, 3), 255, np.float32), alpha, alignment(1.0))
    result = canvas.result()
    assert result is not None
    assert np.array_equal(result[1] > 0, (result[0] != image).any(2))


def test_given_weight_is_used_as_it_is() -> None:
    image = np.full((480, 640, 3), 100, np.uint8)
    given = np.zeros((480, 640), np.float32)
    given[200:240, 280:320] = 0.5
    canvas = Canvas(image)
    canvas.put(np.full((SIZE, SIZE, 3), 200, np.float32), np.ones((SIZE, SIZE), np.float32),
               alignment(0.5), given)  # fmt: skip
    result = canvas.result()
    assert result is not None
    assert (result[0][200:240, 280:320] == 150).all()
    assert (result[0] != image).any(2).sum() == 1600
    assert set(np.unique(result[1])) == {0, 128}


def test_crop_outside_the_frame_changes_nothing() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    far = Alignment(np.array([[1.0, 0, 5000.0], [0, 1.0, 5000.0]]), SIZE)
    canvas = Canvas(image)
    canvas.put(np.full((SIZE, SIZE, 3), 255, np.float32), blob(), far)
    assert canvas.result() is None


def test_input_is_never_written_to() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image.flags.writeable = False
    canvas = Canvas(image)
    canvas.put(np.full((SIZE, SIZE, 3), 255, np.float32), blob(), alignment(1.0))
    assert not image.any()


def test_known_region_is_where_the_frame_is() -> None:
    half = Alignment(np.array([[1.0, 0, 128.0], [0, 1.0, 0.0]]), SIZE)
    known = known_region(half, 640, 480)
    assert not known[:, :127].any()
    assert known[:, 129:].all()


@pytest.mark.parametrize("place", [(1000, 5950), (20, 20), (4000, 3000), (7990, 100)])
def test_known_region_of_a_small_tilted_face_in_a_huge_frame(place: tuple[int, int]) -> None:
    turn = cv2.getRotationMatrix2D((0, 0), 10, 3.1)[:, :2]
    offset = np.array((128, 102)) - turn @ place
    alignment = Alignment(np.hstack([turn, offset[:, None]]), 256)
    back = alignment.inverse()
    pixels = np.indices((256, 256))[::-1].reshape(2, -1).T
    there = pixels @ back[:, :2].T + back[:, 2]
    inside = ((there >= -0.5) & (there <= (7999.5, 5999.5))).all(1).reshape(256, 256)
    assert (known_region(alignment, 8000, 6000) != inside).mean() < 0.01
