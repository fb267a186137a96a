"""Put one mask on one bare face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.unseen import head
from training.unseen.cut import KIND_SHARES, KINDS, Cut, Kind, Strap, cut
from training.unseen.fabric import albedo, colour
from training.unseen.head import Array, Head
from training.unseen.light import GAMMA, Light, guess, normals_of

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]
# Rendered this much finer than the picture, and reduced by area.
FINE = 2
# Points splatted for each row and column of the surface's grid: about two a fine pixel.
FINER = (2, 3)


@dataclass(frozen=True, slots=True)
class Worn:
    """A face with a mask on.

    Attributes:
        image: (S, S, 3) float32 RGB in [0, 1].
        map: (S, S) float32 in [0, 1], the share of each pixel that is mask or band.
        kind: of mask.
    """

    image: Picture
    map: Plane
    kind: Kind


def wear(
    image: Picture,
    mesh: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    covering: bool = False,
    kind: Kind | None = None,
) -> Worn:
    """Put a mask on a bare face.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1], an aligned crop.
        mesh: (478, 2) float32 px, its landmarks.
        covering: the mask covers nose to chin.
        kind: of mask; else any.
    """
    chosen = kind or KINDS[int(rng.choice(len(KINDS), p=KIND_SHARES))]
    pose = head.fit(mesh)
    light = guess(image, mesh, pose, rng)
    mask = cut(chosen, rng, covering)
    size = image.shape[0]
    body, alpha = _render(mask, pose, light, size, rng)
    bands, over = _bands(mask, pose, light, size, rng)
    layer = np.where((alpha > 0.02)[..., None], body, bands)
    share = np.maximum(alpha, over)
    mixed = body * alpha[..., None] + bands * (1 - alpha[..., None]) * over[..., None]
    layer = np.where((share > 1e-3)[..., None], mixed / np.maximum(share, 1e-3)[..., None], layer)
    softened = cv2.GaussianBlur(share, (0, 0), light.blur)
    colours = cv2.GaussianBlur(layer * share[..., None], (0, 0), light.blur)
    shadow = _shadow(share, light, size, rng)
    dim = image * (1 - shadow * (1 - softened))[..., None]
    worn = dim * (1 - softened[..., None]) + colours
    worn += rng.normal(0, light.noise, worn.shape) * softened[..., None]
    return Worn(worn.clip(0, 1).astype(np.float32), softened.astype(np.float32), chosen)


def _render(
    mask: Cut, pose: Head, light: Light, size: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The mask without its bands: (S, S, 3) display values and (S, S) share."""
    surface = head.from_cylinder(mask.angle, mask.y, mask.radius)
    px, _ = pose.project(surface)
    camera = np.concatenate([px / pose.scale, (surface @ pose.turn.T)[..., 2:]], -1)
    normals = normals_of(camera)
    colours = _lit(albedo(mask, rng), normals, mask, light, rng)
    columns, rows = _places(px, normals, mask, size * FINE)
    shown = cv2.remap(
        colours.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    edge = cv2.remap(mask.inside.astype(np.float32), columns, rows, cv2.INTER_LINEAR)
    inside = ((columns >= 0) & (edge > 0)).astype(np.float32)
    small = (size, size)
    alpha = cv2.resize(inside, small, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(shown * inside[..., None], small, interpolation=cv2.INTER_AREA)
    return summed / np.maximum(alpha, 1e-3)[..., None], alpha.astype(np.float64)


def _lit(
    plane: Array, normals: Array, mask: Cut, light: Light, rng: np.random.Generator
) -> Array:
    """Albedo -> display values."""
    shade = light.shade(normals)
    turned_in = np.clip(mask.inside / 0.05, 0, 1)
    shade *= 0.86 + 0.14 * turned_in
    # Light comes from the whole front: what turns away from the camera gets less.
    shade *= 1 - rng.uniform(0.2, 0.45) * (1 - np.clip(-normals[..., 2], 0, 1))
    shade *= 1 - rng.uniform(0.35, 0.65) * mask.crease
    linear = plane**GAMMA * (light.level * shade)[..., None] * light.tint
    if mask.kind in ("fashion", "kn95", "n95") and rng.random() < 0.4:  # a slight sheen
        half = light.direction / max(float(np.linalg.norm(light.direction)), 1e-6) + (0, 0, -1)
        half /= np.linalg.norm(half)
        linear += (0.08 * light.level * np.clip(normals @ half, 0, 1) ** 12)[..., None]
    # The camera's shoulder: highlights bend before they clip.
    linear = np.where(linear > 0.7, 0.7 + 0.3 * (1 - np.exp(-(linear - 0.7) / 0.3)), linear)
    return np.asarray(linear.clip(0, 1) ** (1 / GAMMA))


def _places(px: Array, normals: Array, mask: Cut, size: int) -> tuple[Plane, Plane]:
    """For each pixel of the fine picture the column and row of the cut that it shows; -1: none.

    Points are splatted from the far columns to the near ones, so that the near ones win.
    """
    count_y, count_x = px.shape[0] * FINER[0], px.shape[1] * FINER[1]
    dense = _resized(px, (count_x, count_y))
    facing = _resized(normals[..., 2], (count_x, count_y)) < 0
    cloth = _resized(mask.inside, (count_x, count_y)) > -0.02
    fine = np.floor((dense + 0.5) * FINE).astype(np.int32)
    kept = facing & cloth & ((fine >= 0) & (fine < size)).all(-1)
    near = np.argsort(normals[..., 2].mean(0))[::-1]
    order = (near[:, None] * FINER[1] + np.arange(FINER[1])).ravel()
    number, y = np.nonzero(kept[:, order].T)
    x = order[number]
    at = fine[y, x, 1], fine[y, x, 0]
    columns = np.full((size, size), -1, np.float32)
    rows = np.full((size, size), -1, np.float32)
    columns[at] = (x + 0.5) / FINER[1] - 0.5
    rows[at] = (y + 0.5) / FINER[0] - 0.5
    return _closed(columns), _closed(rows)


def _resized(plane: Array, shape: tuple[int, int]) -> Plane:
    return cv2.resize(
        plane.astype(np.float32), shape, interpolation=cv2.INTER_LINEAR
    ).astype(np.float32, copy=False)


def _closed(plane: Plane) -> Plane:
    """Single pixels that no point fell on take their neighbour's."""
    filled = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.where(plane < 0, filled, plane).astype(np.float32)


def _bands(
    mask: Cut, pose: Head, light: Light, size: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The bands: (S, S, 3) display values and (S, S) share."""
    fine = np.zeros((size * 4, size * 4), np.uint8)
    for strap in mask.straps:
        _draw(fine, strap, pose)
    share = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    pale = np.full(3, rng.uniform(0.75, 0.92))
    base = colour(rng) if mask.kind == "cloth" or rng.random() < 0.15 else pale
    if mask.kind == "fashion":
        base = np.full(3, rng.uniform(0.1, 0.22))
    shade = rng.uniform(0.7, 1.0) * light.level
    value = (np.array(base) ** GAMMA * shade * light.tint).clip(0, 1) ** (1 / GAMMA)
    round_ = cv2.GaussianBlur(share, (0, 0), 1.2)
    return value * (0.8 + 0.2 * round_)[..., None], share


def _draw(fine: NDArray[np.uint8], strap: Strap, pose: Head) -> None:
    """One band, where the head does not hide it."""
    px, _ = pose.project(strap.points[None])
    flat = head.to_cylinder(strap.points)
    out = np.stack([np.sin(flat[:, 0]), np.zeros(len(flat)), -np.cos(flat[:, 0])], 1)
    seen = (out @ pose.turn.T)[:, 2] < 0.06
    at = np.round((px[0] + 0.5) * 4 * 16).astype(np.int32)
    width = max(int(round(strap.width * pose.scale * 4)), 3)
    for a, b, here in zip(at[:-1], at[1:], seen[:-1] & seen[1:], strict=True):
        if here and (np.abs(a) < 1 << 15).all() and (np.abs(b) < 1 << 15).all():
            ends = (int(a[0]), int(a[1])), (int(b[0]), int(b[1]))
            cv2.line(fine, *ends, 255, width, cv2.LINE_AA, 4)


def _shadow(share: Array, light: Light, size: int, rng: np.random.Generator) -> Array:
    """What the mask takes of the light beside it, (S, S) 0..1."""
    away = -light.direction[:2] * size * 0.02
    move = np.array([[1, 0, away[0]], [0, 1, max(away[1], -1.0) + size * 0.006]])
    moved = cv2.warpAffine(share, move, (size, size))
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), size * 0.012) * rng.uniform(0.1, 0.4))
