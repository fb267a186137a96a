"""Quarter turns of pictures: faces that lie on their side are seen by hardly any landmarker."""

from __future__ import annotations

import numpy as np

from realtime_unmask.types import Float32, Float64, UInt8

# A turn stays until the face leans by more from it, radians: by 45 degrees it would alternate.
LEAN = np.deg2rad(60.0)
# How a picture in which nobody is masked is turned, the likeliest first.
OTHER_WAYS = (2, 1, 3)
_EYES, _FOREHEAD, _CHIN = (33, 263), 10, 152


def of_face(mesh: Float32, before: int = 0) -> int:
    """By how many quarters a picture is to be turned so that a face stands about upright: 0 to 3.

    Args:
        mesh: (478, 2 or 3), px.
        before: what was said of the face a moment ago; it stays where it still serves.
    """
    across = mesh[_EYES[1], :2] - mesh[_EYES[0], :2]
    down = mesh[_CHIN, :2] - mesh[_FOREHEAD, :2]
    x, y = across + (down[1], -down[0])
    roll = float(np.arctan2(y, x))
    lean = (roll - before * np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    return before if abs(lean) < LEAN else round(roll / (np.pi / 2)) % 4


def turned(image: UInt8, quarters: int) -> UInt8:
    """(H, W, C) counterclockwise."""
    return np.ascontiguousarray(np.rot90(image, quarters))


def rotation(quarters: int) -> Float64:
    """(2, 2): what `turned` does to a vector in px, x to the right and y down."""
    return np.linalg.matrix_power(np.array([[0.0, 1.0], [-1.0, 0.0]]), quarters)


def back(mesh: Float32, quarters: int, shape: tuple[int, ...]) -> Float32:
    """A mesh that was found in a turned picture, in px of the picture itself.

    Args:
        mesh: (478, 3) float32, px of the turned picture.
        shape: of the picture itself, (H, W, ...).
    """
    if not quarters:
        return mesh
    matrix = rotation(quarters)
    height, width = shape[:2]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ matrix.T
    moved = mesh.copy()
    moved[:, :2] = (mesh[:, :2] + corners.min(0)) @ matrix
    return moved
