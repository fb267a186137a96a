"""The painter: what it calls mask is mask, and it never changes anything else."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from training import data, map_data
from training.editor_data import bulging, editor_maker
from training.map_data import map_sample
from training.masks import camera, cloth, shape
from training.masks.cloth import paint, pattern_on, strap_colour
from training.masks.occluders import beard, glasses, occlude
from training.masks.shape import KINDS, random_shape
from training.shards import CLIPS, CROP, Faces


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_covers_the_mouth(faces: Faces, kind: str) -> None:
    mesh = data.view(faces, 0, None).mesh
    covered = []
    for seed in range(12):
        worn = random_shape(mesh, CROP, np.random.default_rng(seed), covering=True, kind=kind)
        x, y = mesh[13].round().astype(int)
        covered.append(worn.alpha[y, x] > 0.9)
        assert 0.03 < worn.alpha.mean() < 0.4
        assert worn.map.min() >= 0 and worn.map.max() <= 1
    assert all(covered)


def test_ear_loops_run_up_the_edge_of_the_face(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "HUGGING_SHARE", 1.0)
    mesh = data.view(faces, 0, None).mesh
    left, right = float(mesh[:, 0].min()), float(mesh[:, 0].max())
    beside = 0.15 * (right - left)
    tops = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, x = np.nonzero(random_shape(mesh, CROP, rng, kind="surgical").straps > 0.5)
        if len(y):
            assert left - beside < x.min() and x.max() < right + beside
            tops.append(y.min())
    assert len(tops) > 30
    eyes, mouth = mesh[33, 1], mesh[13, 1]
    assert eyes - 40 < np.median(tops) < mouth


def test_paint_changes_the_mask_and_its_shadow_only(faces: Faces) -> None:
    seen = data.view(faces, 0, None)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        worn = random_shape(seen.mesh, CROP, rng)
        painted = paint(seen.image, worn, rng)
        change = np.abs(painted - seen.image).max(2)
        assert change[worn.alpha > 0.9].mean() > 0.02
        far = np.asarray(worn.map == 0)
        far[80:] = False  # the forehead, where no shadow reaches
        assert change[far].max() < 0.02


@pytest.mark.parametrize("style", cloth.STYLES)
def test_every_pattern_leaves_cloth_and_puts_colour_on_it(
    monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    monkeypatch.setattr(cloth, "STYLE_SHARES", [float(s == style) for s in cloth.STYLES])
    v, u = np.mgrid[0:1:64j, 0:1:64j].astype(np.float32)
    base = np.full((64, 64, 3), 0.5, np.float32)
    seeds = range(10)
    changed = [
        (np.abs(pattern_on(base, u, v, np.random.default_rng(k)) - base).max(2) > 0.03).mean()
        for k in seeds
    ]
    assert 0.05 < np.mean(changed) < 0.95


def test_some_straps_have_nearly_the_colour_of_what_they_lie_on() -> None:
    ground = np.full((8, 8, 3), (0.3, 0.5, 0.4), np.float32)
    whole = np.ones((8, 8), np.float32)
    ratios = [
        strap_colour(ground * 0, whole, ground, whole, np.random.default_rng(k)) / ground[0, 0]
        for k in range(100)
    ]
    alike = [r for r in ratios if np.ptp(r) < 1e-3 and 0.7 < r[0] < 1.4]
    assert 4 < len(alike) < 30


def test_things_before_the_face_are_not_mask(faces: Faces) -> None:
    seen = data.view(faces, 0, None)
    rng = np.random.default_rng(4)
    for _ in range(8):
        picture, where = occlude(seen.image, seen.mesh, rng)
        assert picture.shape == seen.image.shape and np.isfinite(picture).all()
        assert 0.005 < where.mean() < 0.6
    assert np.isfinite(beard(seen.image, seen.mesh, rng)).all()
    _, frames = glasses(seen.image, seen.mesh, rng)
    assert 0 < frames.mean() < 0.1


@pytest.mark.parametrize("network", ["map", "editor"])
def test_sample_number_k_is_always_the_same(faces: Faces, network: str) -> None:
    make = map_sample if network == "map" else editor_maker(faces)
    first = data.Stream(faces, make, seed=3).sample(11)
    again = data.Stream(faces, make, seed=3).sample(11)
    other = data.Stream(faces, make, seed=4).sample(11)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_map_samples_hold_masks_and_none(faces: Faces) -> None:
    stream = data.Stream(faces, map_sample, seed=1)
    areas = [stream.sample(k)["target"].mean() for k in range(30)]
    assert 0.2 < np.mean([area == 0 for area in areas]) < 0.7


def test_beyond_the_edge_of_a_bare_picture_there_is_no_mask_either(faces: Faces) -> None:
    stream = data.Stream(faces, map_sample, seed=5)
    for number in range(40):
        sample = stream.sample(number)
        if not sample["target"].any():
            assert sample["valid"].all()
        assert sample["valid"].any()


@pytest.mark.parametrize("whose", ["WRONG_WAY_SHARE", "BARE_WRONG_WAY_SHARE"])
def test_a_face_the_wrong_way_round_wears_nothing(
    faces: Faces, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    upright = [data.Stream(faces, map_sample, seed=2).sample(number) for number in range(20)]
    monkeypatch.setattr(map_data, whose, 1.0)
    turned = [data.Stream(faces, map_sample, seed=2).sample(number) for number in range(20)]
    assert sum(bool(sample["target"].any()) for sample in upright) > 10
    assert not any(sample["target"].any() for sample in turned)
    assert all(sample["valid"].all() for sample in turned)
    moved = [np.abs(a["image"] - b["image"]).mean() for a, b in zip(upright, turned, strict=True)]
    assert np.median(moved) > 0.1


def test_what_hides_the_mask_is_not_target(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a hand or a cup was put, the map's target is 0."""
    places = []

    def watched(image: Any, mesh: Any, rng: np.random.Generator) -> Any:
        picture, where = occlude(image, mesh, rng)
        places.append(where)
        return picture, where

    monkeypatch.setattr(map_data, "occlude", watched)
    monkeypatch.setattr(map_data, "MOTION_SHARE", 0.0)  # or its edge would be mixed with the mask
    stream = data.Stream(faces, map_sample, seed=2)
    for number in range(60):
        places.clear()
        target = stream.sample(number)["target"][0]
        for where in places:
            covered = where > 0.99
            marked = (target[covered].max(), target[:, ::-1][covered].max())  # or mirrored
            assert min(marked) < 0.02


