"""The networks that ship, on the demo clip: a painted mask whose true map is known."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask import Frame, State, Unmasker
from realtime_unmask.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
TRUE_MAPS = sorted((ROOT / "tests" / "data").glob("demo_map_*.png"))


@pytest.fixture(scope="module")
def unmasker() -> Iterator[Unmasker]:
    with Unmasker.default(Settings(threads=1)) as made:
        yield made


@pytest.fixture(scope="module")
def cases() -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Frames of the demo and where their mask truly is."""
    numbers = {int(path.stem[-3:]): path for path in TRUE_MAPS}
    found = []
    with av.open(str(ROOT / "assets" / "demo.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                true = cv2.imread(str(numbers[number]), cv2.IMREAD_GRAYSCALE)
                assert true is not None
                found.append((frame.to_ndarray(format="rgb24"), true > 127))
    assert len(found) == 4
    return found


def test_the_mask_is_found_where_it_is(
    unmasker: Unmasker, cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
) -> None:
    for picture, true in cases:
        result = unmasker.process(picture)
        assert result.map is not None
        painted = result.map > 0
        assert (painted & true).sum() / true.sum() > 0.97
        assert painted.sum() / true.sum() <= 1.15


def test_outside_the_support_every_bit_stays(
    unmasker: Unmasker, cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
) -> None:
    for picture, _ in cases:
        result = unmasker.process(picture)
        made = result.reconstructions[0]
        height, width = picture.shape[:2]
        support = cv2.warpAffine(
            (made.alpha > 0).astype(np.uint8), made.alignment.inverse(), (width, height),
            flags=cv2.INTER_NEAREST,
        )  # fmt: skip
        assert np.array_equal(result.output.image[support == 0], picture[support == 0])
        # And the support is the map grown by at most 3 crop px.
        bare = (made.map.values < Settings().mask_threshold).astype(np.uint8)
        away = cv2.distanceTransform(bare, cv2.DIST_L2, 5)
        assert away[made.alpha > 0].max() <= 3


def test_the_painted_half_is_skin_and_no_mask(
    unmasker: Unmasker, cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
) -> None:
    """The mask is blue; skin is redder than it is blue, everywhere."""
    for picture, true in cases:
        output = unmasker.process(picture).output.image.astype(int)
        assert (picture[true][:, 2].mean() - picture[true][:, 0].mean()) > 20
        red, blue = output[true][:, 0], output[true][:, 2]
        assert (red > blue).mean() > 0.97


def test_fewer_bits_paint_the_same(
    unmasker: Unmasker, cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
) -> None:
    """What this CPU takes of itself (8 bits or bf16) against fp32."""
    with Unmasker.default(Settings(threads=1, precision="fp32")) as exact:
        for picture, true in cases:
            one, other = (
                made.process(picture).output.image.astype(float) for made in (unmasker, exact)
            )
            assert np.abs(one - other)[true].mean() < 2.5


def test_a_sequence_is_painted_without_a_gap_and_steadily(
    unmasker: Unmasker, clip: list[NDArray[np.uint8]]
) -> None:
    state = State()
    crops = []
    for number, picture in enumerate(clip):
        result = unmasker.process(Frame(picture, Fraction(number, 30), 0, number), state)
        assert len(result.reconstructions) == 1
        crops.append(result.reconstructions[0].crop.astype(float))
    mouth = np.array(crops)[:, 150:200, 100:156]
    steps = np.abs(np.diff(mouth, axis=0)).mean((1, 2, 3))
    assert steps.max() < 6.0


@pytest.mark.parametrize("turns", range(4))
def test_a_person_is_painted_whichever_way_up_but_not_twice(
    unmasker: Unmasker,
    cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]],
    turns: int,
) -> None:
    """Its own result has no mask any more, so a second pass has nothing to do."""
    picture, true = (np.ascontiguousarray(np.rot90(plane, turns)) for plane in cases[0])
    once = unmasker.process(picture)
    assert once.map is not None
    painted = once.map > 0
    assert (painted & true).sum() / true.sum() > 0.95
    assert painted.sum() / true.sum() <= 1.2
    again = unmasker.process(once.output)
    assert again.output is once.output


def test_a_face_in_pixels_that_are_not_square_is_painted_as_in_square_ones(
    unmasker: Unmasker, cases: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
) -> None:
    picture, true = cases[0]
    height, width = picture.shape[:2]
    size = (round(0.7 * width), height)
    narrow = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    inside = cv2.resize(true.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    wanted = cv2.resize(unmasker.process(picture).output.image, size, interpolation=cv2.INTER_AREA)
    away = []
    for aspect in (1.0, width / size[0]):
        made = unmasker.process(Frame(narrow, pixel_aspect=aspect)).output.image
        away.append(np.abs(made.astype(int) - wanted)[inside].mean())
    assert away[1] < 8 and away[1] < away[0] / 2
