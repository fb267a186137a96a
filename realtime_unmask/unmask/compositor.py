"""Support, blend weight, and putting the painted crop back into its frame.

Outside the support alpha is 0 and the output is bit-identical to the input.
"""

from __future__ import annotations

import cv2
import numpy as np

from realtime_unmask.types import Alignment, Float32, Float64, MaskMap, UInt8

# The support is the map grown by this much, crop px: no rim of mask may stay, and the more is
# grown, the more of the real face is lost.
GROW_PX = 2
_NO_COLOUR = (0, 0, 0)
# x0, y0, x1, y1 of a part of a frame, px.
Region = tuple[int, int, int, int]


def support(found: MaskMap, threshold: float) -> UInt8:
    """The map's mask, grown: (S, S) uint8, 1 inside."""
    marked = (found.values >= threshold).astype(np.uint8)
    side = 2 * GROW_PX + 1
    return cv2.dilate(
        marked, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    ).astype(np.uint8)


def feather(hole: UInt8, width_px: float) -> Float32:
    """Blend weight: 1 inside, falling over the outermost `width_px` of the support, 0 outside."""
    if width_px <= 0:
        return hole.astype(np.float32)
    share = np.zeros(hole.shape, np.float32)
    x, y, width, height = cv2.boundingRect(hole)
    if width == 0:
        return share
    part = (slice(y, y + height), slice(x, x + width))
    # A border of zeros, so that a support that reaches the crop's edge fades out there too.
    framed = cv2.copyMakeBorder(hole[part], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inward = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    share[part] = np.minimum(inward / width_px, 1)
    return share


def known_region(alignment: Alignment, width: int, height: int) -> UInt8:
    """(S, S) uint8, 1 where the crop lies inside the frame."""
    size = alignment.size
    inside = np.zeros((size, size), np.uint8)
    # Only the frame's part near the crop: in crop pixels a large frame's corners lie too far off to
    # be drawn to.
    around, back = np.array([(0, 0), (3, 0), (3, 3), (0, 3)]) * size - size, alignment.inverse()
    there = around @ back[:, :2].T + back[:, 2]
    left, top = np.maximum(there.min(0), -0.5)
    right, bottom = np.minimum(there.max(0), (width - 0.5, height - 0.5))
    if left < right and top < bottom:
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        points = corners @ alignment.matrix[:, :2].T + alignment.matrix[:, 2]
        cv2.fillConvexPoly(inside, np.round(points).astype(np.int32), 1)
    return inside


class Canvas:
    """A frame's output while faces are put into it; nothing is copied before the first one.

    Args:
        image: (H, W, 3) uint8 RGB, the frame; never written to.
    """

    def __init__(self, image: UInt8) -> None:
        self._image = image
        self._output: UInt8 | None = None
        self._map: UInt8 | None = None

    def put(
        self, rgb: Float32, alpha: Float32, alignment: Alignment, given: Float32 | None = None
    ) -> None:
        """Blend one painted crop in.

        Args:
            rgb: (S, S, 3) float32 in [0, 255].
            alpha: (S, S) float32 in [0, 1], the blend weight; 0 outside the support.
            alignment: where the crop lies.
            given: (H, W) float32 in [0, 1], a blend weight in frame px to use inside the support
                instead of `alpha`.
        """
        region = reach(alpha, alignment, self._image.shape)
        if region is None:
            return
        x0, y0, x1, y1 = region
        size = (x1 - x0, y1 - y0)
        shift = np.array([[0, 0, x0], [0, 0, y0]])
        inside = cv2.warpAffine(
            (alpha > 0).astype(np.uint8), alignment.inverse() - shift, size,
            flags=cv2.INTER_NEAREST,
        )  # fmt: skip
        rgb, alpha, inverse = _reduced(rgb, alpha, alignment)
        paint = cv2.warpAffine(
            rgb, inverse - shift, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        if given is None:
            share = cv2.warpAffine(alpha, inverse - shift, size, flags=cv2.INTER_LINEAR)
        else:
            share = given[y0:y1, x0:x1]
        # Interpolation must not reach past the support.
        weight = np.where(inside > 0, share, 0).astype(np.float32)
        # To whole numbers within the range; interpolation overshoots a little.
        whole = cv2.addWeighted(paint, 1, paint, 0, 0, dtype=cv2.CV_8U)
        self._blend(whole.astype(np.uint8, copy=False), weight, region)

    def _blend(self, paint: UInt8, weight: Float32, region: Region) -> None:
        """Mix `paint` into the region."""
        # Where the weight is 0 a pixel comes out as it went in.
        mixed = cv2.blendLinear(paint, self.part(region), weight, 1 - weight)
        share = np.maximum(cv2.convertScaleAbs(weight, alpha=255), weight > 0)
        self.take(mixed.astype(np.uint8, copy=False), share.astype(np.uint8, copy=False), region)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the frame."""
        return self._image.shape

    def part(self, region: Region) -> UInt8:
        """The frame's output so far, of one region; not to be written to."""
        x0, y0, x1, y1 = region
        return (self._image if self._output is None else self._output)[y0:y1, x0:x1]

    def take(self, mixed: UInt8, share: UInt8, region: Region) -> None:
        """Put a region in that is mixed already.

        Args:
            mixed: (h, w, 3) uint8, as it becomes.
            share: (h, w) uint8, how much of each pixel is paint; above 0 wherever there is any.
        """
        x0, y0, x1, y1 = region
        if self._output is None or self._map is None:
            self._output = self._image.copy()
            self._map = np.zeros(self._image.shape[:2], np.uint8)
        self._output[y0:y1, x0:x1] = mixed
        apart = cv2.absdiff(np.ascontiguousarray(mixed), self._image[y0:y1, x0:x1])
        same = cv2.inRange(apart, _NO_COLOUR, _NO_COLOUR)
        marks = self._map[y0:y1, x0:x1]
        # Of what shows through the paint that was there, the new one leaves as much as it says.
        through = cv2.multiply(cv2.bitwise_not(marks), cv2.bitwise_not(share), scale=1 / 255)
        # A pixel that came out as it went in is 0: the map says exactly what was changed.
        marks[:] = cv2.bitwise_and(cv2.bitwise_not(through), cv2.bitwise_not(same))

    def result(self) -> tuple[UInt8, UInt8] | None:
        """Output and map; None where nothing was put in."""
        if self._output is None or self._map is None:
            return None
        return self._output, self._map


def _reduced(
    rgb: Float32, alpha: Float32, alignment: Alignment
) -> tuple[Float32, Float32, Float64]:
    """A crop that is finer than the frame is first reduced by area, so that it does not alias."""
    inverse = alignment.inverse()
    factor = _factor(alignment)
    if factor < 2:
        return rgb, alpha, inverse
    side = alignment.size // factor
    ratio = alignment.size / side
    origin = 0.5 * ratio - 0.5
    linear = inverse[:, :2]
    offset = linear @ np.full(2, origin) + inverse[:, 2]
    small = [
        cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        for plane in (rgb, alpha)
    ]
    return small[0], small[1], np.hstack([linear * ratio, offset[:, None]])


def is_finer(alignment: Alignment) -> bool:
    """Whether a crop is so much finer than its frame that it has to be reduced first."""
    return _factor(alignment) >= 2


def _factor(alignment: Alignment) -> int:
    return int(alignment.scale + 0.25)


def reach(alpha: Float32, alignment: Alignment, shape: tuple[int, ...]) -> Region | None:
    """x0 y0 x1 y1 of the frame's part that the support can touch; None if it is outside."""
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    if width == 0:
        return None
    corners = np.array(
        [(x - 1, y - 1), (x + width, y - 1), (x - 1, y + height), (x + width, y + height)],
        np.float64,
    )
    inverse = alignment.inverse()
    points = corners @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int), 0)
    x1 = min(int(np.ceil(points[:, 0].max())) + 1, shape[1])
    y1 = min(int(np.ceil(points[:, 1].max())) + 1, shape[0])
    return (int(x0), int(y0), x1, y1) if x1 > x0 and y1 > y0 else None