def test_editor_samples_have_binary_holes_and_priors_inside_them(faces: Faces) -> None:
    stream = data.Stream(faces, editor_maker(faces, 128), seed=1)
    seen_prior = 0
    for number in range(30):
        sample = stream.sample(number)
        assert set(np.unique(sample["map"])) <= {0.0, 1.0}
        weight = sample["prior_weight"]
        seen_prior += bool(weight.any())
        assert not weight[sample["map"] == 0].any()
        assert not sample["prior"][:, weight[0] == 0].any()
    assert 5 < seen_prior < 25  # about half


def test_editor_samples_show_the_face_with_and_without_its_mask(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.editor_data.SMALL_SHARE", 0.0)  # enlarging spreads a mask's edge
    monkeypatch.setattr("training.editor_data.MOTION_SHARE", 0.0)
    stream = data.Stream(faces, editor_maker(faces), seed=1)
    shades = 0
    for number in range(20):
        sample = stream.sample(number)
        inside = sample["map"][0] > 0
        known = sample["valid"][0] > 0
        apart = np.abs(sample["image"] - sample["target"]).max(0)
        assert np.median(apart[inside & known]) > 0.02, "a mask is in the hole"
        away = cv2.dilate(sample["map"][0], np.ones((41, 41), np.uint8)) == 0
        assert apart[away & known].max(initial=0) < 0.02, "and changes nothing far from it"
        darker = (sample["target"] - sample["image"]).mean(0)[~inside & ~away & known]
        shades += bool(darker.size and darker.max() > 0.05)
    assert shades > 4, "its shade falls on the skin around it"


def test_harsh_light_is_grey_coloured_bright_dark_or_from_one_side(faces: Faces) -> None:
    image = data.view(faces, 0, None).image
    grey = bright = dark = sided = 0
    for seed in range(40):
        lit = camera.harsh(image, np.random.default_rng(seed))
        assert lit.shape == image.shape and lit.dtype == np.float32
        assert lit.min() >= 0 and lit.max() <= 1
        grey += bool(np.ptp(lit, axis=2).max() < 1e-6)
        gain = lit[40:216, 40:216].mean((1, 2)) / image[40:216, 40:216].mean((1, 2))
        across = lit[40:216, 40:216].mean((0, 2)) / image[40:216, 40:216].mean((0, 2))
        bright += bool(gain.mean() > 1.2)
        dark += bool(gain.mean() < 0.6)
        sided += bool(np.ptp(across) > 0.15)
    assert min(grey, bright, dark, sided) > 3


def test_unseen_sets_and_people_are_never_trained_on(faces: Faces) -> None:
    faces = faces.where(np.ones(len(faces), bool))
    faces.set = np.array(["cd_wo", "omi", "omi_variants", "omi_variants", "aaf", "pr_wo"])
    faces.origin = np.array(["a", "b", "p1_x_0.png", "p2_x_0.png", "c", "d"])
    faces.split = np.array(["train", "train", "train", "train", "val", "val"])
    assert data.training_faces(faces).set.tolist() == ["omi"]
    assert data.validation_faces(faces).set.tolist() == ["aaf"]


def test_people_are_told_by_the_names_of_their_set(faces: Faces) -> None:
    faces = faces.where(np.ones(len(faces), bool))
    faces.name = np.array([f"{number}.webp" for number in range(len(faces))])
    faces.set = np.array(["webmorph"] * 4 + [CLIPS] * 2)
    faces.origin = np.array([
        "031_03.jpg", "031_08.jpg", "031f.jpg", "alexander.jpg", "my_talk_1_000.0",
        "my_talk_2_002.0",
    ])  # fmt: skip
    assert data.person(faces).tolist() == [
        "webmorph/031", "webmorph/031", "2.webp", "3.webp", "clips/my_talk_1", "clips/my_talk_2",
    ]  # fmt: skip


def test_masks_stand_off_turned_heads_to_the_side_they_face() -> None:
    hole = np.zeros((256, 256), np.float32)
    hole[120:220, 90:160] = 1
    hole[118:122, 160:230] = 1  # a strap
    made = [bulging(hole, 0.9, np.random.default_rng(k)) for k in range(8)]
    reach = [int(m[170].nonzero()[0].max()) - 159 for m in made]
    assert 15 < max(reach) <= 36 and min(reach) >= 0
    for plane in made:
        assert set(np.unique(plane)) <= {0.0, 1.0}
        assert (plane >= hole).all()
        assert not (plane > hole)[:120].any() and not (plane > hole)[:, :90].any()
    there = bulging(hole[:, ::-1], -0.9, np.random.default_rng(3))
    np.testing.assert_array_equal(there[:, ::-1], made[3])
    np.testing.assert_array_equal(bulging(hole, 0.0, np.random.default_rng(0)), hole)
    empty = np.zeros_like(hole)
    np.testing.assert_array_equal(bulging(empty, 0.9, np.random.default_rng(0)), empty)
