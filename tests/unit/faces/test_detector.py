"""Faces are found: masked, small, several; and none where there are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask import resources
from realtime_unmask.errors import AssetError
from realtime_unmask.faces import landmarker
from realtime_unmask.faces.detector import Detector, _distinct, _tiles
from realtime_unmask.faces.landmarker import Landmarker

Picture = NDArray[np.uint8]


def face_of(portrait: Picture, height: int) -> Picture:
    """The demo's head and shoulders, scaled to a height in px."""
    part = portrait[0:480, 180:620]
    scale = height / part.shape[0]
    return cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def test_masked_face_is_found(portrait: Picture, detector: Detector) -> None:
    meshes = detector.find(portrait, 1)
    assert len(meshes) == 1
    assert meshes[0].shape == (478, 3)
    eyes = meshes[0][[33, 263], :2].mean(0)
    assert 300 < eyes[0] < 560 and 150 < eyes[1] < 400


def test_small_faces_of_a_large_still_are_found(portrait: Picture, detector: Detector) -> None:
    canvas = np.full((1200, 1600, 3), 128, np.uint8)
    small = face_of(portrait, 110)  # the face itself spans about 50 px
    places = [(100, 150), (700, 600), (1300, 1000)]
    for x, y in places:
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    meshes = detector.find_all(canvas)
    assert len(meshes) == len(places)
    for mesh, (x, y) in zip(meshes, places, strict=True):
        assert x < mesh[:, 0].mean() < x + small.shape[1]
        assert y < mesh[:, 1].mean() < y + small.shape[0]


def close_up(portrait: Picture) -> tuple[Picture, NDArray[np.int64]]:
    """The demo's face from brows to chin, as photographs are cut, and where it was."""
    at = np.array([373, 246])
    return np.ascontiguousarray(portrait[at[1] : 465, at[0] : 592]), at


def test_a_face_that_fills_its_picture_is_found_where_it_is(
    portrait: Picture, detector: Detector
) -> None:
    cut, at = close_up(portrait)
    assert detector.find(cut, 1) == []
    whole = detector.find(portrait, 1)[0]
    for meshes in (detector.find_all(cut), detector.find_close(cut, 1)):
        assert len(meshes) == 1
        eyes = (meshes[0] - whole)[[33, 133, 263, 362], :2] + at
        assert np.abs(eyes).max() < 0.1 * np.linalg.norm(whole[33] - whole[263])


def test_a_face_that_is_found_hides_no_close_one_beside_it(
    portrait: Picture, detector: Detector
) -> None:
    near = portrait[217:474, 359:605]
    meshes = detector.find_all(np.ascontiguousarray(np.hstack([near, near[:, ::-1]])))
    assert len(meshes) == 2
    assert meshes[0][:, 0].mean() < near.shape[1] < meshes[1][:, 0].mean()


def test_a_part_of_a_face_is_no_face(portrait: Picture, detector: Detector) -> None:
    mesh = detector.find(portrait, 1)[0]
    middle = mesh.mean(0)
    eye, beside = (mesh - middle) * 0.2 + middle, mesh + (300, 0, 0)
    kept = _distinct([eye, mesh, beside])
    assert [any(np.array_equal(one, other) for other in kept) for one in (eye, mesh, beside)] == [
        False, True, True,
    ]  # fmt: skip


def test_one_face_is_reported_once(portrait: Picture, detector: Detector) -> None:
    assert len(detector.find_all(portrait)) == 1


def test_nothing_is_found_in_noise(detector: Detector) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    assert detector.find_all(noise) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (30, 30, 3)])
def test_tiny_pictures_are_no_problem(shape: tuple[int, ...], detector: Detector) -> None:
    assert detector.find_all(np.zeros(shape, np.uint8)) == []


def test_follow_agrees_with_find(portrait: Picture, detector: Detector) -> None:
    mesh = detector.find(portrait, 1)[0]
    again = detector.follow(portrait, mesh)
    assert again is not None
    unit = np.linalg.norm(mesh[263] - mesh[33])
    assert np.abs(again[[33, 263, 168], :2] - mesh[[33, 263, 168], :2]).max() < 0.05 * unit


def test_follow_says_when_the_face_has_gone(portrait: Picture, detector: Detector) -> None:
    mesh = detector.find(portrait, 1)[0]
    assert detector.follow(np.zeros_like(portrait), mesh) is None


def test_tiles_cover_the_picture_at_each_level() -> None:
    seen: dict[int, NDArray[np.bool_]] = {}
    for x, y, side in _tiles(1700, 900):
        seen.setdefault(side, np.zeros((900, 1700), bool))[y : y + side, x : x + side] = True
    assert min(seen) == 320
    assert all(plane.all() for plane in seen.values())


def test_altered_bundle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(landmarker.BUNDLES, "full_range", "0" * 64)
    with pytest.raises(AssetError, match="not the file that was shipped"):
        Landmarker("full_range")


def test_missing_assets_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path)
    with pytest.raises(AssetError, match=r"face_landmarker_full_range\.task cannot be read"):
        Landmarker("full_range")
