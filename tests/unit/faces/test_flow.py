"""Optical flow carries a mesh on, and says so when it cannot."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces import flow
from realtime_unmask.faces.alignment import POINTS, align
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.landmarker import Follower
from realtime_unmask.faces.tracker import Tracks, track
from realtime_unmask.types import Frame

WIDTH, HEIGHT = 480, 360


def texture(seed: int = 1) -> NDArray[np.uint8]:
    """Blobs of all sizes, so that each place looks like no other."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), s) * s for s in (2, 5, 12)]
    grey = np.clip(128 + 60 * np.sum(noise, 0), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def mesh(zoom: float = 60) -> NDArray[np.float32]:
    """A frontal face in the middle, its outer eye corners `zoom` px apart."""
    from realtime_unmask.faces.alignment import REFERENCE

    points = np.zeros((478, 3), np.float32)
    points[POINTS] = REFERENCE * zoom
    return points + np.array([WIDTH / 2, HEIGHT / 2, 0], np.float32)


def moved(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    out = cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    return out.astype(np.uint8)


@pytest.mark.parametrize("zoom", [40, 60, 130])
def test_a_shift_a_turn_and_a_zoom_are_followed(zoom: float) -> None:
    image, face = texture(), mesh(zoom)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 2.0, 1.02)
    matrix[:, 2] += (0.06 * zoom, -0.04 * zoom)
    before = flow.glimpse(image, face)
    assert before is not None
    later = moved(image, matrix)
    found = flow.follow(before, flow.again(later, before), face)
    assert found is not None
    truth = face[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(found[POINTS, :2] - truth[POINTS]).max() < 0.02 * zoom
    assert found[263, 2] == pytest.approx(face[263, 2] * 1.02, abs=0.02 * zoom)


def test_another_picture_is_not_believed() -> None:
    face = mesh()
    before = flow.glimpse(texture(1), face)
    assert before is not None
    assert flow.follow(before, flow.again(texture(2), before), face) is None


def test_a_picture_without_texture_is_not_believed() -> None:
    face, flat = mesh(), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    before = flow.glimpse(flat, face)
    assert before is not None
    assert flow.follow(before, flow.again(flat, before), face) is None


def test_a_tiny_face_is_not_glimpsed() -> None:
    assert flow.glimpse(texture(), mesh(6)) is None


def test_a_face_at_the_edge_and_beyond_is_no_fault() -> None:
    face = mesh() - np.array([WIDTH / 2 + 20, 0, 0], np.float32)
    before = flow.glimpse(texture(), face)
    assert before is not None
    flow.follow(before, flow.again(texture(), before), face)


def test_fewer_looks_keep_the_crop_where_it_was(
    clip: list[NDArray[np.uint8]], detector: Detector
) -> None:
    """The real clip: aligned by every look, and by every second one with flow between."""
    centre = np.array([0.5, 0.6, 1 / 256]) * 256
    places = {}
    for every in (1, 2):
        tracks, path = Tracks(), []
        for number, image in enumerate(clip[:12]):
            frame = Frame(image, Fraction(number, 30), 0, number)
            (face,) = track(frame, detector, tracks, 1, every)
            path.append(align(face.landmarks, 256).inverse() @ centre)
        places[every] = np.array(path)
    eyes = 0.36 * 256 * 1.9  # px of the frame in the demo clip
    assert np.abs(places[1] - places[2]).max() < 0.06 * eyes


def test_between_two_looks_the_landmarker_rests(clip: list[NDArray[np.uint8]]) -> None:
    looks = []

    class CountingFollower(Follower):
        def look(
            self, image: NDArray[np.uint8], expected: NDArray[np.float32], step_s: float
        ) -> NDArray[np.float32] | None:
            looks.append(round(step_s * 30))
            return super().look(image, expected, step_s)

    class Counting(Detector):
        def follower(self) -> Follower:
            return CountingFollower()

    with Counting() as counting:
        tracks = Tracks()
        for number, image in enumerate(clip[:9]):
            track(Frame(image, Fraction(number, 30), 0, number), counting, tracks, 1, 4)
    assert looks == [3, 4]  # frames since the look before


def test_the_same_frames_give_the_same_meshes(
    clip: list[NDArray[np.uint8]], detector: Detector
) -> None:
    runs = []
    for _ in range(2):
        tracks, path = Tracks(), []
        for number, image in enumerate(clip[:6]):
            frame = Frame(image, Fraction(number, 30), 0, number)
            path.append(track(frame, detector, tracks, 1, 2)[0].landmarks)
        runs.append(np.array(path))
    assert np.array_equal(runs[0], runs[1])


def test_a_follower_goes_along_with_a_face_and_says_when_it_is_gone(
    portrait: NDArray[np.uint8], detector: Detector
) -> None:
    (mesh,) = detector.find(portrait, 1)
    eyes = float(np.linalg.norm(mesh[263] - mesh[33]))
    with Follower() as follower:
        for shift in (0, 40, -60):  # far more than between two frames, but expected there
            image = np.roll(portrait, shift, 1)
            found = follower.look(image, mesh + np.array([shift, 0, 0], np.float32), 1 / 30)
            assert found is not None
            off = found[POINTS, :2] - mesh[POINTS, :2] - (shift, 0)
            assert np.linalg.norm(off, axis=1).mean() < 0.05 * eyes
        assert follower.look(np.zeros_like(portrait), mesh, 1 / 30) is None
        assert follower.look(portrait, mesh * np.float32(np.nan), 1 / 30) is None
