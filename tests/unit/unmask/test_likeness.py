"""The wearer's bare face as a guess: posed and lit as the head is now, and only for that face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineError, FaceUnsuitable
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.warp import CARRIERS
from realtime_unmask.types import Face, Frame, Likeness
from realtime_unmask.unmask.faces_wanted import Wearer
from realtime_unmask.unmask.likeness import enrol, guess, mirrored
from realtime_unmask.unmask.unmasker import BATCH, State, Unmasker
from tests.unit.conftest import FakeEngine, lower_face

Picture = NDArray[np.uint8]
SIZE = 256
HOLE = (lower_face() > 0).astype(np.uint8)
KNOWN = np.ones((SIZE, SIZE), np.uint8)


@pytest.fixture
def likeness(portrait: Picture, detector: Detector, bare_engine: FakeEngine) -> Likeness:
    """Of the demo's face, as if it wore no mask."""
    return enrol(portrait, detector, bare_engine, SIZE, 0.25)


def _inner(shrink: int = 12) -> NDArray[np.bool_]:
    side = 2 * shrink + 1
    return cv2.erode(HOLE, np.ones((side, side), np.uint8)) > 0


def _outline(likeness: Likeness, grown: int) -> NDArray[np.bool_]:
    """(SIZE, SIZE), the face as its mesh says, grown by some px."""
    plane, side = np.zeros((SIZE, SIZE), np.uint8), 2 * grown + 1
    hull = cv2.convexHull(likeness.landmarks[:, :2].astype(np.float32))
    cv2.fillConvexPoly(plane, np.round(hull).astype(np.int32), (1,))
    return cv2.dilate(plane, np.ones((side, side), np.uint8)) > 0


def test_in_its_own_pose_and_light_it_is_itself(likeness: Likeness) -> None:
    made = guess(likeness, likeness.landmarks, likeness.crop, HOLE, KNOWN)
    apart = np.abs(made.rgb - likeness.crop.astype(np.float32)).max(2)
    assert apart[_inner()].mean() < 2
    assert np.asarray(made.weight)[(HOLE > 0) & _outline(likeness, 0)].min() > 0.7


def test_the_background_of_its_picture_says_nothing(likeness: Likeness) -> None:
    """Nor hair, nor a collar: they may be others today."""
    weight = guess(likeness, likeness.landmarks, likeness.crop, KNOWN, KNOWN).weight
    assert not np.asarray(weight)[~_outline(likeness, 12)].any()


def test_it_moves_and_turns_with_the_head(likeness: Likeness) -> None:
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 12, 0.95)
    turn[:, 2] += (9, -6)
    places = likeness.landmarks.copy()
    places[:, :2] = places[:, :2] @ turn[:, :2].T + turn[:, 2]
    places[:, 2] *= 0.95
    moved = cv2.warpAffine(likeness.crop, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    made = guess(likeness, places, moved.astype(np.uint8), HOLE, KNOWN)
    still = guess(likeness, likeness.landmarks, likeness.crop, HOLE, KNOWN)
    error, before = (np.abs(one.rgb - moved)[_inner()].mean() for one in (made, still))
    assert error < 4 and error < before / 2


def test_what_lies_under_the_mask_has_no_say_in_the_pose(likeness: Likeness) -> None:
    places = likeness.landmarks.copy()
    places[places[:, 1] > SIZE * 0.55, :2] += 30  # the mesh under a mask is a guess
    made = guess(likeness, places, likeness.crop, HOLE, KNOWN)
    true = guess(likeness, likeness.landmarks, likeness.crop, HOLE, KNOWN)
    np.testing.assert_allclose(made.rgb, true.rgb, atol=1e-3)


@pytest.mark.parametrize("light", [(0.5, 0.5, 0.5), (1.0, 0.8, 0.6)])
def test_it_comes_into_the_light_of_the_picture(
    likeness: Likeness, light: tuple[float, float, float]
) -> None:
    dark = (likeness.crop * np.array(light)).astype(np.uint8)
    dark[HOLE > 0] = 255  # the mask itself tells nothing of the light
    made = guess(likeness, likeness.landmarks, dark, HOLE, KNOWN).rgb[_inner()].mean(0)
    as_it_was = likeness.crop[_inner()].mean(0)
    np.testing.assert_allclose(made / as_it_was, light, atol=0.05)


def test_a_head_that_is_turned_far_is_not_guessed_at(likeness: Likeness) -> None:
    turned = likeness.landmarks.astype(np.float64)
    middle = turned.mean(0)
    angles = []
    for degrees in (0, 45, 80):
        around = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))[0]
        places = ((turned - middle) @ around.T + middle).astype(np.float32)
        made = guess(likeness, places, likeness.crop, HOLE, KNOWN)
        angles.append(float(np.asarray(made.weight).max()))
    assert angles[0] > angles[1] > 0 and angles[2] == 0


