"""Photographed masks on other faces: the map says what was put on, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from training import data
from training.masks import pasted, worn
from training.masks.pasted import Texture, mirrored, paste, recolour, tied, yaw
from training.masks.shape import random_shape
from training.shards import CROP, Faces


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks keep their colour."""
    monkeypatch.setattr(pasted, "recolour", lambda cloth, alpha, rng: cloth)


@pytest.fixture(autouse=True)
def worn_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks cover the nose, unless a test wants it otherwise."""
    monkeypatch.setattr(pasted, "SLIPPED_SHARE", 0.0)


@pytest.fixture
def texture(faces: Faces) -> Texture:
    """A light mask cut out of a picture that is green around it, up to the eyes."""
    seen = data.view(faces, 0, None)
    shape = random_shape(seen.mesh, CROP, np.random.default_rng(4), covering=True, kind="surgical")
    around = seen.image * 255
    around[int(seen.mesh[168, 1]) :] = (20, 200, 20)
    weight = shape.map[..., None]
    image = around * (1 - weight) + weight * np.float32(150)
    return Texture(image.astype(np.uint8), shape.map, seen.mesh)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


def test_on_its_own_face_a_mask_stays_where_it_was(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 0, None)
    worn = paste(seen.image, seen.mesh, texture, np.random.default_rng(0))[1]
    assert _overlap(worn, texture.map) > 0.97


def test_a_mask_follows_a_face_that_is_moved_and_turned(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 0, None)
    turn = np.array([[0.94, 0.2], [-0.2, 0.94]], np.float32)
    mesh = (seen.mesh - 128) @ turn + 128 + np.float32(6)
    worn = paste(seen.image, mesh, texture, np.random.default_rng(0))[1]
    x, y = mesh[13].round().astype(int)
    assert worn[y, x] > 0.9
    rows, columns = np.nonzero(texture.map > 0.5)
    middle = np.array([columns.mean(), rows.mean()], np.float32)
    there = (middle - 128) @ turn + 128 + np.float32(6)
    rows, columns = np.nonzero(worn > 0.5)
    assert np.abs([columns.mean() - there[0], rows.mean() - there[1]]).max() < 3


def test_a_slipped_mask_is_lower_at_the_nose_and_still_covers_the_chin(
    faces: Faces, texture: Texture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = data.view(faces, 0, None)
    nose, chin = (seen.mesh[k].round().astype(int) for k in (4, 199))
    top = int((texture.map[:, nose[0]] > 0.5).argmax())
    monkeypatch.setattr(pasted, "SLIPPED_SHARE", 1.0)
    for seed in range(4):
        worn = paste(seen.image, seen.mesh, texture, np.random.default_rng(seed))[1]
        assert int((worn[:, nose[0]] > 0.5).argmax()) > top + 10
        assert worn[chin[1], chin[0]] > 0.9


def test_far_from_the_mask_no_pixel_changes(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 3, None)
    before = seen.image.copy()
    for seed in range(8):
        image, worn = paste(seen.image, seen.mesh, texture, np.random.default_rng(seed))
        assert image.dtype == np.float32 and worn.dtype == np.float32
        assert image.shape == seen.image.shape and worn.shape == image.shape[:2]
        assert 0 <= image.min() and image.max() <= 1
        near = pasted._around(worn)
        far = np.ones(worn.shape, bool)
        far[near] = False
        assert far.any() and np.array_equal(image[far], seen.image[far])
        assert np.abs(image - seen.image)[worn > 0.9].mean() > 0.02
    assert np.array_equal(seen.image, before)


def test_the_old_background_does_not_show_at_the_rim(
    faces: Faces, texture: Texture, plain: None
) -> None:
    seen = data.view(faces, 3, None)
    grey = np.full_like(seen.image, 0.5)
    for seed in range(6):
        image, worn = paste(grey, seen.mesh, texture, np.random.default_rng(seed))
        others = np.maximum(image[..., 0], image[..., 2])
        inside, rim = worn > 0.99, (worn > 0.2) & (worn < 0.9)
        excess = image[..., 1] - others
        assert rim.any() and excess[rim].max() < max(excess[inside].max(), 0) + 0.05


def test_in_the_dark_the_cloth_is_darker(faces: Faces, texture: Texture, plain: None) -> None:
    seen = data.view(faces, 3, None)
    levels = []
    for light in (1.0, 0.3):
        image, worn = paste(seen.image * light, seen.mesh, texture, np.random.default_rng(1))
        levels.append(image[worn > 0.9].mean())
    assert levels[1] < 0.8 * levels[0]


def test_the_same_generator_gives_the_same_picture(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 3, None)
    a, b = (paste(seen.image, seen.mesh, texture, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


def test_a_mirrored_texture_looks_the_other_way_and_still_fits(
    faces: Faces, texture: Texture
) -> None:
    other = mirrored(texture)
    assert yaw(other.mesh) == pytest.approx(-yaw(texture.mesh), abs=1e-4)
    again = mirrored(other)
    assert np.array_equal(again.image, texture.image) and np.allclose(again.mesh, texture.mesh)
    seen = data.view(faces, 0, None)
    left = texture.map * (np.arange(CROP) < seen.mesh[4, 0])
    half = mirrored(Texture(texture.image, left.astype(np.float32), texture.mesh))
    worn = paste(seen.image, seen.mesh, half, np.random.default_rng(0))[1]
    assert worn[:, int(seen.mesh[4, 0]) + 8 :].sum() > 0.8 * worn.sum() > 0
    whole = paste(seen.image, seen.mesh, other, np.random.default_rng(0))[1]
    assert _overlap(whole, texture.map) > 0.8


def test_a_mask_outside_the_picture_changes_nothing(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 0, None)
    image, worn = paste(seen.image, seen.mesh + 600, texture, np.random.default_rng(0))
    assert not worn.any() and np.array_equal(image, seen.image)


def test_recolouring_keeps_dark_and_light_in_order() -> None:
    cloth = np.full((64, 64, 3), 0.6, np.float32)
    cloth[:, 32:] = 0.3
    for seed in range(10):
        changed = recolour(cloth, np.ones((64, 64), np.float32), np.random.default_rng(seed))
        assert changed.dtype == np.float32 and 0 <= changed.min() and changed.max() <= 1
        assert changed[:, :32].mean() > changed[:, 32:].mean()


def far_from(plane: np.ndarray) -> np.ndarray:
    """What is more than a strap's shade away."""
    return cv2.distanceTransform((~plane).astype(np.uint8), cv2.DIST_L2, 5) > 40


