"""The whole of process(), with engines that need no weights."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import align
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame
from realtime_unmask.unmask.unmasker import State, Unmasker

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine, Planes

Picture = NDArray[np.uint8]
PLAIN = Settings(colour_match=False)


def test_no_mask_passes_the_very_frame_through(
    portrait: Picture, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    frame = Frame(portrait)
    with Unmasker(bare_engine, editor_engine) as unmasker:
        result = unmasker.process(frame)
    assert result.output is frame and result.map is None
    assert len(result.faces) == 1 and result.reconstructions == ()
    assert editor_engine.calls == []


def test_no_face_passes_the_very_frame_through(
    map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    frame = Frame(np.full((240, 320, 3), 77, np.uint8))
    with Unmasker(map_engine, editor_engine) as unmasker:
        result = unmasker.process(frame)
    assert result.output is frame and result.faces == ()


def test_only_the_support_changes(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        result = unmasker.process(portrait)
    assert result.map is not None
    changed = (result.output.image != portrait).any(2)
    assert np.array_equal(changed, result.map > 0)
    assert 0.01 < changed.mean() < 0.2
    # Green in the middle of the hole, and the mouth is in it.
    mouth = result.faces[0].landmarks[13, :2].astype(int)
    assert tuple(result.output.image[mouth[1], mouth[0]]) == (0, 255, 0)


def test_the_editor_never_sees_the_hole(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        unmasker.process(portrait)
    call = editor_engine.calls[0]
    assert set(np.unique(call["map"])) == {0.0, 1.0}
    assert not (call["image"] * call["map"]).any()
    assert not call["prior"].any() and not call["prior_weight"].any()


def test_hole_is_the_support(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine) as unmasker:
        result = unmasker.process(portrait)
    hole = editor_engine.calls[0]["map"][0, 0]
    assert np.array_equal(hole > 0, result.reconstructions[0].alpha > 0)


def test_same_sequence_from_a_fresh_state_gives_the_same_pixels(
    clip: list[Picture], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    frames = [Frame(image, Fraction(n, 30), 0, n) for n, image in enumerate(clip[:4])]
    with Unmasker(map_engine, editor_engine) as unmasker:
        runs = []
        for _ in range(2):
            state = State()
            runs.append([unmasker.process(frame, state).output.image for frame in frames])
    for first, second in zip(*runs, strict=True):
        assert np.array_equal(first, second)


def painting(editor_engine: FakeEngine, *levels: float) -> None:
    """Let the editor fill its holes with one grey after the other, of 255."""
    left = list(levels)

    def answer(inputs: Planes) -> Planes:
        level = np.float32(left.pop(0) / 127.5 - 1)
        rgb = inputs["image"] + inputs["map"] * level
        return {"rgb": rgb, "confidence": inputs["map"].copy()}

    editor_engine.answer = answer


def middles(unmasker: Unmasker, images: list[Picture]) -> list[float]:
    """What is painted in the middle of the hole, frame by frame."""
    state = State()
    results = [unmasker.process(image, state) for image in images]
    return [float(r.reconstructions[0].crop[174, 128, 0]) for r in results if r.reconstructions]


def test_paint_follows_the_frame_before(
    clip: list[Picture], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    painting(editor_engine, 100, 108, 108, 200, 200)
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        first, _, third, _, fifth = middles(unmasker, clip[:5])
    assert first == 100 and 101 <= third <= 104 and fifth == 200


def test_a_lost_face_leaves_no_paint(
    clip: list[Picture], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    painting(editor_engine, 100, 106)
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        images = [clip[0], np.zeros_like(clip[0]), clip[0]]
        assert middles(unmasker, images) == [100, 106]


def test_stills_follow_nothing(
    clip: list[Picture], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    painting(editor_engine, 100, 106)
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        made = [unmasker.process(image).reconstructions[0].crop for image in clip[:2]]
    assert [int(crop[174, 128, 0]) for crop in made] == [100, 106]


def test_given_map_is_painted_without_asking_the_map_network(
    portrait: Picture, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(bare_engine, editor_engine, PLAIN) as unmasker:
        mouth = unmasker.process(portrait).faces[0].landmarks[13, :2].astype(int)
        bare_engine.calls.clear()
        given = np.zeros(portrait.shape[:2], np.uint8)
        cv2.circle(given, (int(mouth[0]), int(mouth[1])), 30, 255, -1)
        result = unmasker.process(portrait, given_map=given)
    assert bare_engine.calls == []
    changed = (result.output.image != portrait).any(2)
    assert not changed[given == 0].any()
    assert changed[given > 0].mean() > 0.99


@pytest.mark.parametrize(
    ("given", "error"),
    [(np.zeros((3, 3), np.uint8), ValueError), (np.zeros((720, 960), np.float32), TypeError)],
)
def test_given_map_of_another_form_is_refused(
    portrait: Picture,
    bare_engine: FakeEngine,
    editor_engine: FakeEngine,
    given: NDArray[np.uint8],
    error: type[Exception],
) -> None:
    with Unmasker(bare_engine, editor_engine) as unmasker, pytest.raises(error, match="given_map"):
        unmasker.process(portrait, given_map=given)


def crowd(portrait: Picture, count: int) -> Picture:
    """The same face several times, in one row."""
    part = cv2.resize(portrait[0:480, 180:620], None, fx=0.6, fy=0.6)
    return np.ascontiguousarray(np.hstack([part] * count))


def test_more_faces_than_a_batch_are_all_painted(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        result = unmasker.process(crowd(portrait, 6))
    assert len(result.faces) == len(result.reconstructions) == 6
    assert [len(call["map"]) for call in editor_engine.calls] == [4, 4, 4]  # with the mirror's


def test_stills_are_painted_in_a_mirror_too(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        unmasker.process(portrait)
    (call,) = editor_engine.calls
    for values in call.values():
        assert len(values) == 2 and np.array_equal(values[1], values[0][..., ::-1])


def test_a_given_map_paints_its_own_face_only(
    portrait: Picture, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    picture = crowd(portrait, 2)
    with Unmasker(bare_engine, editor_engine, PLAIN) as unmasker:
        left = unmasker.process(picture).faces[0]
        mouth = left.landmarks[13, :2].astype(int)
        given = np.zeros(picture.shape[:2], np.uint8)
        cv2.circle(given, (int(mouth[0]), int(mouth[1])), 25, 255, -1)
        result = unmasker.process(picture, given_map=given)
    assert [made.track_id for made in result.reconstructions] == [left.track_id]


@pytest.mark.parametrize("count", [1, 2])
def test_a_stroke_apart_from_the_mask_is_painted_with_the_nearest_face(
    portrait: Picture, bare_engine: FakeEngine, editor_engine: FakeEngine, count: int
) -> None:
    """A strap, say, that the map network passed over and a person drew."""
    picture = crowd(portrait, count)
    with Unmasker(bare_engine, editor_engine, PLAIN) as unmasker:
        last = unmasker.process(picture).faces[-1]
        x, y = last.landmarks[234, :2].astype(int)  # before the ear, on the neighbour's side
        given = np.zeros(picture.shape[:2], np.uint8)
        cv2.line(given, (int(x), int(y) - 12), (int(x), int(y) + 8), 255, 5)
        result = unmasker.process(picture, given_map=given)
    assert [made.track_id for made in result.reconstructions] == [last.track_id]
    changed = (result.output.image != picture).any(2)
    assert not changed[given == 0].any()
    assert changed[given > 0].mean() > 0.99


def test_a_map_used_again_paints_the_same(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        first = unmasker.process(portrait)
        assert first.map is not None
        again = unmasker.process(portrait, given_map=first.map)
    away = np.abs(again.output.image.astype(int) - first.output.image).max(2)
    assert not away[first.map == 0].any()
    assert np.percentile(away[first.map > 0], 95) <= 2


def test_colour_match_takes_an_offset_away(
    portrait: Picture, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """An editor that is right but for a tint is corrected from what lies around the hole."""
    tint = np.array([0.15, -0.1, 0.05], np.float32)[None, :, None, None]
    with Unmasker(map_engine, editor_engine, PLAIN) as finder:
        alignment = align(finder.process(portrait).faces[0].landmarks, 256)
    assert alignment.size == 256
    editor_engine.answer = lambda inputs: {
        "rgb": inputs["image"] * (1 - inputs["map"]) + 0.2 * inputs["map"] + tint,
        "confidence": inputs["map"],
    }
    middle = []
    for settings in (PLAIN, Settings()):
        with Unmasker(map_engine, editor_engine, settings) as unmasker:
            made = unmasker.process(portrait).reconstructions[0]
        middle.append(made.crop[170:180, 120:136].reshape(-1, 3).mean(0))
    expected = (0.2 + 1) * 127.5
    assert np.abs(middle[1] - expected).max() < 3 < np.abs(middle[0] - expected).max()


def test_mask_does_not_flutter_near_the_threshold(
    clip: list[Picture], map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    """Coverage that falls a little below the upper bound keeps a mask that was there."""
    full = map_engine.answer
    share = {"rows": 256}

    def partly(inputs: object) -> dict[str, NDArray[np.float32]]:
        plane = full(inputs)["map"].copy()  # type: ignore[arg-type]
        plane[:, :, : share["rows"]] = 0
        return {"map": plane}

    map_engine.answer = partly
    state = State()
    worn = []
    with Unmasker(map_engine, editor_engine, PLAIN) as unmasker:
        for rows in (0, 0, 180, 180, 180, 215, 215, 215, 180, 180):
            share["rows"] = rows
            worn.append(bool(unmasker.process(clip[0], state).reconstructions))
    assert worn[:5] == [True] * 5  # a little under the upper bound: stays
    assert worn[7:] == [False] * 3  # gone, and the same little does not bring it back


def test_close_frees_the_engines(map_engine: FakeEngine, editor_engine: FakeEngine) -> None:
    unmasker = Unmasker(map_engine, editor_engine)
    unmasker.close()
    unmasker.close()
    assert map_engine.closed and editor_engine.closed
