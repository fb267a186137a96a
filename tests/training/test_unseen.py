"""The unseen painter: reproducible, whole, and a stranger to the training's painter."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from training import data, unseen
from training.data import View
from training.shards import Faces
from training.unseen import head
from training.unseen.cut import KINDS, Kind

# Mesh points from the nose tip over the mouth to the chin.
NOSE_TO_CHIN = (4, 1, 2, 0, 13, 14, 17, 200, 199)


@pytest.fixture(scope="module")
def bare(faces: Faces) -> View:
    return data.view(faces, 0, None)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_covers_nose_to_chin_when_asked(bare: View, kind: Kind) -> None:
    for seed in range(3):
        worn = unseen.wear(bare.image, bare.mesh, rng(seed), covering=True, kind=kind)
        x, y = bare.mesh[list(NOSE_TO_CHIN)].round().astype(int).T
        assert worn.kind == kind
        assert worn.map[y, x].min() > 0.9
        assert 0.05 < (worn.map > 0.5).mean() < 0.6


def test_eyes_and_forehead_stay_free(bare: View) -> None:
    for seed in range(8):
        worn = unseen.wear(bare.image, bare.mesh, rng(seed))
        x, y = bare.mesh[[33, 133, 263, 362, 9, 151]].round().astype(int).T
        assert worn.map[y, x].max() < 0.05


def test_the_map_is_where_the_picture_changed(bare: View) -> None:
    worn = unseen.wear(bare.image, bare.mesh, rng(3), kind="bandana", covering=True)
    change = np.abs(worn.image - bare.image).max(2)
    assert worn.image.dtype == worn.map.dtype == np.float32
    assert (change[worn.map > 0.5] > 0.02).mean() > 0.9
    assert (change[worn.map == 0] < 0.02).mean() > 0.9


def test_the_same_seed_gives_the_same_mask(bare: View) -> None:
    first, second, other = (unseen.wear(bare.image, bare.mesh, rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, other.image)


def test_some_masks_leave_nose_or_chin_free_unless_covering(bare: View) -> None:
    x, y = bare.mesh[1].round().astype(int)
    worn = (unseen.wear(bare.image, bare.mesh, rng(s), kind="surgical") for s in range(40))
    free = [one.map[y, x] for one in worn]
    assert 1 <= sum(value < 0.5 for value in free) <= 15


def test_a_turned_head_is_found_turned() -> None:
    yaw = 0.5
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    mesh = (head.canonical() @ turn.T)[:, :2] * 90 + (128, 100)
    pose = head.fit(mesh.astype(np.float32))
    assert np.allclose(pose.turn, turn, atol=1e-3)
    assert pose.scale == pytest.approx(90, rel=1e-3)
    assert np.abs(pose.stray).max() < 0.1


def test_hidden_faces_show_hands_cups_and_telephones(bare: View) -> None:
    seen = set()
    for seed in range(16):
        image, share, thing = unseen.hide(bare.image, bare.mesh, rng(seed))
        seen.add(thing)
        assert 0.005 < (share > 0.5).mean() < 0.6
        assert np.abs(image - bare.image)[share > 0.9].mean() > 0.01
    assert seen == {"hand", "cup", "phone"}


def test_it_imports_nothing_of_the_training_painter() -> None:
    for path in Path(unseen.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not any(n.startswith("training") and "unseen" not in n for n in names), path
