"""The crop lies where the design says, whatever the head does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces import alignment
from realtime_unmask.faces.alignment import align, crop, to_crop
from realtime_unmask.types import Alignment

SIZE = 256


def head(
    scale: float = 100.0,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    centre: tuple[float, float] = (300.0, 200.0),
) -> NDArray[np.float32]:
    """A mesh whose rigid points are the reference head, turned (radians) and scaled (px)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    mesh = np.zeros((478, 3))
    points = alignment.REFERENCE @ (turn_z @ turn_x @ turn_y).T * scale
    mesh[alignment.POINTS] = points + np.array([*centre, 0.0])
    return mesh.astype(np.float32)


def test_frontal_eyes_lie_at_the_reference() -> None:
    mesh = head()
    points = to_crop(mesh, align(mesh, SIZE))
    assert np.allclose(points[263] - points[33], (0.36 * SIZE, 0), atol=0.05)
    assert np.allclose((points[33] + points[263]) / 2, (0.5 * SIZE, 0.4 * SIZE), atol=0.05)


@pytest.mark.parametrize("roll", [-1.0, -0.3, 0.4, 2.5])
def test_roll_is_undone(roll: float) -> None:
    mesh = head(roll=roll)
    points = to_crop(mesh, align(mesh, SIZE))
    assert abs(points[263, 1] - points[33, 1]) < 0.1


@pytest.mark.parametrize("yaw", [-0.9, -0.5, 0.5, 0.9])
def test_scale_does_not_collapse_when_the_head_turns(yaw: float) -> None:
    turned, frontal = align(head(yaw=yaw), SIZE), align(head(), SIZE)
    assert turned.scale == pytest.approx(frontal.scale, rel=0.01)


def test_roll_is_exact_in_yaw_and_pitch_together() -> None:
    upright = align(head(yaw=0.5, pitch=0.3), SIZE)
    tilted = align(head(yaw=0.5, pitch=0.3, roll=0.4), SIZE)
    turn = np.arctan2(tilted.matrix[0, 1], tilted.matrix[0, 0])
    base = np.arctan2(upright.matrix[0, 1], upright.matrix[0, 0])
    assert turn - base == pytest.approx(0.4, abs=0.01)


def test_lower_face_has_no_say() -> None:
    mesh = head()
    moved = mesh.copy()
    moved[152] += (40, 40, 40)
    moved[13] += (9, 30, 0)
    assert np.array_equal(align(mesh, SIZE).matrix, align(moved, SIZE).matrix)


def test_pixels_that_are_not_square_are_undone() -> None:
    mesh = head(roll=0.4, yaw=0.2)
    narrow = mesh * np.array([0.7, 1.0, 0.7], np.float32)
    there = to_crop(narrow, align(narrow, SIZE, pixel_aspect=1 / 0.7))
    assert np.allclose(there, to_crop(mesh, align(mesh, SIZE)), atol=0.05)


def test_inverse_brings_points_back() -> None:
    mesh = head(roll=0.3, yaw=0.2)
    made = align(mesh, SIZE)
    there = to_crop(mesh, made).astype(np.float64)
    inverse = made.inverse()
    back = there @ inverse[:, :2].T + inverse[:, 2]
    assert np.allclose(back, mesh[:, :2], atol=1e-2)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_degenerate_mesh_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        align(np.full((478, 3), value, np.float32), SIZE)


def test_crop_of_identity_is_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    same = Alignment(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 64)
    assert np.array_equal(crop(image, same), image)


def test_large_face_is_averaged_not_sampled() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    quarter = Alignment(np.array([[0.25, 0, 0], [0, 0.25, 0]]), 256)
    inner = crop(stripes, quarter)[8:-8, 8:-8]
    assert np.abs(inner.astype(int) - 127).max() <= 2


def test_reduced_crop_lies_where_the_plain_one_does() -> None:
    y, x = np.mgrid[:900, :1200].astype(np.float32)
    smooth = np.stack([x / 1200, y / 900, (x + y) / 2100], -1) * 255
    image = smooth.astype(np.uint8)
    made = Alignment(np.array([[0.3, 0.05, -60.0], [-0.05, 0.3, 20.0]]), 128)
    inverse = made.inverse()
    v, u = np.mgrid[:128, :128]
    at = np.stack([u, v], -1) @ inverse[:, :2].T + inverse[:, 2]
    inside = (at > 8).all(-1) & (at[..., 0] < 1190) & (at[..., 1] < 890)
    expected = np.stack([at[..., 0] / 1200, at[..., 1] / 900], -1) * 255
    got = crop(image, made)[..., :2].astype(float)
    assert inside.mean() > 0.5
    assert np.abs(got - expected)[inside].max() < 1.6
