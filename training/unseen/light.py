"""Light and camera of a photograph, guessed from the bare face in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.unseen import head
from training.unseen.head import Array, Head

GAMMA = 2.2
# What skin gives back, on average over people, in linear light.
SKIN = 0.3


@dataclass(frozen=True, slots=True)
class Light:
    """Light on a face.

    Attributes:
        level: brightness of something white, linear, 1 = the brightest that can be shown.
        tint: (3,) its colour, mean 1.
        ambient, direction: shade = ambient + direction . normal, about 1 on the face.
        blur: sigma of the picture's softness, px.
        noise: spread of its noise, 0..1, in display values.
    """

    level: float
    tint: Array
    ambient: float
    direction: Array
    blur: float
    noise: float

    def shade(self, normals: Array) -> Array:
        """(..., 3) camera-space normals -> (...) brightness against the face's mean."""
        return np.asarray((self.ambient + normals @ self.direction).clip(0.25, 1.9))


@cache
def skin_normals() -> Array:
    """(SKIN_POINTS, 3) outward normals of the canonical head at the mesh's points."""
    angle, y = head.grid()
    normals = normals_of(head.from_cylinder(angle, y, head.skin_radius()))
    flat = head.to_cylinder(head.canonical()[: head.SKIN_POINTS])
    column, row = (place.round().astype(int) for place in head.cells(flat[:, 0], flat[:, 1]))
    return np.asarray(normals[row.clip(0, head.ROWS - 1), column])


def normals_of(points: Array) -> Array:
    """(h, w, 3) surface -> (h, w, 3) unit normals that point away from the axis."""
    down, right = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(down, right)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9))


def guess(
    image: NDArray[np.float32], mesh: NDArray[np.float32], pose: Head, rng: np.random.Generator
) -> Light:
    """The light on a bare face; image (S, S, 3) in [0, 1], mesh (478, 2) px."""
    size = image.shape[0]
    soft = cv2.GaussianBlur(image, (0, 0), size / 100)
    at = mesh[: head.SKIN_POINTS].round().astype(int)
    seen = ((at >= 0) & (at < size)).all(1)
    normals = skin_normals() @ pose.turn.T
    seen &= normals[:, 2] < -0.15
    if seen.sum() < 60:
        return Light(0.9, np.ones(3), 1.0, np.zeros(3), 0.6, 0.01)
    colours = soft[at[seen, 1], at[seen, 0]].astype(np.float64)
    grey = (colours @ (0.3, 0.59, 0.11)) ** GAMMA
    middle = float(np.median(grey))
    ambient, direction = _fit(normals[seen], grey / max(middle, 1e-3))
    level = (middle / SKIN) ** 0.6 * rng.uniform(0.95, 1.5)
    bright = np.percentile(soft.reshape(-1, 3), 97, axis=0) ** GAMMA
    tint = (bright / bright.mean()) ** 0.5 * np.exp(rng.normal(0, 0.03, 3))
    blur, noise = _camera(image, mesh)
    return Light(level, tint, ambient, direction, blur, noise)


def _fit(normals: Array, values: Array) -> tuple[float, Array]:
    """Robust linear fit: lips, brows and shadows of the nose drop out."""
    terms = np.column_stack([np.ones(len(values)), normals])
    weight = np.ones(len(values))
    ridge = 0.02 * len(values) * np.diag([0.0, 1, 1, 1])
    for _ in range(4):
        scaled = terms * weight[:, None]
        found = np.linalg.solve(scaled.T @ terms + ridge, scaled.T @ values)
        weight = 1 / (1 + ((values - terms @ found) / 0.2) ** 2)
    direction = found[1:]
    length = float(np.linalg.norm(direction))
    return float(found[0]), np.asarray(direction * min(1.0, 0.9 / max(length, 1e-6)))


def _camera(image: NDArray[np.float32], mesh: NDArray[np.float32]) -> tuple[float, float]:
    """How soft and how noisy the picture is, by its finest detail around the eyes."""
    low, high = mesh[:, :2].min(0).astype(int).clip(0), mesh[:, :2].max(0).astype(int)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[low[1] : high[1], low[0] : high[0]]
    grey = grey[: max(len(grey) // 2, 8)]
    near, far = (cv2.GaussianBlur(grey, (0, 0), s) for s in (0.8, 1.6))
    fine = grey - near
    ratio = float(np.sqrt((fine**2).mean() / max(float(((near - far) ** 2).mean()), 1e-9)))
    blur = float(np.clip(1.9 - 2.2 * ratio, 0.35, 1.6))
    noise = float(np.median(np.abs(fine)) * 1.4)
    return blur, min(noise, 0.03)
