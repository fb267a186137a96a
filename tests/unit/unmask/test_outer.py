"""Masks that reach out of their face's crop."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import align, crop, to_crop, to_solid
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.tracker import as_face
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Frame, Likeness
from realtime_unmask.unmask import finding, outer
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.state import FaceMemory
from realtime_unmask.unmask.unmasker import State, Unmasker

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

Picture = NDArray[np.uint8]
SIZE = 256
MAGENTA, GREEN = (255, 0, 255), (0, 255, 0)
PLAIN = Settings(colour_match=False)


@pytest.fixture
def usual(portrait: Picture, detector: Detector) -> Alignment:
    """The usual crop of the portrait's face, which lies well inside the frame."""
    return align(detector.find_all(portrait)[0], SIZE)


@pytest.fixture
def bib(portrait: Picture, usual: Alignment) -> Picture:
    """The portrait in a magenta mask that hangs down below the crop."""
    return cloth(portrait, usual, 1.15)


@pytest.fixture
def magenta_engine(map_engine: FakeEngine) -> FakeEngine:
    """Knows magenta when it sees it, in the usual crop and in the wider one."""
    map_engine.answer = lambda inputs: {
        "map": (
            (inputs["image"][:, :1] > 0.5)
            & (inputs["image"][:, 1:2] < -0.5)
            & (inputs["image"][:, 2:] > 0.5)
        ).astype(np.float32)
    }
    return map_engine


def cloth(picture: Picture, alignment: Alignment, bottom: float, left: float = 0.3) -> Picture:
    """A picture with a cloth from the nose down to `bottom`, in shares of the crop's side."""
    corners = np.array([(left, 0.5), (0.7, 0.5), (0.7, bottom), (left, bottom)]) * SIZE
    back = alignment.inverse()
    points = np.round(corners @ back[:, :2].T + back[:, 2]).astype(np.int32)
    return cv2.fillConvexPoly(picture.copy(), points, MAGENTA).astype(np.uint8)


def left_over(picture: Picture) -> float:
    """The share of a cloth's pixels that are still magenta."""
    return float((np.abs(picture.astype(int) - MAGENTA).max(2) < 40).sum())


def test_both_ways_to_the_wider_crop_agree(usual: Alignment) -> None:
    point = np.array([[400.0, 300.0]], np.float32)
    dot = np.zeros((SIZE, SIZE), np.float32)
    x, y = to_crop(point, usual)[0]
    dot[round(float(y)), round(float(x))] = 1
    rows, columns = np.nonzero(outer.in_wider(dot, cv2.INTER_LINEAR))
    expected = to_crop(point, outer.wider(usual))[0]
    assert np.abs([columns.mean(), rows.mean()] - expected).max() < 1
    assert outer.window(SIZE).sum() == pytest.approx((SIZE / outer.WIDER) ** 2, rel=0.02)


@pytest.mark.parametrize("side", ["bottom", "left", "right"])
def test_a_mask_reaches_out_only_where_the_frame_goes_on(side: str) -> None:
    hole = np.zeros((SIZE, SIZE), np.uint8)
    line = {"bottom": hole[-1], "left": hole[:, 0], "right": hole[:, -1]}[side]
    line[100:120] = 1
    frame = Frame(np.zeros((600, 600, 3), np.uint8))

    def reaches(x: float, y: float, *, before: bool = False) -> bool:
        alignment = Alignment(np.array([[1.0, 0, -x], [0, 1.0, -y]]), SIZE)
        return outer.reaches_out(hole, alignment, frame, before)

    assert reaches(100, 100)
    ends = {"bottom": (100, 600 - SIZE), "left": (0, 100), "right": (600 - SIZE, 100)}[side]
    assert not reaches(*ends)
    line[:] = 0
    assert not reaches(100, 100)
    line[100:105] = 1  # a strap, or the last of a mask that is drawn back
    assert not reaches(100, 100) and reaches(100, 100, before=True)


def test_the_top_of_a_crop_is_no_way_out() -> None:
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[0] = 1
    hole[0, [0, -1]] = 0
    alignment = Alignment(np.array([[1.0, 0, -100], [0, 1.0, -100]]), SIZE)
    assert not outer.reaches_out(hole, alignment, Frame(np.zeros((600, 600, 3), np.uint8)), False)


def test_outer_hole_keeps_the_usual_one_and_only_what_hangs_together_with_it() -> None:
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[150:, 100:150] = 1
    found = np.zeros((SIZE, SIZE), np.uint8)
    found[20:60, 100:140] = 1  # within the usual crop: the map of that one holds
    found[190:220, 90:160] = 1  # the mask's lower end
    found[230:250, 10:30] = 1  # somebody else's
    made = outer.outer_hole(hole, found)
    assert made is not None
    inside = outer.window(SIZE) > 0
    assert np.array_equal(made[inside], outer.in_wider(hole, cv2.INTER_NEAREST)[inside])
    assert made[205, 120] and not made[240, 20]
    assert outer.outer_hole(hole, np.zeros_like(found)) is None


