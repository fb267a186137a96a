"""A head in three dimensions, fitted to one face's landmarks.

Canonical space: outer-eye distances; x to the picture's right, y down, z away from the camera;
the origin lies between the outer eye corners. Its surface is a radius over (angle, y) around an
upright axis inside the head, so that a mask can be cut in those two coordinates, lifted off the
skin, and hang over the jaw. `head.csv` is the mean of 248 synthetic people's meshes
(generalised Procrustes, made symmetric).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AXIS_Z = 0.8
MAX_ANGLE = 1.9
TOP, BOTTOM = -0.4, 2.1
# The surface's grid: rows over y, columns over the angle.
ROWS, COLUMNS = 500, 640
# Rows and columns of the grid on which a face's own shape is kept.
STRAY_SIDE = 24
# The mesh's last ten points are the irises.
SKIN_POINTS = 468
# Where the mesh has no points: ears, under the jaw, throat (angle in radians, y, radius).
_BEYOND = [
    (sign * angle, y, radius)
    for sign in (-1, 1)
    for angle, y, radius in [
        (1.75, -0.3, 0.86), (1.75, 0.1, 0.85), (1.75, 0.5, 0.8), (1.6, 0.85, 0.66),
        (1.3, 1.1, 0.62), (1.0, 1.32, 0.57), (0.6, 1.42, 0.55), (1.5, 1.5, 0.63),
        (0.9, 1.75, 0.56), (0.3, 1.45, 0.56), (0.3, 1.8, 0.45), (1.6, 2.1, 0.68),
        (0.6, 2.1, 0.55),
    ]
]  # fmt: skip


@cache
def canonical() -> Array:
    """(478, 3) the mean head; read-only."""
    points = np.loadtxt(Path(__file__).with_name("head.csv"), delimiter=",")
    points.flags.writeable = False
    return points


def to_cylinder(points: Array) -> Array:
    """(n, 3) canonical -> (n, 3) angle, y, radius."""
    x, y, depth = points[:, 0], points[:, 1], AXIS_Z - points[:, 2]
    return np.stack([np.arctan2(x, depth), y, np.hypot(x, depth)], 1)


def from_cylinder(angle: Array, y: Array, radius: Array) -> Array:
    """(..., 3) canonical points."""
    return np.stack([radius * np.sin(angle), y, AXIS_Z - radius * np.cos(angle)], -1)


@cache
def grid() -> tuple[Array, Array]:
    """(ROWS, COLUMNS) the angle and y of each cell of the surface."""
    angle, y = np.meshgrid(
        np.linspace(-MAX_ANGLE, MAX_ANGLE, COLUMNS), np.linspace(TOP, BOTTOM, ROWS)
    )
    return angle, y


def cells(angle: Array, y: Array) -> tuple[Array, Array]:
    """Angle and y -> column and row of the surface's grid, in parts of a cell."""
    column = (angle + MAX_ANGLE) / (2 * MAX_ANGLE) * (COLUMNS - 1)
    return column, (y - TOP) / (BOTTOM - TOP) * (ROWS - 1)


@cache
def skin_radius() -> Array:
    """(ROWS, COLUMNS) the radius of the bare head, a thin plate through the mesh."""
    known = np.concatenate([to_cylinder(canonical()[:SKIN_POINTS]), np.array(_BEYOND)])
    places, values = known[:, :2], known[:, 2]
    system = np.zeros((len(known) + 3, len(known) + 3))
    system[:-3, :-3] = _plate(places, places) + 2e-3 * np.eye(len(known))
    system[:-3, -3:] = np.column_stack([np.ones(len(known)), places])
    system[-3:, :-3] = system[:-3, -3:].T
    weights = np.linalg.solve(system, np.append(values, np.zeros(3)))
    angle, y = (cv2.resize(plane, (80, 64)) for plane in grid())
    at = np.column_stack([angle.ravel(), y.ravel()]).astype(np.float64)
    radius = _plate(at, places) @ weights[:-3] + weights[-3] + at @ weights[-2:]
    smooth = cv2.resize(radius.reshape(64, 80), (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth.clip(0.3, 1.6))


def _plate(a: Array, b: Array) -> Array:
    square = ((a[:, None] - b[None]) ** 2).sum(2)
    return np.asarray(0.5 * square * np.log(square + 1e-9))


@dataclass(frozen=True, slots=True)
class Head:
    """The canonical head posed on one picture.

    Attributes:
        turn: (3, 3) rotation, canonical -> camera.
        scale: px per outer-eye distance.
        origin: (2,) px.
        stray: (STRAY_SIDE, STRAY_SIDE, 2) px, this face's difference from the mean, over y and
            angle.
    """

    turn: Array
    scale: float
    origin: Array
    stray: Array

    def project(self, points: Array) -> tuple[Array, Array]:
        """(..., 3) canonical -> (..., 2) px and (...) depth, which grows away from the camera."""
        turned = points @ self.turn.T
        flat = to_cylinder(points.reshape(-1, 3)).reshape(-1, *points.shape[-2:])
        column, row = cells(flat[..., 0], flat[..., 1])
        column *= (STRAY_SIDE - 1) / (COLUMNS - 1)
        row *= (STRAY_SIDE - 1) / (ROWS - 1)
        stray = cv2.remap(
            self.stray.astype(np.float32), column.astype(np.float32), row.astype(np.float32),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        px = turned[..., :2] * self.scale + self.origin + stray.reshape(*points.shape[:-1], 2)
        return px, turned[..., 2]


def fit(mesh: NDArray[np.float32]) -> Head:
    """Pose the head on a mesh, (478, 2) px, in weak perspective."""
    shape = canonical()[:SKIN_POINTS]
    seen = mesh[:SKIN_POINTS].astype(np.float64)
    centred = shape - shape.mean(0)
    affine = np.linalg.lstsq(centred, seen - seen.mean(0), rcond=None)[0].T
    u, stretch, v = np.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    scale = float(stretch.mean())
    turn = np.vstack([rows, np.cross(rows[0], rows[1])])
    origin = seen.mean(0) - scale * rows @ shape.mean(0)
    error = seen - (scale * shape @ rows.T + origin)
    return Head(turn, scale, origin, _spread(error))


def _spread(error: Array) -> Array:
    """Each landmark's error, spread over the surface by nearness."""
    known = to_cylinder(canonical()[:SKIN_POINTS])[:, :2]
    angle, y = np.meshgrid(
        np.linspace(-MAX_ANGLE, MAX_ANGLE, STRAY_SIDE), np.linspace(TOP, BOTTOM, STRAY_SIDE)
    )
    at = np.column_stack([angle.ravel(), y.ravel()])
    square = ((at[:, None] - known[None]) ** 2).sum(2)
    near = np.exp(-(square - square.min(1, keepdims=True)) / (2 * 0.12**2))
    fade = np.exp(-np.maximum(square.min(1) - 0.04, 0) / 0.5)
    mean = near @ error / near.sum(1, keepdims=True)
    return np.asarray((mean * fade[:, None]).reshape(STRAY_SIDE, STRAY_SIDE, 2))