def test_beyond_its_own_picture_it_says_nothing(likeness: Likeness) -> None:
    known = likeness.known.copy()
    known[:, : SIZE // 2] = 0
    half = Likeness(likeness.crop, likeness.landmarks, known)
    weight = np.asarray(guess(half, likeness.landmarks, likeness.crop, HOLE, KNOWN).weight)
    assert weight[:, : SIZE // 2 - 8].max() == 0 and weight[150, SIZE // 2 + 8 :].max() > 0.7


def test_mirrored_is_what_the_mirrored_picture_shows(likeness: Likeness) -> None:
    flipped = mirrored(likeness)
    np.testing.assert_array_equal(flipped.crop, likeness.crop[:, ::-1])
    np.testing.assert_allclose(
        mirrored(flipped).landmarks[CARRIERS], likeness.landmarks[CARRIERS], atol=1e-4
    )
    left = guess(likeness, likeness.landmarks, likeness.crop, HOLE, KNOWN).rgb
    hole = np.ascontiguousarray(HOLE[:, ::-1])
    right = guess(flipped, flipped.landmarks, flipped.crop, hole, KNOWN).rgb
    assert np.abs(right[:, ::-1] - left)[_inner()].mean() < 2


def test_pictures_without_one_bare_face_are_refused(
    portrait: Picture, detector: Detector, map_engine: FakeEngine, bare_engine: FakeEngine
) -> None:
    two = np.hstack([portrait, portrait])
    (mesh,) = detector.find(portrait, 1)
    cut = np.ascontiguousarray(portrait[: int(mesh[13, 1])])  # at the mouth
    small = cv2.resize(portrait, (160, 120), interpolation=cv2.INTER_AREA).astype(np.uint8)
    for picture, engine, words in (
        (np.full_like(portrait, 90), bare_engine, "no face"),
        (two, bare_engine, "several"),
        (small, bare_engine, "small"),
        (cut, bare_engine, "cuts"),
        (portrait // 5, bare_engine, "too dark"),
        (portrait, map_engine, "mask"),
    ):
        with pytest.raises(FaceUnsuitable, match=words):
            enrol(picture, detector, engine, SIZE, 0.25)


@pytest.mark.parametrize("smeared", ["in focus", "out of focus", "across", "along"])
def test_a_blurred_face_is_known_to_be_blurred(
    portrait: Picture, detector: Detector, bare_engine: FakeEngine, likeness: Likeness, smeared: str
) -> None:
    wide = likeness.landmarks[263, 0] - likeness.landmarks[33, 0]
    per_px = np.ptp(detector.find(portrait, 1)[0][[33, 263], 0]) / wide  # of the crop
    side = 2 * round(8 * per_px) + 1
    kernels = {
        "in focus": np.ones((1, 1)),
        "out of focus": np.outer(*[cv2.getGaussianKernel(4 * side + 1, 4 * per_px)] * 2),
        "across": np.ones((1, side)) / side,
        "along": np.ones((side, 1)) / side,
    }
    picture = cv2.filter2D(portrait, -1, kernels[smeared]).astype(np.uint8)
    found = enrol(picture, detector, bare_engine, SIZE, 0.25)
    assert found.blurred == (smeared != "in focus")


@pytest.fixture
def unmasker(map_engine: FakeEngine, editor_engine: FakeEngine) -> Iterator[Unmasker]:
    with Unmasker(map_engine, editor_engine) as made:
        yield made


@pytest.mark.parametrize("as_video", [False, True])
def test_the_largest_face_is_the_wearers(
    unmasker: Unmasker, editor_engine: FakeEngine, portrait: Picture, likeness: Likeness,
    as_video: bool,
) -> None:  # fmt: skip
    height, width = portrait.shape[:2]
    both = np.full((height, 2 * width, 3), 128, np.uint8)
    both[:, width:] = portrait
    small = cv2.resize(portrait, None, fx=0.85, fy=0.85, interpolation=cv2.INTER_AREA)
    both[: small.shape[0], : small.shape[1]] = small
    state = State() if as_video else None
    unmasker.process(Frame(both), state)
    assert not editor_engine.calls[-1]["prior_weight"].any()
    unmasker.likeness = likeness
    for _ in range(3):
        result = unmasker.process(Frame(both), state)
        call = editor_engine.calls[-1]
        assert len(result.reconstructions) == 2
        given = [bool(weight.any()) for weight in call["prior_weight"][:2]]  # then the mirror's
        large = [one.alignment.scale for one in result.reconstructions]
        assert given == [scale == min(large) for scale in large]
        number = given.index(True)
        outside = call["map"][number] == 0
        assert not call["prior_weight"][number][outside].any()
        assert not call["prior"][number][np.repeat(outside, 3, 0)].any()
    unmasker.likeness = None
    unmasker.process(Frame(both), state)
    assert not editor_engine.calls[-1]["prior_weight"].any()


def _face(track_id: int, side: float) -> Face:
    box = np.array([0, 0, side, side], np.float32)
    return Face(track_id, box, np.zeros((478, 3), np.float32))


def test_who_was_seen_beside_the_wearer_is_not_taken_for_the_wearer() -> None:
    wearer, me, other = Wearer(), _face(0, 100), _face(1, 90)
    assert wearer.among([me, other], [me, other]) == 0
    assert wearer.among([me, other], [other]) == 0  # with the mask off
    assert wearer.among([other], [other]) == 0  # who is not in sight
    back = _face(2, 60)
    assert wearer.among([other, back], [other, back]) == 2
    assert wearer.among([_face(1, 64), back], [_face(1, 64), back]) == 2
    assert wearer.among([other, back], [other, back]) == 1, "who comes closer takes over"
    assert wearer.among([other, back], [back]) == 1
    assert wearer.among([back], [back]) == 1, "and whose place it was is somebody else now"


def test_another_bare_face_may_be_another_persons(
    unmasker: Unmasker, portrait: Picture, likeness: Likeness
) -> None:
    state = State()
    unmasker.likeness = likeness
    unmasker.process(portrait, state)
    first = state.wearer
    unmasker.process(portrait, state)
    assert state.wearer is first and first.track_id is not None
    unmasker.likeness = mirrored(likeness)
    unmasker.process(portrait, state)
    assert state.wearer is not first


def test_a_frame_keeps_the_likeness_that_it_was_begun_with(
    unmasker: Unmasker, editor_engine: FakeEngine, portrait: Picture, likeness: Likeness
) -> None:
    unmasker.likeness = likeness
    six = np.hstack([np.vstack([portrait] * 2)] * 3)  # more than one batch
    given = []
    for changed in (False, True):
        editor_engine.calls.clear()
        begun = unmasker.begin(Frame(six))
        unmasker.likeness = None if changed else likeness
        unmasker.finish(begun)
        unmasker.likeness = likeness
        weights = [call["prior_weight"] for call in editor_engine.calls]
        given.append([bool(w.any()) for half in weights for w in half[: len(half) // 2]])
    assert given[0] == given[1] and sum(given[0]) == 1
    assert given[0].index(True) >= BATCH  # which is begun last


def test_an_editor_that_was_not_trained_to_follow_a_face_is_given_none(
    unmasker: Unmasker, editor_engine: FakeEngine, portrait: Picture, likeness: Likeness
) -> None:
    editor_engine.spec = replace(editor_engine.spec, prior_supported=False)
    with pytest.raises(EngineError, match="not trained to follow a bare face"):
        unmasker.enrol(portrait)
    unmasker.likeness = likeness
    unmasker.process(Frame(portrait))
    assert not editor_engine.calls[-1]["prior_weight"].any()
