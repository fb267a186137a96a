"""What a sample sees of a prepared face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training import data
from training.shards import Faces

EYES = (33, 263)
CHIN = 152


def seen(faces: Faces, share: float, monkeypatch: pytest.MonkeyPatch) -> data.View:
    """The first face, stretched in so many of all samples."""
    monkeypatch.setattr(data, "STRETCHED_SHARE", share)
    monkeypatch.setattr(data, "STRETCH", (-0.5, -0.5))
    monkeypatch.setattr(data, "STRETCH_LEAN", 0.0)
    return data.view(faces, 0, np.random.default_rng(1))


def test_a_stretched_picture_keeps_the_eyes_apart_and_its_mesh_fits(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, flat = seen(faces, 0.0, monkeypatch), seen(faces, 1.0, monkeypatch)
    apart = [float(np.ptp(view.mesh[list(EYES), 0])) for view in (plain, flat)]
    assert apart[1] == pytest.approx(apart[0], rel=0.01)
    deep = [view.mesh[CHIN, 1] - view.mesh[list(EYES), 1].mean() for view in (plain, flat)]
    assert deep[1] == pytest.approx(deep[0] * np.exp(-0.5), rel=0.02)
    soft = [cv2.GaussianBlur(view.image, (0, 0), 1.5) for view in (plain, flat)]
    colours = [
        cv2.remap(image, *view.mesh.T[:, None], cv2.INTER_LINEAR)
        for image, view in zip(soft, (plain, flat), strict=True)
    ]
    assert np.abs(colours[0] - colours[1]).mean() < 0.02


def test_what_is_not_stored_of_a_stretched_picture_is_unknown(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = faces.where(np.ones(len(faces), bool))
    inside.corners = np.array([[(-900, -900), (900, -900), (900, 900), (-900, 900)]], np.float32)
    inside.corners = inside.corners.repeat(len(faces), 0)
    plain, flat = seen(inside, 0.0, monkeypatch), seen(inside, 1.0, monkeypatch)
    assert plain.valid.min() == 1
    known = np.flatnonzero(flat.valid.mean(1) > 0.5)
    assert 15 < known[0] < 50 and known[-1] < 240
    assert flat.valid[128].min() == 1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_the_wrong_way_round_is_turned_about_its_eyes(faces: Faces, quarters: int) -> None:
    plain = data.view(faces, 0, None)
    turned = data.view(faces, 0, np.random.default_rng(3), quarters=quarters)
    middle = turned.mesh[list(EYES)].mean(0)
    assert np.hypot(*(middle - plain.mesh[list(EYES)].mean(0))) < 4 * data.WRONG_WAY_SHIFT
    down = turned.mesh[CHIN] - middle
    away = np.arctan2(*down) - quarters * np.pi / 2  # of straight down
    assert abs((away + np.pi) % (2 * np.pi) - np.pi) < 4 * data.WRONG_WAY_TURN
    inside = ((turned.mesh > 2) & (turned.mesh < 253)).all(1)
    soft = [cv2.GaussianBlur(view.image, (0, 0), 2.0) for view in (plain, turned)]
    colours = [
        cv2.remap(image, *view.mesh[inside].T[:, None], cv2.INTER_LINEAR)
        for image, view in zip(soft, (plain, turned), strict=True)
    ]
    assert inside.sum() > 100
    assert np.abs(colours[0] - colours[1]).mean() < 0.03