def test_straps_are_mask_and_lie_beside_the_cloth(faces: Faces, texture: Texture) -> None:
    seen = data.view(faces, 0, None)
    image, worn = paste(seen.image, seen.mesh, texture, np.random.default_rng(0))
    longer = 0
    for seed in range(12):
        made, marked = tied(image, worn, seen.mesh, np.random.default_rng(seed))
        assert made.shape == image.shape and made.dtype == np.float32
        assert (marked >= worn).all()
        change = np.abs(made - image).max(2)
        assert not change[worn == 1].any(), "the cloth stays as it is"
        assert not change[far_from(marked > worn)].any(), "only straps and their shade"
        longer += bool((marked > worn + 0.5).sum() > 40)
    assert longer > 8


def test_no_cloth_gets_no_straps(faces: Faces) -> None:
    seen = data.view(faces, 0, None)
    nothing = np.zeros((CROP, CROP), np.float32)
    made, marked = tied(seen.image, nothing, seen.mesh, np.random.default_rng(0))
    assert made is seen.image and marked is nothing


def test_a_mask_with_straps_of_its_own_gets_no_others(
    faces: Faces, texture: Texture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worn, "TIED_SHARE", 1.0)
    seen = data.view(faces, 1, None)

    def area(texture: Texture) -> float:
        rng = np.random.default_rng(3)
        return float(worn.put_on(seen.image, seen.mesh, rng, texture)[1].sum())

    assert area(replace(texture, strapped=True)) < area(texture) - 50
