"""Copies of faces with their heads turned."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_unmask.faces.landmarker import Landmarker
from realtime_unmask.types import Float32, UInt8
from tests.training.conftest import of_demo
from training import data, profiles
from training.__main__ import main
from training.prepare import prepare
from training.profiles import SIDE, facing, profile
from training.shards import PROFILE, Faces, load_shards

Seen = tuple[UInt8, Float32]


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker("short_range")


@pytest.fixture(scope="module")
def seen(landmarker: Landmarker) -> Seen:
    """A picture of the demo and its mesh."""
    _, image = next(of_demo())
    return image, landmarker.detect(image)[0]


@pytest.mark.parametrize("degrees", [-28, 15, 28])
def test_a_head_is_turned_to_the_side_that_is_asked(
    seen: Seen, landmarker: Landmarker, degrees: int
) -> None:
    made = profile(*seen, np.radians(degrees))
    assert made is not None
    mesh = landmarker.detect(made.image)[0]
    turned = np.degrees(facing(mesh) - facing(seen[1]))
    assert 0.5 < turned / degrees < 1.2  # the landmarker takes noses for flatter than they are
    away = np.linalg.norm(mesh[: profiles.SKIN_POINTS, :2] - made.points, axis=1)
    assert away.mean() < profiles.ASTRAY * profiles.EYES


def test_a_head_that_is_not_turned_stays_as_it_is(seen: Seen) -> None:
    made = profile(*seen, 0.0)
    assert made is not None
    again = profile(made.image, _moved(seen[1]), 0.0)
    assert again is not None
    assert np.abs(again.image.astype(int) - made.image).mean() < 2


def test_a_mirrored_head_turns_the_other_way(seen: Seen) -> None:
    image, mesh = seen
    working = profile(image, mesh, 0.0)
    assert working is not None
    solid = profiles.to_solid(mesh, profiles._upright(mesh))[: profiles.SKIN_POINTS]
    movement = profiles._spread(solid, profiles._moves(solid, 0.4))
    there = profiles._along_rows(working.image, movement, True)
    back = profiles._along_rows(working.image[:, ::-1], -movement[:, ::-1], False)
    np.testing.assert_array_equal(back[:, ::-1], there)


def test_what_comes_to_the_front_hides_what_is_behind_it() -> None:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[:, 300:400] = (255, 0, 0)  # goes 60 px to the right
    image[:, 400:440] = (0, 255, 0)  # stays, and is covered
    image[:, 440:] = (0, 0, 255)  # stays, and is covered up to 460
    movement = np.zeros((SIDE, SIDE), np.float32)
    movement[:, 300:400] = 60
    made = profiles._along_rows(image, movement, True)
    assert (made[:, 362:456] == (255, 0, 0)).all()
    assert not made[..., 1].any()
    assert (made[:, 464:] == (0, 0, 255)).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_ends_of_the_photograph_stay_in_place(seen: Seen, side: str) -> None:
    image, mesh = seen
    if side == "left":
        first = int(mesh[:, 0].min()) - 90
        image, mesh = image[:, first:], mesh - np.array([first, 0, 0], np.float32)
    else:
        image = image[:, : int(mesh[:, 0].max()) + 90]
    image = np.ascontiguousarray(image)
    for angle in (-0.4, 0.4):
        turned, plain = profile(image, mesh, angle), profile(image, mesh, 0.0)
        assert turned is not None and plain is not None
        np.testing.assert_array_equal(turned.corners, plain.corners)
        room = profiles._room(plain.corners)
        end = (room > 0) & (room < 0.05)
        assert end.any()
        assert np.abs(turned.image.astype(int) - plain.image)[end].mean() < 0.6


def test_a_face_at_the_end_of_its_picture_is_not_turned(seen: Seen) -> None:
    image, mesh = seen
    left = int(mesh[:, 0].min()) + 2
    cut = mesh - np.array([left, 0, 0], np.float32)
    assert profile(np.ascontiguousarray(image[:, left:]), cut, 0.4) is None


def test_copies_lie_beside_the_faces_that_may_be_trained_on(
    pictures: Path, tmp_path: Path, landmarker: Landmarker
) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(pictures, folder)
    table = ["file,split,set,origin"]
    names = sorted(path.name for path in folder.iterdir())
    for number, name in enumerate(names):
        split = "val" if number == 0 else "train"
        group = data.UNSEEN_SETS[0] if number == 1 else "utk"
        table.append(f"{name},{split},{group},{number}.jpg")
    (folder / "faces.csv").write_text("\n".join(table))
    out = tmp_path / "prepared"
    prepare([folder], out)
    before = load_shards(out)
    assert main(["profiles", str(folder), "--data", str(out), "--share", "1"]) == 0
    after = load_shards(out)
    count = len(before)
    assert after.name[:count].tolist() == before.name.tolist()
    copies = after.where(np.arange(len(after)) >= count)
    assert set(copies.name.tolist()) <= {PROFILE + name for name in names[2:]}
    assert len(copies) >= 3
    assert set(copies.set.tolist()) == {"utk"}
    away = [
        np.linalg.norm(landmarker.detect(copies.image(k))[0][:, :2] - mesh, axis=1).mean()
        for k, mesh in enumerate(copies.landmarks)
    ]
    assert np.median(away) < 6  # the demo wears a mask: the furthest turned one is seen otherwise
    own = before.corners[-len(copies) :]
    assert np.abs(copies.corners - own).mean() < 60
    further = np.mean([abs(data.yaw(mesh)) for mesh in copies.landmarks])
    assert further > np.mean([abs(data.yaw(mesh)) for mesh in before.landmarks]) + 0.1
    assert data.photographs(after).name.tolist() == before.name.tolist()
    with pytest.raises(ValueError, match="holds profiles already"):
        profiles.add([folder], out, 1.0)


def test_what_is_not_what_was_prepared_is_left_out(pictures: Path, tmp_path: Path) -> None:
    out, empty, others = tmp_path / "prepared", tmp_path / "empty", tmp_path / "others"
    prepare([pictures], out)
    empty.mkdir()
    with pytest.raises(ValueError, match="was tried"):
        profiles.add([empty], out, 1.0)
    with pytest.raises(ValueError, match="was tried"):
        profiles.add([pictures], out, 0.0)
    with pytest.raises(FileNotFoundError, match="There is no"):
        profiles.add([tmp_path / "nowhere"], out, 1.0)
    others.mkdir()
    for path in pictures.iterdir():  # namesakes that show something else
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(others / path.name), cv2.resize(image, None, fx=0.8, fy=1.0))
    with pytest.raises(ValueError, match="not the pictures that were prepared"):
        profiles.add([others], out, 1.0)
    assert not list(out.glob(f"{profiles.STEM}*"))


def test_a_mistyped_folder_is_not_made(pictures: Path, tmp_path: Path) -> None:
    assert main(["profiles", str(pictures), "--data", str(tmp_path / "no" / "deep")]) == 1
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(("now", "least", "most"), [(0, 10, 36), (-30, -30, -10), (55, 0, 0)])
def test_heads_are_turned_on_and_not_too_far(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, now: int, least: int, most: int
) -> None:
    monkeypatch.setattr(profiles, "facing", lambda mesh: np.radians(now))
    angles = [np.degrees(profiles._angle(seen[1], np.random.default_rng(k))) for k in range(40)]
    if now == 0:
        assert {bool(a > 0) for a in angles} == {True, False}
        angles = [abs(a) for a in angles]
    assert least - 1e-6 <= min(angles) and max(angles) <= most + 1e-6


def test_copies_change_nobody_who_is_held_out(faces: Faces) -> None:
    """Where origins name no people, names stand for them."""
    made = faces.where(np.arange(len(faces)) < 6)
    made.set = np.array([data.CLIPS] * 6)
    made.origin = np.array([""] * 6)
    made.name = np.array([f"p{k}" for k in range(4)] + [f"{PROFILE}p1", f"{PROFILE}p3"])
    assert data.held_out(made).tolist() == [False, False, True, True, False, True]
    assert data.photographs(made).name.tolist() == [f"p{k}" for k in range(4)]


def _moved(mesh: Float32) -> Float32:
    """The mesh in the working picture."""
    return profiles.to_solid(mesh, profiles._upright(mesh)).astype(np.float32)
