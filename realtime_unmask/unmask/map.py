"""The map module: where the mask is, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from realtime_unmask.inference.engine import Engine
from realtime_unmask.types import Float32, MaskMap, UInt8

# Where masks are worn in the aligned crop (shares of its side): nose tip to chin. Its covered
# part decides whether there is a mask, so a scarf round the neck is none.
ZONE_CENTRE = (0.5, 0.68)
ZONE_RADII = (0.15, 0.13)
# A mask appears at the upper bound and is gone below the lower one, so that it cannot flutter.
WORN_FROM = 0.45
WORN_UNTIL = 0.30
# Holes up to this share of the map are filled: larger ones may be a hand before the mask.
HOLE_SHARE = 0.06
# Weight of the new map against the ones before it.
NEW_SHARE = 0.6


@dataclass(slots=True)
class MapMemory:
    """What one face's map was a frame ago; part of the unmasker's State."""

    values: Float32 | None = None
    worn: bool = False
    found: MaskMap | None = None  # what `values` came to, at
    threshold: float = -1.0


def normalise(crop: UInt8) -> Float32:
    """(S, S, 3) uint8 RGB -> (3, S, S) float32 in [-1, 1]."""
    planes = np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32)
    return planes * np.float32(1 / 127.5) - np.float32(1)


def find_masks(
    engine: Engine, batch: Float32, memories: Sequence[MapMemory | None], threshold: float
) -> list[MaskMap]:
    """The map of each crop; of a still, which has time, the mean with its mirror's.

    Args:
        engine: the map network.
        batch: (N, 3, S, S) float32 RGB in [-1, 1].
        memories: one for each crop, changed in place; None for a still.
        threshold: a value from which a pixel counts as mask.
    """
    values = engine.infer({"image": batch})["map"][:, 0]
    if all(memory is None for memory in memories):
        mirror = engine.infer({"image": np.ascontiguousarray(batch[..., ::-1])})["map"][:, 0]
        values = (values + mirror[..., ::-1]) * np.float32(0.5)
    maps = []
    for plane, memory in zip(values, memories, strict=True):
        if memory is not None:
            if memory.values is not None:
                plane = memory.values + NEW_SHARE * (plane - memory.values)
            memory.values = plane
        maps.append(_tidied(plane, threshold))
        if memory is not None:
            memory.found, memory.threshold = maps[-1], threshold
    return maps


def held_mask(memory: MapMemory, threshold: float) -> MaskMap | None:
    """The map of a frame for which the network is not asked: the crop moves with the face.

    Args:
        memory: of the frame before; None comes of one without a map.
        threshold: a value from which a pixel counts as mask.
    """
    if memory.values is None:
        return None
    if memory.found is None or memory.threshold != threshold:
        memory.found, memory.threshold = _tidied(memory.values, threshold), threshold
    return memory.found


def _tidied(plane: Float32, threshold: float) -> MaskMap:
    plane = _filled(own(plane, threshold), threshold)
    return MaskMap(plane, coverage(plane, threshold))


def is_worn(found: MaskMap, memory: MapMemory | None) -> bool:
    """Mask or no mask, with hysteresis where there is a memory (changed in place)."""
    if memory is None:
        return found.coverage >= WORN_FROM
    memory.worn = found.coverage >= (WORN_UNTIL if memory.worn else WORN_FROM)
    return memory.worn


@cache
def zone(size: int) -> UInt8:
    """(size, size) uint8, 1 where masks are worn; read-only."""
    plane = np.zeros((size, size), np.uint8)
    centre = (round(ZONE_CENTRE[0] * size), round(ZONE_CENTRE[1] * size))
    axes = (round(ZONE_RADII[0] * size), round(ZONE_RADII[1] * size))
    cv2.ellipse(plane, centre, axes, 0, 0, 360, 1, -1)
    plane.flags.writeable = False
    return plane


def coverage(plane: Float32, threshold: float) -> float:
    """The share of the zone, 0..1, that is at least `threshold`."""
    where = zone(plane.shape[0]).astype(bool)
    return float((plane[where] >= threshold).mean())


def own(plane: Float32, threshold: float) -> Float32:
    """A map without the neighbour's mask: only what hangs together with this face's zone."""
    count, labels = cv2.connectedComponents((plane >= threshold).astype(np.uint8))
    foreign = np.ones(count, bool)
    foreign[labels[zone(plane.shape[0]).astype(bool)]] = False
    foreign[0] = False  # label 0 is where no mask is
    return np.where(foreign[labels], np.float32(0), plane) if foreign.any() else plane


def _filled(plane: Float32, threshold: float) -> Float32:
    """Without the small holes that a print, a logo or a fold leaves in a map."""
    marked = (plane >= threshold).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(marked)
    # With a pixel of the surroundings, which hang together there, so that bays are no holes.
    part = (slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1))
    inside = 1 - marked[part]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    left, top, width, height, area = stats.T
    edge = (left == 0) | (top == 0)
    edge |= (left + width == inside.shape[1]) | (top + height == inside.shape[0])
    small = ~edge & (area < HOLE_SHARE * cv2.countNonZero(marked))
    small[0] = False  # label 0 is the mask itself
    if not small.any():
        return plane
    plane = plane.copy()
    plane[part][small[labels]] = 1
    return plane
