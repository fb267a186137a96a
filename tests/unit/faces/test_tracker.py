"""Faces keep their number, and a still head keeps still."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces import tracker
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.tracker import Tracks, catch_up, track
from realtime_unmask.types import Float32, Frame, UInt8


class ScriptedDetector(Detector):
    """Gives one mesh a frame; None stands for a lost face."""

    def __init__(self) -> None:
        super().__init__()
        self.now: Float32 | None = None

    def find(self, image: UInt8, max_faces: int) -> list[Float32]:
        return [] if self.now is None else [self.now]

    def find_close(self, image: UInt8, max_faces: int) -> list[Float32]:
        return []

    def settle(self, image: UInt8, mesh: Float32) -> Float32 | None:
        return mesh

    def follow(self, image: UInt8, mesh: Float32) -> Float32 | None:
        return self.now


def mesh_at(x: float, y: float, seed: int = 0) -> NDArray[np.float32]:
    points = np.random.default_rng(seed).uniform(-50, 50, (478, 3)).astype(np.float32)
    points[33], points[263] = (-30, -20, 0), (30, -20, 0)
    return points + np.array([x, y, 0], np.float32)


def frames(count: int) -> list[Frame]:
    image = np.zeros((200, 300, 3), np.uint8)
    return [Frame(image, Fraction(n, 30), 0, n) for n in range(count)]


def run(meshes: list[Float32 | None]) -> list[list[tuple[int, Float32]]]:
    detector, tracks = ScriptedDetector(), Tracks()
    seen = []
    for frame, mesh in zip(frames(len(meshes)), meshes, strict=True):
        detector.now = mesh
        faces = track(frame, detector, tracks, 4)
        seen.append([(face.track_id, face.landmarks) for face in faces])
    return seen


def test_a_moving_face_keeps_its_number() -> None:
    seen = run([mesh_at(100 + 3 * n, 100) for n in range(25)])
    assert [len(faces) for faces in seen] == [1] * 25
    assert {faces[0][0] for faces in seen} == {0}


def test_a_face_that_went_and_came_gets_a_new_number() -> None:
    there, gone = mesh_at(100, 100), None
    seen = run([there, there, gone, there])
    assert [[number for number, _ in faces] for faces in seen] == [[0], [0], [], [1]]


def test_tremble_of_a_still_head_is_smoothed() -> None:
    rng = np.random.default_rng(3)
    noise = [np.float32(rng.normal(0, 0.5)) for _ in range(90)]
    seen = run([mesh_at(100, 100) + n for n in noise])
    xs = np.array([faces[0][1][168, 0] for faces in seen])
    assert xs[30:].std() < 0.6 * np.std(noise[30:])


def test_a_quick_move_is_followed_within_a_tenth_of_the_eye_distance() -> None:
    path = [mesh_at(100 + 6 * n, 100) for n in range(20)]
    seen = run(path)
    behind = path[-1][168, 0] - seen[-1][0][1][168, 0]
    assert 0 <= behind < 0.1 * 60


def test_the_real_face_is_followed(clip: list[NDArray[np.uint8]], detector: Detector) -> None:
    tracks = Tracks()
    for number, image in enumerate(clip[:6]):
        faces = track(Frame(image, Fraction(number, 30), 0, number), detector, tracks, 4)
        assert [face.track_id for face in faces] == [0]
        box = faces[0].box
        assert box[0] < faces[0].landmarks[4, 0] < box[2]


def follow_clip(
    clip: list[NDArray[np.uint8]], detector: Detector, *, catching_up: bool
) -> list[Float32]:
    """The one face's mesh in each frame, looked for in every second one."""
    tracks, meshes = Tracks(), []
    for number, image in enumerate(clip[:12]):
        frame = Frame(image, Fraction(number, 30), 0, number)
        meshes += [face.landmarks for face in track(frame, detector, tracks, 4, look_every=2)]
        if catching_up:
            catch_up(detector, tracks)
    return meshes