def test_a_face_in_front_is_left_alone(portrait: Picture, detector: Detector) -> None:
    """Of two people one above the other, the lower one's forehead is no end of a mask."""
    mesh = detector.find_all(portrait)[0]
    upper, lower = (as_face(mesh + (0, down, 0), number) for number, down in enumerate((0, 450)))
    alignment = outer.wider(align(upper.landmarks, SIZE))
    everywhere = np.ones((SIZE, SIZE), np.uint8)
    left = outer.without_others(everywhere, alignment, upper, [upper, lower])
    x, y = np.round(to_crop(lower.landmarks[[9, 10]], alignment)).astype(int).T
    assert (y < SIZE).any() and not left[y[y < SIZE] + 2, x[y < SIZE]].any()
    x, y = np.round(to_crop(upper.landmarks[[1, 13, 152]], alignment)).astype(int).T
    assert left[y, x].all()


def test_nothing_of_a_long_mask_stays(
    bib: Picture, magenta_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        result = unmasker.process(bib)
    assert left_over(bib) > 10_000
    assert left_over(result.output.image) == 0
    assert len(result.reconstructions) == 1
    assert result.map is not None
    changed = (result.output.image != bib).any(2)
    assert np.array_equal(changed, result.map > 0)
    # One paint over the other leaves no gap along the usual crop's edge.
    cloth_only = (bib == MAGENTA).all(2)
    middle = cv2.erode(cloth_only.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert np.abs(result.output.image[middle].astype(int) - GREEN).max() <= 1


def test_a_mask_within_the_crop_is_looked_at_once(
    portrait: Picture, usual: Alignment, magenta_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    short = cloth(portrait, usual, 0.9)
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        unmasker.process(short)
    assert [len(call["image"]) for call in magenta_engine.calls] == [1, 1]  # and in a mirror
    assert [len(call["image"]) for call in editor_engine.calls] == [2]


def test_half_the_strength_is_half_of_each_pixel(
    bib: Picture, magenta_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """Two paints that each are half as strong would hide three quarters."""
    settings = Settings(colour_match=False, strength=0.5)
    with Unmasker(magenta_engine, editor_engine, settings) as unmasker:
        result = unmasker.process(bib)
    middle = cv2.erode((bib == MAGENTA).all(2).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert np.abs(result.output.image[middle].astype(int) - (127, 128, 127)).max() <= 3
    assert result.map is not None and np.abs(result.map[middle].astype(int) - 128).max() <= 3


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_given_map_holds_beyond_the_crop(
    bib: Picture, bare_engine: FakeEngine, editor_engine: FakeEngine, strength: float
) -> None:
    given = (bib == MAGENTA).all(2).astype(np.uint8) * 255
    settings = Settings(colour_match=False, strength=strength)
    with Unmasker(bare_engine, editor_engine, settings) as unmasker:
        result = unmasker.process(bib, given_map=given)
    changed = (result.output.image != bib).any(2)
    assert np.array_equal(changed, given > 0)
    expected = np.array(GREEN) * strength + np.array(MAGENTA) * (1 - strength)
    assert np.abs(result.output.image[given > 0] - expected).max() <= 4
    assert bare_engine.calls == []


def test_a_bare_face_is_followed_within_the_usual_crop_only(
    portrait: Picture, bib: Picture, usual: Alignment, detector: Detector,
    magenta_engine: FakeEngine, editor_engine: FakeEngine,
) -> None:  # fmt: skip
    """Below it the other picture shows a collar of another day."""
    landmarks = to_solid(detector.find_all(portrait)[0], usual)
    everywhere = np.ones((SIZE, SIZE), np.uint8)
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        unmasker.likeness = Likeness(crop(portrait, usual), landmarks, everywhere)
        unmasker.process(bib)
    weights = editor_engine.calls[0]["prior_weight"]
    assert len(weights) == 4  # the wider crop, the usual one, and both in a mirror
    assert [bool(one.any()) for one in weights] == [False, True, False, True]


def test_a_given_map_that_the_wider_crop_does_not_see_is_painted_as_before(
    portrait: Picture, usual: Alignment, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """Specks on the usual crop's last row, between what the wider crop samples."""
    large = cv2.resize(portrait, None, fx=4, fy=4).astype(np.uint8)
    given = np.zeros(large.shape[:2], np.uint8)
    with Unmasker(bare_engine, editor_engine, PLAIN) as unmasker:
        alignment = align(unmasker.process(large).faces[0].landmarks, SIZE)
        back = alignment.inverse()
        for column in range(60, 200, 2):
            x, y = back[:, :2] @ (column, SIZE - 1) + back[:, 2]
            given[round(y), round(x)] = 255
        wide = cv2.warpAffine(given, outer.wider(alignment).matrix, (SIZE, SIZE))
        given[cv2.warpAffine(wide, outer.wider(alignment).matrix, large.shape[1::-1],
                             flags=cv2.WARP_INVERSE_MAP) > 0] = 0  # fmt: skip
        result = unmasker.process(large, given_map=given)
    assert len(result.reconstructions) == 1


def test_a_cut_forgets_the_wider_crop_too(portrait: Picture) -> None:
    """Though that, with more of the background, may look alike."""
    memory = FaceMemory(frames=3, outer=FaceMemory())
    memory.see(portrait[:SIZE, :SIZE], 0)
    memory.see(cv2.bitwise_not(portrait[:SIZE, :SIZE]).astype(np.uint8), 0)
    assert memory.jumped and memory.outer is None


@pytest.mark.parametrize("lead", [2, 3])
def test_both_crops_are_painted_in_the_same_frames(
    portrait: Picture, bib: Picture, usual: Alignment,
    magenta_engine: FakeEngine, editor_engine: FakeEngine, lead: int,
) -> None:  # fmt: skip
    """Else each would always be painted the same way, and joined with nothing."""
    state, batches = State(Effort(1, 1, 2)), []
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        short = cloth(portrait, usual, 0.9)
        for number, image in enumerate([short] * lead + [bib] * 10):
            editor_engine.calls.clear()
            unmasker.process(Frame(image, Fraction(number, 30), 0, number), state)
            batches.append(sum(len(call["image"]) for call in editor_engine.calls))
    assert set(batches[-6:]) == {0, 2}


def test_a_map_that_shows_nothing_beyond_is_held_as_any(
    bib: Picture, magenta_engine: FakeEngine, editor_engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(finding, "outer_hole", lambda *_: None)
    state = State(Effort(1, 2, 1))
    calls = []
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        for number in range(6):
            magenta_engine.calls.clear()
            unmasker.process(Frame(bib, Fraction(number, 30), 0, number), state)
            calls.append(len(magenta_engine.calls))
    assert calls == [2, 0, 2, 0, 2, 0]


def test_it_comes_and_goes_in_a_sequence(
    portrait: Picture, bib: Picture, usual: Alignment,
    magenta_engine: FakeEngine, editor_engine: FakeEngine,
) -> None:  # fmt: skip
    short, state, batches = cloth(portrait, usual, 0.9), State(), []
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        for number, image in enumerate([short, short, bib, bib, bib, *[short] * 8]):
            editor_engine.calls.clear()
            frame = Frame(image, Fraction(number, 30), 0, number)
            result = unmasker.process(frame, state)
            batches.append(len(editor_engine.calls[0]["image"]))
            assert left_over(result.output.image) == 0, number
            assert len(result.reconstructions) == 1
    # Painted both ways at first; twice as much with the wider crop; the map lags a few frames.
    assert batches[:5] == [2, 1, 2, 2, 2] and batches[-1] == 1
    assert all(memory.outer is None for memory in state.faces.values())


def test_frames_in_a_pipeline_come_out_the_same(
    bib: Picture, magenta_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """Begun while the editor is at work at the one before, as `video` and live do."""
    frames = [Frame(np.roll(bib, 3 * n, 1), Fraction(n, 30), 0, n) for n in range(4)]
    with Unmasker(magenta_engine, editor_engine) as unmasker:
        state = State()
        one_by_one = [unmasker.process(frame, state).output.image for frame in frames]
        state, begun = State(), []
        shown = []
        for frame in frames:
            begun.append(unmasker.begin(frame, state))
            if len(begun) > 1:
                shown.append(unmasker.finish(begun.pop(0)).output.image)
        shown.append(unmasker.finish(begun.pop(0)).output.image)
    for expected, made in zip(one_by_one, shown, strict=True):
        assert np.array_equal(expected, made)


def test_the_wider_crop_adds_nothing_where_the_usual_one_does_not_fade(
    bib: Picture, usual: Alignment, magenta_engine: FakeEngine, editor_engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Else the hole's rim would be painted twice, and further out."""
    with Unmasker(magenta_engine, editor_engine, PLAIN) as unmasker:
        both = unmasker.process(bib)
        monkeypatch.setattr(finding, "reaches_out", lambda *_: False)
        alone = unmasker.process(bib)
    assert both.map is not None and alone.map is not None
    whole = crop((both.map > 0).astype(np.uint8)[..., None].repeat(3, 2) * 255, usual)[..., 0]
    single = crop((alone.map > 0).astype(np.uint8)[..., None].repeat(3, 2) * 255, usual)[..., 0]
    solid = cv2.erode((outer.fade(SIZE) == 1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.array_equal(whole[solid], single[solid]) and (single[solid] > 0).any()
    assert (both.map > alone.map).any()
