"""Faces that lie on their side, and the turns by which they are seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces import quarters
from realtime_unmask.faces.detector import Detector, overlap
from realtime_unmask.faces.tracker import Tracks, track
from realtime_unmask.types import Frame

Picture = NDArray[np.uint8]


def lying(portrait: Picture, degrees: float) -> Picture:
    """The portrait turned clockwise about its middle."""
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 0.8)
    return cv2.warpAffine(
        portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8)


@pytest.mark.parametrize("turns", range(4))
def test_points_of_a_turned_picture_come_back(turns: int) -> None:
    image = np.zeros((30, 50, 3), np.uint8)
    image[4:6, 40:42] = 255  # its middle is at (41, 5)
    rows, columns = np.nonzero(quarters.turned(image, turns)[..., 0])
    middle = np.array([[columns.mean() + 0.5, rows.mean() + 0.5, 7.0]], np.float32)
    assert np.allclose(quarters.back(middle, turns, image.shape), (41, 5, 7), atol=1e-4)
    away = np.array([3.0, 1.0]) @ quarters.rotation(turns).T
    assert np.allclose(away, [(3, 1), (1, -3), (-3, -1), (-1, 3)][turns])


def test_a_turn_stays_until_the_face_leans_far_from_it(
    portrait: Picture, detector: Detector
) -> None:
    mesh = detector.find_all(portrait)[0]
    said = []
    for degrees in (0, 50, 70, 50, 20, -80, 180):
        angle = np.deg2rad(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        said.append(quarters.of_face(mesh[:, :2] @ turn.T, said[-1] if said else 0))
    assert said == [0, 0, 1, 1, 0, 3, 2]


@pytest.mark.parametrize("degrees", [90, -90])
def test_a_face_that_lies_is_found_and_followed(
    portrait: Picture, detector: Detector, degrees: float
) -> None:
    image = lying(portrait, degrees)
    (mesh,) = detector.find_all(image)
    x, y = mesh[263, :2] - mesh[33, :2]
    assert np.rad2deg(np.arctan2(y, x)) == pytest.approx(degrees, abs=12)
    tracks = Tracks()
    faces = [track(Frame(image), detector, tracks, 4) for _ in range(5)]
    (face,) = faces[-1]
    assert overlap(face.landmarks, mesh) > 0.8
    assert faces[-2][0].track_id == face.track_id


def test_a_head_that_sinks_to_its_side_is_followed(portrait: Picture, detector: Detector) -> None:
    tracks = Tracks()
    for degrees in range(0, 101, 4):
        (face,) = track(Frame(lying(portrait, degrees)), detector, tracks, 4)
        x, y = face.landmarks[263, :2] - face.landmarks[33, :2]
        assert np.rad2deg(np.arctan2(y, x)) == pytest.approx(degrees, abs=12)
    assert face.track_id == 0


def test_no_false_face_keeps_one_that_lies_from_being_looked_for(
    portrait: Picture, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a clip of 768 x 576, where a small upright face was seen in the one that lies."""
    image = lying(portrait, -90)
    (mesh,) = detector.find_all(image)
    false = np.float32(0.25) * mesh + np.float32(0.75) * mesh.mean(0)
    monkeypatch.setattr(detector, "find", lambda image, max_faces: [false])
    tracks = Tracks()
    for number in range(2):
        faces = track(Frame(image, None, 0, number), detector, tracks, 4, look_every=2)
    (face,) = faces
    assert overlap(face.landmarks, mesh) > 0.8
