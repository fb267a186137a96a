"""Fits the colour of what was painted to what is around it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Float32, Float64, UInt8
from realtime_unmask.unmask.skin import GREY, match_skin

Places = NDArray[np.intp]

# The network was trained to paint this much around the hole as well, crop px.
RIM_PX = 6
# The band around the hole in which painted and real colour are compared, crop px.
BAND_PX = (1, RIM_PX)
# Width of each side of the seam, crop px.
SEAM_PX = 2
TRIMMED_SHARE = 0.3
# A seam that changes by this share of itself is better, or worse, without a doubt.
UNDOUBTED = 0.1
MIN_BAND_PIXELS = 200
# A picture is black and white if colours differ by more than GREY_SPREAD of 255, which coding may
# leave, in less than GREY_SHARE of its pixels.
GREY_SPREAD, GREY_SHARE, GREY_STEP = 4, 0.005, 4


def is_grey(crop: UInt8) -> bool:
    """Whether (S, S, 3) uint8 RGB is a picture in black and white; every few pixels are asked."""
    red, green, blue = cv2.split(crop[::GREY_STEP, ::GREY_STEP].astype(np.uint8, order="C"))
    apart = cv2.max(cv2.absdiff(red, green), cv2.absdiff(green, blue))
    return bool(cv2.countNonZero((apart > GREY_SPREAD).view(np.uint8)) < GREY_SHARE * apart.size)


def greyed(painted: Float32) -> Float32:
    """(S, S, 3) float32 RGB without the trace of colour that the network gives it; a new array."""
    return np.repeat((painted @ GREY)[..., None], 3, axis=2)


def match_colour(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8 | None) -> Float32:
    """Fit the paint to what is around the hole (`carried`), and its skin to what can be seen of it.

    In a black and white picture the paint loses its colour first.

    Args:
        painted: (S, S, 3) float32 in [0, 255], the editor's output for the whole crop.
        crop: (S, S, 3) uint8, the real picture.
        hole: (S, S) uint8, 1 in the hole.
        known: (S, S) uint8, 1 where the crop is inside the picture; None: nothing is fitted.

    Returns:
        (S, S, 3) float32 in [0, 255].
    """
    if is_grey(crop):
        painted = greyed(painted)
    if known is None:
        return painted
    return match_skin(carried(painted, crop, hole, known), crop, hole, known)


def carried(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8) -> Float32:
    """The difference along the hole's edge carried inward, as a plane in x and y.

    Fitted on what the network made of the rim around the hole, where the truth is known, and kept
    as far as the seam gets smaller (`kept_share`). Nothing is learnt from lips or beard: they lie
    inside.

    Args and return value: as for `match_colour`.
    """
    inner, outer = (cv2.dilate(hole, disc(reach)) for reach in BAND_PX)
    band = cv2.findNonZero((outer - inner) * known)
    if band is None or len(band) < MIN_BAND_PIXELS:
        return painted
    columns, rows = band.reshape(-1, 2).T
    size = hole.shape[0]
    terms = np.stack([np.ones(rows.size), columns / size - 0.5, rows / size - 0.5], 1)
    plane = _trimmed_fit(terms, crop[rows, columns].astype(np.float64) - painted[rows, columns])
    plane = plane.astype(np.float32)
    places = np.arange(size, dtype=np.float32) / np.float32(size) - np.float32(0.5)
    # Flat rows: three colours as the innermost axis would cost ten times as much.
    across = (places[:, None] * plane[1] + plane[0]).ravel()
    change = (np.outer(places, np.tile(plane[2], size)) + across).reshape(painted.shape)
    change += painted
    matched: Float32 = np.clip(change, 0, 255, out=change)
    edge = _Edge(crop, hole, known)
    share = kept_share(edge.jump(matched), edge.jump(painted))
    if not share > 0:  # nor if it is no number
        return painted
    return matched if share >= 1 else painted + np.float32(share) * (matched - painted)


def kept_share(matched: Any, painted: Any) -> Any:
    """How much of a match is kept, by the seams with and without it, numbers or tensors.

    All of it, 1 or more, where the seam gets smaller by UNDOUBTED of itself; none, 0 or less, where
    it grows by as much. A choice of one of the two would flip from frame to frame, and from one
    device to another.
    """
    return 0.5 + (painted - matched) / (2 * UNDOUBTED * painted + 1e-6)


def seam(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8) -> float:
    """How much the colour jumps across the hole's edge: mean CIE76 delta-E.

    Compares the means of what is within SEAM_PX inside and outside of each point of the edge.
    """
    return _Edge(crop, hole, known).jump(painted)


class _Edge:
    """The two sides of a hole's edge in one picture; what is outside is the same for all paints.

    Args: as for `seam`.
    """

    def __init__(self, crop: UInt8, hole: UInt8, known: UInt8) -> None:
        x, y, width, height = cv2.boundingRect(cv2.dilate(hole, disc(3 * SEAM_PX)))
        self._part = part = (slice(y, y + height), slice(x, x + width))
        seam = disc(SEAM_PX)
        hole, known = hole[part], known[part]
        inner = ((hole - cv2.erode(hole, seam)) * known).astype(np.uint8, copy=False)
        outer = ((cv2.dilate(hole, seam) - hole) * known).astype(np.uint8, copy=False)
        near = [_blur(side.astype(np.float32)) for side in (inner, outer)]
        # Points of either side that have the other one in reach.
        self._at = np.nonzero((inner | outer).view(np.bool_) & (near[0] > 0) & (near[1] > 0))
        self._near = np.maximum(near[0][self._at], 1e-6)[:, None]
        self._inner = np.nonzero(inner.view(np.bool_))
        real = self._sums(crop[part], np.nonzero(outer.view(np.bool_)))
        self._real = real / np.maximum(near[1][self._at], 1e-6)[:, None]

    def jump(self, painted: Float32) -> float:
        """Mean CIE76 delta-E between the sides; 0 where there is no edge."""
        if not self._at[0].size:
            return 0.0
        inside = self._sums(painted[self._part], self._inner) / self._near
        return float(np.sqrt(((inside - self._real) ** 2).sum(1)).mean())

    def _sums(self, rgb: UInt8 | Float32, side: tuple[Places, ...]) -> Float32:
        """Lab around each point of the edge, summed over what belongs to that side."""
        plane = np.zeros(rgb.shape, np.float32)
        # Lab is dear, and a side has a thirtieth of the pixels.
        plane[side] = _lab(rgb[side].astype(np.float32))
        return np.asarray(_blur(plane)[self._at], np.float32)


def _lab(rgb: Float32) -> Float32:
    """CIE Lab of (n, 3) float32 RGB in [0, 255]."""
    row = rgb[None] * np.float32(1 / 255)
    lab: Float32 = cv2.cvtColor(row, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)[0]
    return lab


def _blur(plane: Float32) -> Float32:
    side = 2 * SEAM_PX + 1
    return cv2.blur(plane, (side, side)).astype(np.float32, copy=False)


def _trimmed_fit(terms: Float64, gap: Float64) -> Float64:
    """Least squares, then again without the worst: hair and collars are no skin."""
    # By the normal equations: three well-scaled terms need no more.
    plane = np.linalg.solve(terms.T @ terms + 1e-9 * np.eye(3), terms.T @ gap)
    off = np.abs(gap - terms @ plane).sum(1)
    good = off <= np.quantile(off, 1 - TRIMMED_SHARE)
    # Ridge on the slopes keeps a one-sided band from tilting the whole mouth.
    ridge = np.diag([0.0, 0.02, 0.02]) * good.sum()
    a = terms[good]
    return np.asarray(np.linalg.solve(a.T @ a + ridge, a.T @ gap[good]))


def disc(radius: int) -> UInt8:
    """What grows a plane by so many px."""
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
