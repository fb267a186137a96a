"""Labelled photographs: harvested by their verdicts, and learned from as they are."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import EYE_DISTANCE, align
from realtime_unmask.faces.landmarker import Landmarker
from training import data, editor_data
from training.__main__ import main
from training.labelled import (
    FULL,
    HAND_WEIGHT,
    STRAP,
    STRAPPED_WEIGHT,
    UNKNOWN,
    Labelled,
    RealMasks,
    load_real_masks,
)
from training.map_data import map_sample
from training.masks.pasted import mirrored
from training.prepare import numbered
from training.real_masks import STRAP_END_PX, VERDICTS, coded_map, for_scoring, harvest
from training.shards import CROP, MARGIN, STORED, Faces

# Outline of a mask on the mesh: ears, nose, and along the jaw.
_OUTLINE = (234, 117, 197, 346, 454, 361, 397, 379, 152, 150, 172, 132)


def _name(scoring: bool, start: int = 0) -> str:
    return next(n for k in range(start, 99) if for_scoring(n := f"photo_{k}.png") == scoring)


@pytest.fixture(scope="module")
def photo(pictures: Path) -> Path:
    return sorted(pictures.glob("*.png"))[0]


@pytest.fixture(scope="module")
def verdict(photo: Path) -> dict[str, Any]:
    """The demo's face with an outline where a mask would be."""
    bgr = cv2.imread(str(photo))
    assert bgr is not None
    with Landmarker() as landmarker:
        mesh = landmarker.detect(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8))[0]
    return {
        "eyes": mesh[[33, 263], :2].ravel().round(1).tolist(),
        "from": "hand",
        "mask": [mesh[list(_OUTLINE), :2].ravel().round(1).tolist()],
    }


@pytest.fixture(scope="module")
def real(
    photo: Path, verdict: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> RealMasks:
    """Three photographs: two masks and a bare face."""
    folder = tmp_path_factory.mktemp("photos")
    names = [n for k in range(99) if not for_scoring(n := f"photo_{k}.png")][:3]
    for name in names:
        shutil.copy(photo, folder / name)
    bare = verdict | {"mask": [], "from": "bare"}
    (folder / "verdicts.json").write_text(
        json.dumps({names[0]: [verdict], names[1]: [verdict], names[2]: [bare]})
    )
    harvest(folder, folder / "real.npz", folder / "verdicts.json")
    return load_real_masks(folder / "real.npz")


def test_an_outline_in_the_photo_is_found_again_in_the_crop(
    photo: Path, verdict: dict[str, Any], real: RealMasks
) -> None:
    plane, known = real.map(0)
    assert plane.shape == known.shape == (STORED, STORED)
    bgr = cv2.imread(str(photo))
    assert bgr is not None
    with Landmarker() as landmarker:
        mesh = landmarker.detect(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8))[0]
    ring = np.array(verdict["mask"][0], np.float32).reshape(-1, 2)
    matrix = align(mesh, CROP).matrix
    moved = ring @ matrix[:, :2].T + matrix[:, 2] + MARGIN
    wanted = np.zeros((STORED, STORED), np.uint8)
    cv2.fillPoly(wanted, [np.round(moved).astype(np.int32)], 1)
    both = ((plane > 0.5) & (wanted > 0)).sum()
    assert both / ((plane > 0.5) | (wanted > 0)).sum() > 0.9
    assert list(real.faces.origin)[2] == "bare" and not real.map(2)[0].any()


