"""Things before a face that are no masks: hands, cups and telephones."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.unseen import head
from training.unseen.cut import cloud
from training.unseen.fabric import colour
from training.unseen.head import Array
from training.unseen.light import GAMMA, Light, guess

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]
Thing = Literal["hand", "cup", "phone"]


def hide(
    image: Picture, mesh: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Picture, Plane, Thing]:
    """Hold a hand, a cup or a telephone before mouth or chin.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1], an aligned crop, bare or masked.
        mesh: (478, 2) float32 px.

    Returns:
        The picture, (S, S) the share of each pixel that is the thing, and what it is.
    """
    size = image.shape[0]
    pose = head.fit(mesh)
    light = guess(image, mesh, pose, rng)
    scale = pose.scale
    centre = mesh[[13, 14, 152]].mean(0) + rng.normal(0, (0.2, 0.12), 2) * scale
    thing: Thing = ("hand", "hand", "cup", "phone")[int(rng.integers(4))]
    if thing == "hand":
        height, plane = _hand(size, centre, scale, rng), _skin(image, mesh, rng)
        linear = np.broadcast_to(plane, (size, size, 3)) * (
            1 + 0.05 * cloud((size, size), rng, 8, 4)[..., None]
        )
    elif thing == "cup":
        height, linear = _cup(size, centre, scale, light, rng)
    else:
        height, linear = _phone(size, centre, scale, light, rng)
    share = cv2.GaussianBlur((height > 0).astype(np.float64), (0, 0), light.blur)
    shown = (linear * _shade(height, light)[..., None]).clip(0, 1) ** (1 / GAMMA)
    dark = cv2.GaussianBlur(share, (0, 0), size * 0.02) * rng.uniform(0.1, 0.4)
    under = image * (1 - dark * (1 - share))[..., None]
    noisy = cv2.GaussianBlur(shown + rng.normal(0, light.noise, shown.shape), (0, 0), 0.4)
    mixed = under * (1 - share[..., None]) + noisy * share[..., None]
    return mixed.clip(0, 1).astype(np.float32), share.astype(np.float32), thing


def _skin(image: Picture, mesh: NDArray[np.float32], rng: np.random.Generator) -> Array:
    """Linear colour of the face's own skin, a little off: hands differ from foreheads.

    Of the forehead alone: a mask may be on the cheeks.
    """
    at = mesh[[151, 9, 108, 337]].round().astype(int).clip(2, image.shape[0] - 3)
    patches = [image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3) for x, y in at]
    middle = np.median(np.concatenate(patches), 0).astype(np.float64) ** GAMMA
    return np.asarray(middle * np.exp(rng.normal(0, 0.05, 3)) * rng.uniform(0.75, 1.2))


def _shade(height: Array, light: Light) -> Array:
    """Light on a relief, (S, S) heights in px."""
    soft = cv2.GaussianBlur(height, (0, 0), 1.0)
    down, right = np.gradient(soft)
    normals = np.stack([-right, -down, -np.ones_like(soft)], -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return light.shade(np.asarray(normals))


def _capsule(height: Array, a: Array, b: Array, radii: tuple[float, float]) -> Array:
    """The higher of a relief and a round rod from a to b."""
    rows, columns = np.mgrid[: height.shape[0], : height.shape[1]]
    along = b - a
    t = ((columns - a[0]) * along[0] + (rows - a[1]) * along[1]) / max(float(along @ along), 1e-6)
    t = t.clip(0, 1)
    radius = radii[0] + (radii[1] - radii[0]) * t
    square = (columns - a[0] - t * along[0]) ** 2 + (rows - a[1] - t * along[1]) ** 2
    return np.asarray(np.maximum(height, np.sqrt(np.clip(radius**2 - square, 0, None))))


def _hand(size: int, tip: Array, scale: float, rng: np.random.Generator) -> Array:
    """Fingers side by side on a palm that comes from below or from a side."""
    height = np.zeros((size, size))
    turn = rng.uniform(-1.3, 1.3)
    ahead = np.array([np.sin(turn), -np.cos(turn)])
    side = np.array([np.cos(turn), np.sin(turn)])
    width = rng.uniform(0.085, 0.115) * scale
    root = tip - ahead * rng.uniform(0.55, 0.75) * scale
    curl = rng.uniform(0.6, 1.0)
    for finger in range(int(rng.integers(2, 5))):
        off = (finger - 1.5) * 2 * width * rng.uniform(0.9, 1.1)
        length = (0.62, 0.7, 0.66, 0.52)[finger] * scale * curl * rng.uniform(0.9, 1.1)
        base = root + side * off
        bend = base + ahead * length * 0.55 + side * rng.normal(0, 0.02) * scale
        end = bend + ahead * length * 0.5 + side * rng.normal(0, 0.06) * scale
        height = _capsule(height, base, bend, (width * 1.05, width))
        height = _capsule(height, bend, end, (width, width * 0.8))
    palm = root - ahead * 0.75 * scale
    height = _capsule(height, root, palm, (0.36 * scale, 0.3 * scale))
    thumb = root - ahead * 0.3 * scale + side * 0.42 * scale * rng.choice([-1, 1])
    height = _capsule(height, root - ahead * 0.5 * scale, thumb, (0.14 * scale, 0.1 * scale))
    wrist = palm - ahead * 2 * scale
    return _capsule(height, palm, wrist, (0.27 * scale, 0.24 * scale))


def _local(size: int, centre: Array, turn: float) -> tuple[Array, Array]:
    rows, columns = np.mgrid[:size, :size]
    x, y = columns - centre[0], rows - centre[1]
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _cup(
    size: int, centre: Array, scale: float, light: Light, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A tapered beaker with a rim, perhaps a sleeve; relief and linear colours."""
    x, y = _local(size, centre, rng.normal(0, 0.2))
    tall, wide = rng.uniform(0.9, 1.5) * scale, rng.uniform(0.3, 0.45) * scale
    down = (y + 0.15 * scale) / tall
    half = wide * (1 - rng.uniform(0.0, 0.3) * down.clip(0, 1))
    dip = 0.12 * wide * np.sqrt(np.clip(1 - (x / wide) ** 2, 0, 1))
    inside = (np.abs(x) < half) & (down * tall > -dip) & (down * tall < tall + dip)
    height = np.where(inside, np.sqrt(np.clip(half**2 - x**2, 0, None)) + 1, 0)
    paint = np.broadcast_to(colour(rng), (size, size, 3)).copy()
    for _ in range(int(rng.integers(0, 3))):
        at, thick = rng.random(), rng.uniform(0.03, 0.35)
        paint[np.abs(down - at) < thick / 2] = colour(rng)
    if rng.random() < 0.5:  # a lid
        paint[down < 0.1] = rng.choice([0.1, 0.85])
    return height, paint**GAMMA * light.level * light.tint


def _phone(
    size: int, centre: Array, scale: float, light: Light, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A flat slab with round corners and a lens or two."""
    x, y = _local(size, centre + (0, 0.3 * scale), rng.normal(0, 0.5))
    wide, tall, corner = 0.38 * scale, 0.8 * scale, 0.08 * scale
    outside = np.hypot(
        np.clip(np.abs(x) - wide + corner, 0, None), np.clip(np.abs(y) - tall + corner, 0, None)
    )
    height = np.clip(corner - outside, 0, 4.0) * (outside < corner)
    paint = np.broadcast_to(colour(rng), (size, size, 3)).copy()
    for k in range(int(rng.integers(1, 4))):
        away = np.hypot(x + 0.24 * scale, y + (0.66 - 0.17 * k) * scale)
        paint[away < 0.065 * scale] = 0.05
    return height, paint**GAMMA * light.level * light.tint
