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
from training.shards import PROFILE, load_shards

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


def test_the_ends_of_the_photograph_stay_in_place(seen: Seen) -> None:
    image, mesh = seen
    turned, plain = profile(image, mesh, 0.5), profile(image, mesh, 0.0)
    assert turned is not None and plain is not None
    np.testing.assert_array_equal(turned.corners, plain.corners)
    known = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(known, np.round(plain.corners.clip(-4000, 4000)).astype(np.int32), 1)
    inner = cv2.erode(known, np.ones((9, 9), np.uint8), borderValue=1)
    rim = ((known - inner) > 0) & (known > 0)
    if rim.any():
        assert np.abs(turned.image.astype(int) - plain.image)[rim].mean() < 3


def test_a_face_at_the_end_of_its_picture_is_not_turned(seen: Seen) -> None:
    image, mesh = seen
    left = int(mesh[:, 0].min()) + 2
    cut = mesh - np.array([left, 0, 0], np.float32)
    assert profile(np.ascontiguousarray(image[:, left:]), cut, 0.4) is None


def test_copies_lie_beside_the_faces_that_may_be_trained_on(
    pictures: Path, tmp_path: Path
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
    further = np.mean([abs(data.yaw(mesh)) for mesh in copies.landmarks])
    assert further > np.mean([abs(data.yaw(mesh)) for mesh in before.landmarks]) + 0.1
    assert data.photographs(after).name.tolist() == before.name.tolist()
    with pytest.raises(ValueError, match="holds profiles already"):
        profiles.add([folder], out, 1.0)


def test_no_picture_that_can_be_turned_is_said(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    prepare([pictures], out)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="none could be turned"):
        profiles.add([empty], out, 1.0)
    with pytest.raises(FileNotFoundError, match="There is no"):
        profiles.add([tmp_path / "nowhere"], out, 1.0)


def _moved(mesh: Float32) -> Float32:
    """The mesh in the working picture."""
    return profiles.to_solid(mesh, profiles._upright(mesh)).astype(np.float32)