def test_a_look_beforehand_gives_the_same_faces(
    clip: list[NDArray[np.uint8]], detector: Detector
) -> None:
    late = follow_clip(clip, detector, catching_up=False)
    early = follow_clip(clip, detector, catching_up=True)
    assert len(late) == 12
    assert np.array_equal(late, early)


def test_a_frame_with_known_faces_waits_for_no_landmarker(
    clip: list[NDArray[np.uint8]], detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    now = "frame"
    look, find = tracker._look, Detector.find
    monkeypatch.setattr(tracker, "_look", lambda *a: looks.append(now) or look(*a))
    monkeypatch.setattr(Detector, "find", lambda *a: looks.append(now) or find(*a))
    tracks = Tracks()
    for number in range(2 * tracker.SEARCH_EVERY):
        image = clip[number % len(clip)]
        now = "frame"
        track(Frame(image, Fraction(number, 30), 0, number), detector, tracks, 4, look_every=2)
        now = "between"
        catch_up(detector, tracks)
    assert looks.count("frame") <= 1 + (len(clip) < 2 * tracker.SEARCH_EVERY)
    assert looks.count("between") >= tracker.SEARCH_EVERY


def test_a_newcomer_beside_a_known_face_is_seen_soon(
    clip: list[NDArray[np.uint8]], detector: Detector
) -> None:
    tracks, seen = Tracks(), []
    for number in range(14):
        image = clip[number % len(clip)]
        beside = image if number > 6 else np.full_like(image, 100)
        both = np.ascontiguousarray(np.hstack([image, beside]))
        seen.append(len(track(Frame(both, Fraction(number, 30), 0, number), detector, tracks, 4)))
    assert seen == [1] * 11 + [2] * 3  # glanced at in number 10


def test_nobody_is_looked_for_while_nothing_comes(
    clip: list[NDArray[np.uint8]], detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    find = Detector.find
    monkeypatch.setattr(Detector, "find", lambda *a: looks.append(number) or find(*a))
    tracks = Tracks()
    for number in range(2 * tracker.SEARCH_EVERY + 2):
        lit = clip[0].astype(np.int16) + 10 * (number % 2)  # as a camera that flickers
        image = np.clip(lit, 0, 255).astype(np.uint8)
        track(Frame(image, Fraction(number, 30), 0, number), detector, tracks, 4)
    known = [number for number in looks if number]
    assert known == [tracker.SEARCH_EVERY + 1, 2 * tracker.SEARCH_EVERY + 1]


def test_a_face_that_the_look_does_not_find_is_gone_in_the_next_frame(
    clip: list[NDArray[np.uint8]], detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = Tracks()
    for number in (0, 1):
        track(Frame(clip[number], Fraction(number, 30), 0, number), detector, tracks, 4, 2)
    monkeypatch.setattr(tracker, "_look", lambda *a: None)
    monkeypatch.setattr(Detector, "find", lambda *a: [])
    assert track(Frame(clip[2], Fraction(2, 30), 0, 2), detector, tracks, 4, 2) == []
    assert tracks.known == []


def test_a_face_that_fills_the_frame_is_followed(
    clip: list[NDArray[np.uint8]], detector: Detector
) -> None:
    tracks = Tracks()
    seen = [
        track(Frame(image[246:465, 373:592].copy(), Fraction(n, 30), 0, n), detector, tracks, 1, 2)
        for n, image in enumerate(clip)
    ]
    assert sum(map(bool, seen)) >= 9


def test_fewer_faces_are_followed_from_the_frame_on_in_which_fewer_are_asked_for() -> None:
    tracks, detector = Tracks(), ScriptedDetector()
    small, large = 0.5 * mesh_at(100, 100), mesh_at(200, 100)
    both = [small.astype(np.float32), large]
    detector.find = lambda image, max_faces: both  # type: ignore[method-assign]
    detector.follow = lambda image, mesh: mesh  # type: ignore[method-assign]
    one, *_, last = frames(3)
    numbers = {face.track_id: face for face in track(one, detector, tracks, 4)}
    assert len(numbers) == 2
    (left,) = track(last, detector, tracks, 1)
    assert left.box[2] - left.box[0] > 75 and left.track_id in numbers