def test_what_cannot_serve_is_counted_with_its_reason(
    photo: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    good, kept = _name(scoring=False), _name(scoring=True)
    broken, judged = _name(scoring=False, start=20), _name(scoring=False, start=40)
    for name in (good, kept, judged, "nobody.png"):
        shutil.copy(photo, tmp_path / name)
    assert not for_scoring("nobody.png")
    (tmp_path / broken).write_bytes(b"no picture")
    elsewhere = verdict | {"eyes": [1, 1, 9, 1]}
    table = {
        good: [verdict, elsewhere], kept: [verdict], broken: [verdict],
        judged: [{"refused": "not a face"}],
    }  # fmt: skip
    (tmp_path / "verdicts.json").write_text(json.dumps(table))
    counts = harvest(tmp_path, tmp_path / "real.npz", tmp_path / "verdicts.json")
    assert counts == {
        "hand": 1, "kept for scoring": 1, "no verdict": 1, "unreadable": 1,
        "refused: not a face": 1, "face not found again": 1,
    }  # fmt: skip
    assert len(load_real_masks(tmp_path / "real.npz")) == 1


def test_a_tar_is_read_like_a_folder(
    photo: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    name = _name(scoring=False)
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(photo, name)
    (tmp_path / "verdicts.json").write_text(json.dumps({name: [verdict]}))
    counts = harvest(tmp_path / "photos.tar", tmp_path / "out.npz", tmp_path / "verdicts.json")
    assert counts["hand"] == 1


def test_namesakes_in_a_tar_are_told_apart_and_go_together(
    photo: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    assert list(numbered(["a.png", "b.png", "a.png", "a.png"])) == [
        "a.png", "b.png", "a__1.png", "a__2.png",
    ]  # fmt: skip
    for scoring in (False, True):
        name = _name(scoring)
        twin = name.replace(".png", "__1.png")
        assert for_scoring(twin) == for_scoring(f"two/{name}") == scoring
        with tarfile.open(tmp_path / "photos.tar", "w") as archive:
            for folder in ("one", "two"):
                archive.add(photo, f"{folder}/{name}")
        judged = {name: [{"refused": "blurred"}], twin: [verdict], "other.png": [verdict]}
        (tmp_path / "verdicts.json").write_text(json.dumps(judged))
        make = partial(
            harvest, tmp_path / "photos.tar", tmp_path / "out.npz", tmp_path / "verdicts.json"
        )
        if scoring:
            with pytest.raises(ValueError, match="'kept for scoring': 2"):
                make()
        else:
            assert make() == {"refused: blurred": 1, "hand": 1}
            assert load_real_masks(tmp_path / "out.npz").faces.name[0] == twin


def test_photos_without_verdicts_are_an_error_that_says_so(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["harvest", str(pictures), "-o", str(tmp_path / "out.npz")]) == 1
    said = capsys.readouterr().err
    assert "has an outline in" in said and "no verdict" in said
    assert not list(tmp_path.iterdir())


def test_verdicts_that_cannot_be_read_are_an_error(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "verdicts.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        harvest(pictures, tmp_path / "out.npz", tmp_path / "verdicts.json")


def test_the_shipped_verdicts_leave_the_scoring_photos_alone() -> None:
    judged = json.loads(VERDICTS.read_text())
    assert len(judged) > 400
    for name, faces in judged.items():
        assert not for_scoring(name), name
        for face in faces:
            if "refused" in face:
                continue
            assert len(face["eyes"]) == 4 and face["from"] in ("hand", "graph cut", "network")
            assert face["mask"] and all(len(r) % 2 == 0 and len(r) >= 6 for r in face["mask"])
            for width, *line in face.get("straps", []):
                assert width > 0 and len(line) % 2 == 0 and len(line) >= 4
            assert set(face.get("straps_known", [])) <= {"left", "right"}


def test_rings_inside_rings_are_holes_and_straps_are_unknown(faces: Faces) -> None:
    mesh = faces.landmarks[0]
    outer = mesh[list(_OUTLINE)]
    inner = mesh[13] + np.array([(-6, -6), (6, -6), (6, 6), (-6, 6)], np.float32)
    plane = coded_map([outer, inner], mesh)
    x, y = mesh[13].round().astype(int)
    assert plane[y, x] == 0 and plane[y, x - 20] == FULL
    x, y = mesh[127].round().astype(int)  # where a loop goes round the ear
    assert plane[y, x] == UNKNOWN
    x, y = mesh[9].round().astype(int)  # between the brows
    assert plane[y, x] == 0
    assert not coded_map([], mesh).any()


def _strapped(faces: Faces, known: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The map of a mask with a strap of 4 px to the left of the picture, and its middle line."""
    mesh = faces.landmarks[0]
    ear, cheek = mesh[127], mesh[234]
    line = np.array([cheek, ear + 0.5 * (ear - cheek)], np.float32)
    return coded_map([mesh[list(_OUTLINE)]], mesh, [(4.0, line)], known), line


def test_an_outlined_strap_is_mask_with_a_rim_that_nobody_knows(faces: Faces) -> None:
    plane, line = _strapped(faces, [])
    x, y = line.mean(0).round().astype(int)
    row = plane[y]
    assert row[x] == STRAP
    edges = np.flatnonzero(row == STRAP)
    assert 3 <= np.ptp(edges) + 1 <= 7  # it runs askew
    assert row[edges.min() - 1] == row[edges.max() + 1] == UNKNOWN
    assert row[edges.min() - 5] == row[edges.max() + 5] == 0  # no other is so near


def test_straps_are_as_wide_and_lie_where_they_are_said_to(faces: Faces) -> None:
    mesh = faces.landmarks[0]
    rings = [mesh[list(_OUTLINE)]]
    left = float(mesh[234, 0]) - 30
    bent = np.array([(left, 100), (left, 60), (left, 100)], np.float32)  # there and back again
    for line in (bent[:2], bent):
        rows, columns = np.nonzero(coded_map(rings, mesh, [(6.0, line)]) == STRAP)
        assert abs(len(rows) - 6 * 40) < 60
        assert columns.mean() == pytest.approx(left, abs=0.3)
        assert rows.min() == pytest.approx(60, abs=4) and rows.max() == pytest.approx(100, abs=1)


def test_a_strap_may_go_on_where_its_outline_ends(faces: Faces) -> None:
    plane, line = _strapped(faces, ["left", "right"])
    x, y = line[1].round().astype(int)
    assert (plane[y - STRAP_END_PX + 1 : y - 2, x] == UNKNOWN).all()
    assert plane[y - STRAP_END_PX - 2, x] == 0


def test_there_is_no_gap_where_a_strap_leaves_the_mask(faces: Faces) -> None:
    mesh = faces.landmarks[0]
    rings = [mesh[list(_OUTLINE)]]
    start = mesh[list(_OUTLINE)].mean(0)
    line = np.array([start, start - [90, 20]], np.float32)
    plane = coded_map(rings, mesh, [(5.0, line)], ["left"])
    assert (plane == STRAP).sum() > 100
    along = np.linspace(line[0], line[1], 200)[:-20].round().astype(int)
    assert (plane[along[:, 1], along[:, 0]] > FULL // 2).all()


def test_beside_all_straps_of_a_side_there_is_no_mask(faces: Faces) -> None:
    mesh = faces.landmarks[0]
    middle = int(mesh[168, 0])
    for known in ([], ["left"], ["right"], ["left", "right"]):
        plane, line = _strapped(faces, known)
        far = np.ones_like(plane, bool)
        cv2.polylines(far.view(np.uint8), [np.round(line).astype(np.int32)], False, 0, 24)
        unsure = (plane == UNKNOWN) & far
        assert unsure[:, :middle].any() == ("left" not in known)
        assert unsure[:, middle:].any() == ("right" not in known)


def test_straps_are_learned_from_and_lent(
    photo: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    eyes = np.array(verdict["eyes"], np.float32).reshape(2, 2)
    wide = float(np.linalg.norm(eyes[1] - eyes[0]))
    start = eyes[0] + np.float32([-0.45 * wide, 0.5 * wide])
    line = [*start.tolist(), float(start[0]), float(start[1] - 0.5 * wide)]
    name = _name(scoring=False)
    shutil.copy(photo, tmp_path / name)
    tied = verdict | {"straps": [[0.06 * wide, *line]], "straps_known": ["left", "right"]}
    (tmp_path / "verdicts.json").write_text(json.dumps({name: [tied]}))
    harvest(tmp_path, tmp_path / "real.npz", tmp_path / "verdicts.json")
    harvested = load_real_masks(tmp_path / "real.npz")
    assert harvested.strapped(0)
    marked, known = harvested.map(0)
    bare = verdict | {"straps_known": ["left", "right"]}
    (tmp_path / "verdicts.json").write_text(json.dumps({name: [bare]}))
    harvest(tmp_path, tmp_path / "real.npz", tmp_path / "verdicts.json")
    without = load_real_masks(tmp_path / "real.npz")
    assert not without.strapped(0) and not without.cut_out(0).strapped
    strap = (marked == 1) & (without.map(0)[0] == 0)
    assert known[strap].all() and 40 < strap.sum() < 600
    assert 0.7 < strap.sum() / (0.06 * 0.5 * (EYE_DISTANCE * CROP) ** 2) < 1.3
    texture = harvested.cut_out(0)
    assert texture.strapped and mirrored(texture).strapped
    assert texture.map[strap].min() > 0.4 and texture.map[strap].max() > 0.9
    assert np.array_equal(texture.map[:, :40], without.cut_out(0).map[:, :40])


def test_photographs_with_straps_are_seen_more_often(real: RealMasks) -> None:
    tied = replace(_whole(real), maps=list(real.maps))
    plane = np.zeros((STORED, STORED), np.uint8)
    plane[60:64, 60:90] = STRAP
    tied.maps[1] = cv2.imencode(".png", plane)[1].ravel()
    shares = np.diff(Labelled(tied).shares, prepend=0)
    assert shares[1] / shares[0] == pytest.approx(STRAPPED_WEIGHT / HAND_WEIGHT)


@pytest.mark.parametrize("straps", [[[3, 10]], [[3, 10, 20]], [["x", 1, 2, 3, 4]], [3, 1, 2, 3, 4]])
def test_straps_that_are_none_are_refused_with_their_place(straps: Any, tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.json"
    verdicts.write_text(json.dumps({"a.png": [{"straps": straps}]}))
    with pytest.raises(ValueError, match=r"a\.png: strap 1 is not"):
        harvest(tmp_path, tmp_path / "real.npz", verdicts)
    verdicts.write_text(json.dumps({"a.png": [{"straps_known": "leftover"}]}))
    with pytest.raises(ValueError, match=r"a\.png: .straps_known."):
        harvest(tmp_path, tmp_path / "real.npz", verdicts)


def test_a_harvest_with_other_codes_is_refused(
    photo: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    name = _name(scoring=False)
    shutil.copy(photo, tmp_path / name)
    (tmp_path / "verdicts.json").write_text(json.dumps({name: [verdict]}))
    harvest(tmp_path, tmp_path / "real.npz", tmp_path / "verdicts.json")
    with np.load(tmp_path / "real.npz") as file:
        arrays = dict(file)
    del arrays["codes"]
    np.savez(tmp_path / "old.npz", **arrays)
    with pytest.raises(ValueError, match="run `harvest` again"):
        load_real_masks(tmp_path / "old.npz")


def test_labelled_views_move_picture_and_map_together(real: RealMasks) -> None:
    labelled = Labelled(_whole(real))
    for seed in range(12):
        image, mesh, target, valid = labelled.view(np.random.default_rng(seed))
        assert image.shape == (CROP, CROP, 3) and target.shape == valid.shape == (CROP, CROP)
        assert 0 <= target.min() and target.max() <= 1
        if target.any():
            rows, columns = np.nonzero(target > 0.5)
            middle = mesh[list(_OUTLINE)].mean(0)
            assert np.abs(middle - (columns.mean(), rows.mean())).max() < 12
            assert valid[target > 0.5].mean() > 0.95


def test_without_a_texture_nothing_is_learned(real: RealMasks) -> None:
    with pytest.raises(ValueError, match="serve as texture"):
        Labelled(replace(real, texture=np.zeros(len(real), bool)))


def test_map_samples_learn_from_photos_and_stay_the_same_for_the_same_number(
    faces: Faces, real: RealMasks
) -> None:
    make = partial(map_sample, real=Labelled(_whole(real)))
    stream = data.Stream(faces, make, seed=3)
    without = data.Stream(faces, map_sample, seed=3)
    other = 0
    for number in range(16):
        sample = stream.sample(number)
        assert sample["image"].shape == (3, CROP, CROP)
        assert sample["target"].shape == sample["valid"].shape == (1, CROP, CROP)
        again = stream.sample(number)
        assert all(np.array_equal(sample[key], again[key]) for key in sample)
        other += not np.array_equal(sample["image"], without.sample(number)["image"])
    assert other > 8


def _whole(real: RealMasks) -> RealMasks:
    """A copy whose masks all serve as texture."""
    return replace(real, texture=real.faces.origin != "bare")


def test_holes_of_the_editor_take_the_outlines_of_photographed_masks(
    real: RealMasks, faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor_data, "REAL_SHARE", 1.0)
    drawn = data.Stream(faces, editor_data.editor_maker(faces), seed=1)
    lent = data.Stream(faces, editor_data.editor_maker(faces, real=Labelled(real)), seed=1)
    for number in range(3):
        ours, theirs = lent.sample(number)["map"], drawn.sample(number)["map"]
        assert set(np.unique(ours)) == {0.0, 1.0}
        overlap = ((ours > 0) & (theirs > 0)).sum() / ((ours > 0) | (theirs > 0)).sum()
        assert 0.2 < overlap < 0.999  # both lie on the face; drawn ones may hang far down
