"""The part of a mask that lies beyond its face's crop.

The usual crop ends below the chin of a face that looks ahead. A turned or lowered head, a duckbill
or a scarf reach out of it. The editor paints a face best where it has learnt to see one, so the
usual crop stays as it is; what lies beyond is painted in a wider one. That is laid under the usual
crop's paint, which fades out towards its edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar, cast

import cv2
import numpy as np

from realtime_unmask.faces.alignment import to_crop
from realtime_unmask.types import Alignment, Face, Float32, Float64, Frame, UInt8

Plane = TypeVar("Plane", UInt8, Float32)

# The wider crop reaches further down and to both sides: its side over the usual one's. The map
# network still sees masks in it; at 1.4 it misses some.
WIDER = 1.3
# The usual crop's paint fades out over so much at its edge, crop px.
FADE_PX = 24
# A mask reaches out where the hole covers so much of the crop's edge, px; and until it covers less
# than the second number, so that it cannot flutter.
FROM_PX, UNTIL_PX = 8, 4
# Nothing is beyond the crop's edge if the frame ends within so much of it, crop px.
MARGIN_PX = 3


def wider(alignment: Alignment) -> Alignment:
    """The wider crop around a usual one."""
    linear, offset = _to_wider(alignment.size)
    matrix = linear * alignment.matrix
    matrix[:, 2] += offset
    return Alignment(matrix, alignment.size)


def reaches_out(hole: UInt8, alignment: Alignment, frame: Frame, before: bool) -> bool:
    """Whether the hole goes on beyond the crop, and the frame does too.

    Args:
        hole: (S, S) uint8, 1 in the hole.
        before: it did in the frame before.
    """
    size = alignment.size
    lines = (hole[-1], hole[:-1, 0], hole[:-1, -1])
    least = UNTIL_PX if before else FROM_PX
    if sum(cv2.countNonZero(line) for line in lines) < least:  # nearly always
        return False
    places = np.arange(size, dtype=np.float64)
    low, high = np.full(size, -MARGIN_PX), np.full(size, size - 1 + MARGIN_PX)
    left, right = np.stack([low, places])[:, :-1], np.stack([high, places])[:, :-1]
    beyond = np.hstack([np.stack([places, high]), left, right])
    back = alignment.inverse()
    x, y = back[:, :2] @ beyond + back[:, 2:]
    shown = (x >= 0) & (y >= 0) & (x <= frame.width - 1) & (y <= frame.height - 1)
    return bool((np.concatenate(lines).astype(bool) & shown).sum() >= least)


def without_others(
    found: UInt8, alignment: Alignment, face: Face, faces: Sequence[Face]
) -> UInt8:
    """A wider crop's hole without what lies on other faces: somebody in front has hair, no mask.

    Args:
        found: (S, S) uint8, 1 in the hole.
        face: whose hole it is.
        faces: all in the picture.
    """
    left = found.copy()
    for other in faces:
        if other.track_id != face.track_id:
            outline = cv2.convexHull(to_crop(other.landmarks, alignment))
            cv2.fillConvexPoly(left, np.round(outline).astype(np.int32), (0,))
    return left


def outer_hole(hole: UInt8, found: UInt8) -> UInt8 | None:
    """The hole of the wider crop: within the usual one as there, beyond it as the wider map says.

    Args:
        hole: (S, S) uint8, of the usual crop.
        found: (S, S) uint8, of the wider one.

    Returns:
        (S, S) uint8, only what hangs together with `hole`; None if that ends at the usual edge.
    """
    size = hole.shape[0]
    inside = window(size)
    placed = in_wider(hole, cv2.INTER_NEAREST)
    made = np.where(inside, placed, found).astype(np.uint8)
    count, labels = cv2.connectedComponents(made)
    own = np.zeros(count, bool)
    own[labels[placed > 0]] = True
    own[0] = False  # label 0 is outside of all
    made = own[labels].astype(np.uint8)
    return made if (made > inside).any() else None


def outside(hole: UInt8, alignment: Alignment, given: Float32) -> Float32:
    """(H, W) of a given map without what the usual crop's hole covers: it holds once, not twice."""
    size = (given.shape[1], given.shape[0])
    covered = cv2.warpAffine(hole, alignment.inverse(), size, flags=cv2.INTER_NEAREST)
    return np.where(covered, np.float32(0), given)


def in_wider(plane: Plane, sampling: int) -> Plane:
    """(S, S) of the usual crop where it lies in the wider one, 0 around it."""
    size = plane.shape[0]
    linear, offset = _to_wider(size)
    matrix = np.array([[linear, 0, offset[0]], [0, linear, offset[1]]])
    placed = cv2.warpAffine(plane, matrix, (size, size), flags=sampling)
    return cast(Plane, placed)


@cache
def window(size: int) -> UInt8:
    """(size, size) uint8, 1 where the usual crop lies in the wider one; read-only."""
    plane = in_wider(np.ones((size, size), np.uint8), cv2.INTER_NEAREST)
    plane.flags.writeable = False
    return plane


@cache
def needed(size: int) -> UInt8:
    """(size, size) uint8, 0 where the usual crop's paint covers the wider one's.

    1 on a rim of a pixel within, which interpolation reaches. Read-only.
    """
    covered = in_wider((fade(size) == 1).astype(np.uint8), cv2.INTER_NEAREST)
    plane = (1 - cv2.erode(covered, np.ones((3, 3), np.uint8))).astype(np.uint8)
    plane.flags.writeable = False
    return plane


@cache
def fade(size: int) -> Float32:
    """(size, size) float32 in [0, 1]: how much of the usual crop's paint covers the wider one's.

    Read-only.
    """
    places = np.arange(1, size + 1, dtype=np.float32) / FADE_PX
    from_left, from_bottom = np.minimum(places, 1), np.minimum(places[::-1], 1)
    plane = from_bottom[:, None] * np.minimum(from_left, from_left[::-1])
    plane.flags.writeable = False
    return plane


def _to_wider(size: int) -> tuple[float, Float64]:
    """Usual crop px times the first number, plus (x, y): wider crop px."""
    return 1 / WIDER, np.array([size * (WIDER - 1) / 2 / WIDER, 0.0])
