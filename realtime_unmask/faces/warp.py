"""Bending a picture from one face's mesh points to another's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Plane = NDArray[np.float32]

# Mesh points that carry a face from one picture to another, left and right ones in pairs: outline,
# eye corners, cheeks, mouth; then those of the middle: nose, lips, chin.
LEFT = (127, 234, 93, 132, 58, 172, 136, 150, 176, 148, 33, 133, 117, 50, 205, 61, 84, 37, 98)
RIGHT = (356, 454, 323, 361, 288, 397, 365, 379, 400, 377, 263, 362, 346, 280, 425, 291, 314, 267,
         327)  # fmt: skip
MIDDLE = (10, 168, 197, 4, 2, 0, 13, 14, 17, 199, 152)
CARRIERS = [*LEFT, *RIGHT, *MIDDLE]
GRID = 33
# How much the warp may bend away from the points, against folds in turned faces.
STIFFNESS = 2e-3


def thin_plate(
    target: Points, source: Points, size: int, grid: int = GRID, stiffness: float = STIFFNESS
) -> tuple[Plane, Plane]:
    """Where each pixel of the target lies in the source (Bookstein 1989), for cv2.remap.

    Computed on a coarse grid, so it takes about a millisecond.

    Args:
        target, source: (n, 2) float32, the same points in either picture, px.
        size: side of the target S, px.
        grid: points of the coarse grid along a side.
        stiffness: how much the warp may bend away from the points.

    Returns:
        x and y, (S, S) float32 each, px of the source.
    """
    to, back = target / size, source / size
    count = len(to)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(to, to) + stiffness * np.eye(count)
    system[:count, count] = 1
    system[:count, count + 1 :] = to
    system[count:, :count] = system[:count, count:].T
    solved = np.linalg.solve(system, np.vstack([back, np.zeros((3, 2))]))
    steps = np.linspace(0, size - 1, grid) / size
    at = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    basis = np.hstack([_kernel(at, to), np.ones((len(at), 1)), at])
    places = (basis @ solved * size).reshape(grid, grid, 2).astype(np.float32)
    # The grid's outermost points lie on the outermost pixels, hence not cv2.resize.
    spread = np.linspace(0, grid - 1, size, dtype=np.float32)
    column = np.broadcast_to(spread, (size, size))
    full = cv2.remap(places, column, np.ascontiguousarray(column.T), cv2.INTER_LINEAR)
    return np.ascontiguousarray(full[..., 0]), np.ascontiguousarray(full[..., 1])


def _kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    # Axis by axis: a sum over an innermost axis of two takes longer than all the rest.
    x, y = (a[:, None, axis] - b[None, :, axis] for axis in (0, 1))
    square = (x * x + y * y).astype(np.float64)
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-12)))
