"""Gives painted skin the tint of the skin that can be seen.

A mask tints what is around it, with its shade and the light that it throws, and a network that
fills a hole from its edge carries that inward: on photographs chins came out grey. So the tint of
the paint is compared with that of what is seen between and below the eyes, a few pixels off the
hole. Under glasses or in mixed light that is no good model: the less even it is, the less is done.

All of it is done in cells of a few pixels, since colour changes slowly along skin. A wider crop is
treated like a usual one, though other parts of the face lie in these places there.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Float32, UInt8

Cells = NDArray[np.bool_]

# Side of a cell, of which a crop's side is a multiple, px.
CELL = 4
# Luma of red, green and blue (ITU-R BT.601), and the least that a tint is told from.
GREY = np.array([0.299, 0.587, 0.114], np.float32)
DARKEST = 16.0
# Cheeks and chin are off grey by so much more than what is around the eyes, in the mean of the bare
# faces that score; how much of what is missing is given to them, and at most how much.
STRONGER, SHARE, MOST = 1.1, 0.6, 0.1
# Skin is compared with skin in like light: lumas as far apart as this, of 255.
BRIGHTNESS = 30.0
# From nothing at the first number to all at the second: by the share of the painted cells that is
# in like light, by the seen cells, and by how their tints differ (their middle half's range).
ALIKE, SEEN, UNEVEN = (0.3, 0.6), (15, 45), (0.3, 0.15)
# What is off the paint's own tint by as much is less and less, and at last no skin.
OTHER = (0.16, 0.35)
# A tint is that of no fewer painted cells.
MIN_CELLS = 20
# Cells around one, in which the hole's edge is looked for: there the tint is that of the skin.
NEAR = 7


def match_skin(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8) -> Float32:
    """The paint, its skin with the tint of the visible skin.

    Args:
        painted: (S, S, 3) float32 in [0, 255]; S is a multiple of CELL.
        crop: (S, S, 3) uint8, the real picture.
        hole: (S, S) uint8, 1 in the hole.
        known: (S, S) uint8, 1 where the crop is inside the picture.

    Returns:
        (S, S, 3) float32 in [0, 255].
    """
    side = hole.shape[0] // CELL
    held = _cells(hole.astype(np.float32))
    free = cv2.dilate((held > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    shown = known[CELL // 2 :: CELL, CELL // 2 :: CELL] > 0
    seen = visible_skin(side) & free & shown
    if seen.sum() <= SEEN[0] or not held.any():
        return painted
    real_light, real_tint = _light_and_tint(_cells(crop)[seen])
    # The hole, and around it all of what a cell near it is a mean of.
    part, pixels = _around(hole, NEAR // 2 + 1, side)
    held = held[part]
    hidden = hidden_skin(side)[part] & (held == 1)
    light, tint = _light_and_tint(_cells(painted[pixels]))
    alike = hidden & (np.abs(light - np.median(real_light)) < BRIGHTNESS)
    if alike.sum() < MIN_CELLS:
        return painted
    own = np.median(tint[alike], axis=0)
    low, aim, high = np.quantile(real_tint, (0.25, 0.5, 0.75), axis=0)
    change = (STRONGER * aim - own) * SHARE
    change *= trust(alike.sum() / hidden.sum(), seen.sum(), (high - low).max())
    change *= min(1.0, MOST / max(float(np.hypot(*change)), 1e-6))
    off = np.hypot(*(tint - own.astype(np.float32)).transpose(2, 0, 1))
    near = cv2.blur(held, (NEAR, NEAR), borderType=cv2.BORDER_REPLICATE)
    weight = np.clip(2 * near - 1, 0, 1) * likeness(off) * light
    added = np.nan_to_num(weight, copy=False)[..., None] * as_colour(change)
    made: Float32 = painted.copy()
    changed = made[pixels]
    wide = cv2.resize(added, changed.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    changed += wide
    np.clip(changed, 0, 255, out=changed)
    return made


def trust(alike: Any, seen: Any, uneven: Any) -> Any:
    """How far the visible skin is a model for the painted one, in [0, 1]; numbers or tensors.

    Args:
        alike: share of the painted cells in the light of the visible skin.
        seen: cells of visible skin.
        uneven: how their tints differ.
    """
    return _ramp(alike, ALIKE) * _ramp(seen, SEEN) * _ramp(uneven, UNEVEN)


def likeness(off: Any) -> Any:
    """From 1 on skin to 0 on what is none, by how far its tint is off; arrays or tensors."""
    return _ramp(off, (OTHER[1], OTHER[0]))


def _ramp(value: Any, ends: tuple[float, float]) -> Any:
    """0 at the first end and beyond, 1 at the second."""
    return ((value - ends[0]) / (ends[1] - ends[0])).clip(0, 1)


def as_colour(change: Any) -> Float32:
    """A change of tint, of red and of blue per luma, as one of red, green and blue: same luma."""
    red, blue = change
    return np.array([red, -(GREY[0] * red + GREY[2] * blue) / GREY[1], blue], np.float32)


@cache
def visible_skin(side: int) -> Cells:
    """(side, side) bool: between the eyes of an aligned face, and below them; read-only."""
    x, y = _places(side)
    bridge = (abs(x - 0.5) < 0.08) & (abs(y - 0.367) < 0.087)
    return _kept(bridge | (abs(x - 0.5) < 0.226) & (abs(y - 0.485) < 0.033))


@cache
def hidden_skin(side: int) -> Cells:
    """(side, side) bool: cheeks and chin of an aligned face, no nose and no mouth; read-only."""
    x, y = _places(side)
    lower = np.hypot(x - 0.5, y - 0.645) < 0.2
    mouth = (abs(x - 0.5) < 0.12) & (abs(y - 0.722) < 0.08)
    nose = (abs(x - 0.5) < 0.065) & (abs(y - 0.557) < 0.09)
    return _kept(lower & ~mouth & ~nose)


def _places(side: int) -> tuple[Any, Any]:
    """Middles of the cells in shares of the crop."""
    places = (np.arange(side) + 0.5) / side
    return places, places[:, None]


def _kept(plane: Any) -> Cells:
    plane.flags.writeable = False
    return np.asarray(plane)


def _around(hole: UInt8, margin: int, side: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The cells of the hole's bounding box with a margin, and their pixels."""
    x, y, width, height = cv2.boundingRect(hole)
    cells, pixels = [], []
    for start, length in ((y, height), (x, width)):
        first = max(0, start // CELL - margin)
        last = min(side, (start + length - 1) // CELL + 1 + margin)
        cells.append(slice(first, last))
        pixels.append(slice(first * CELL, last * CELL))
    return tuple(cells), tuple(pixels)


def _cells(plane: UInt8 | Float32) -> Float32:
    """The mean of each cell of a plane, or of a picture's colours; of bytes, rounded."""
    height, width = plane.shape[:2]
    made = cv2.resize(plane, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA)
    return made.astype(np.float32, copy=False)


def _light_and_tint(rgb: Float32) -> tuple[Float32, Float32]:
    """(..., 3) -> luma, (...), and what red and blue are above it, as shares of it, (..., 2)."""
    light = rgb @ GREY
    return light, rgb[..., ::2] / np.maximum(light, np.float32(DARKEST))[..., None] - 1
