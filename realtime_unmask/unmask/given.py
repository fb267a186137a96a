"""A map that was given in place of the network's: which part of it is whose."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import align
from realtime_unmask.types import Face, Float32, Float64, Frame, MaskMap, UInt8
from realtime_unmask.unmask.map import ZONE_CENTRE, ZONE_RADII, coverage
from realtime_unmask.unmask.state import Masked, Seen

# Any share of paint in a given map counts: half a step of its 8 bits.
ANY = 0.5 / 255


def as_weight(given_map: UInt8 | None, frame: Frame) -> Float32 | None:
    """(H, W) uint8 as (H, W) float32 in [0, 1]; None stays None.

    Raises:
        TypeError, ValueError: it is not of that form, or not of the frame's size.
    """
    if given_map is None:
        return None
    if given_map.dtype != np.uint8:
        raise TypeError(f"given_map must be uint8, not {given_map.dtype}.")
    if given_map.shape != (frame.height, frame.width):
        raise ValueError(
            f"given_map is {given_map.shape}, the frame {(frame.height, frame.width)}: "
            "they must be of one size."
        )
    return given_map.astype(np.float32) / np.float32(255)


def under(given: Float32, seen: list[Seen], faces: list[Face]) -> list[Masked]:
    """The faces under a given map, which is not grown: it holds the whole support already."""
    pieces, masked = Pieces(given, faces, ANY), []
    for one in seen:
        size = (one.alignment.size, one.alignment.size)
        part = pieces.of(one.face)
        values = cv2.warpAffine(
            part, one.alignment.matrix, size, flags=cv2.INTER_LINEAR
        ).astype(np.float32)
        # One pixel more, so that sampling loses none of the frame's painted pixels.
        hole = cv2.dilate((values >= ANY).astype(np.uint8), np.ones((3, 3), np.uint8))
        if hole.any():
            found = MaskMap(values, coverage(values, ANY))
            masked.append(Masked(one, found, hole.astype(np.uint8)))
    return masked


class Pieces:
    """Shares a given map out: each piece that hangs together goes to the face it is nearest to.

    Near is to the zone in which masks are worn; a piece that reaches into several goes to each of
    their faces. A single face gets everything.

    Args:
        given: (H, W) float32 in [0, 1].
        faces: all in the picture, also those that are not to be painted.
        least: a value from which a pixel counts as painted.
    """

    def __init__(self, given: Float32, faces: Sequence[Face], least: float) -> None:
        self._given = given
        self._owned: dict[int, NDArray[np.bool_]] = {}  # by track_id: which pieces
        if len(faces) < 2:
            return
        marked = (given >= least).astype(np.uint8)
        count, self._labels = cv2.connectedComponents(marked)
        inner = cv2.erode(
            marked, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
        )
        rows, columns = np.nonzero(marked > inner)  # a piece is nearest with its edge ...
        labels = self._labels[rows, columns].astype(np.intp)
        away: dict[int, Float64] = {}
        for face in faces:
            try:
                matrix = _to_zone(face)
            except ValueError:  # a degenerate mesh: no face after all
                continue
            x, y = matrix[:, :2] @ (columns, rows) + matrix[:, 2:]
            near = np.full(count, np.inf)
            np.minimum.at(near, labels, np.maximum(np.hypot(x, y), 1))
            column, row = np.round(np.linalg.solve(matrix[:, :2], -matrix[:, 2])).astype(int)
            if 0 <= row < given.shape[0] and 0 <= column < given.shape[1]:
                near[self._labels[row, column]] = 1  # ... unless it covers the zone's middle
            away[face.track_id] = near
        nearest = np.min([*away.values(), np.full(count, np.inf)], axis=0)
        self._owned = {number: near <= nearest for number, near in away.items()}

    def of(self, face: Face) -> Float32:
        """(H, W) float32: what of the map is painted with `face`."""
        owned = self._owned.get(face.track_id)
        if owned is None:
            return self._given
        return np.where(owned[self._labels], self._given, np.float32(0))


def _to_zone(face: Face) -> Float64:
    """(2, 3): frame px -> the zone's own coordinates, in which it is the circle of radius 1."""
    matrix = align(face.landmarks, 1).matrix.copy()
    matrix[:, 2] -= ZONE_CENTRE
    return np.asarray(matrix / np.reshape(ZONE_RADII, (2, 1)))
