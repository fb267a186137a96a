"""Where a picture lies on the screen, and its pixels there: pure arithmetic on arrays, no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np

from realtime_unmask.types import UInt8

MAX_ZOOM = 8.0
# What marks the map, RGB: a colour that is rare in faces.
_TINT = np.array([0, 200, 255], np.float32)


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle: left, top, width, height, px."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Zoom:
    """Which part of the picture is looked at.

    Attributes:
        factor: 1 shows the whole picture, MAX_ZOOM the smallest part of it.
        x, y: what lies in the middle of the view, as shares (0..1) of the picture.
    """

    factor: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def by(self, factor: float, x: float, y: float) -> Zoom:
        """Closer by `factor`; the picture's point (x, y) stays where it is on the screen."""
        new = min(MAX_ZOOM, max(1.0, self.factor * factor))
        ratio = self.factor / new
        return replace(self, factor=new).moved_to(
            x + (self.x - x) * ratio, y + (self.y - y) * ratio
        )

    def moved_to(self, x: float, y: float) -> Zoom:
        """(x, y) in the middle, or as near to it as the picture's edges allow."""
        margin = 0.5 / self.factor
        return Zoom(
            self.factor,
            min(1 - margin, max(margin, x)),
            min(1 - margin, max(margin, y)),
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """How a picture lies in an area of the screen; all in device pixels.

    Attributes:
        source: the part of the picture that is seen, whole picture pixels.
        target: where that part lies in the area.
        left, top, scale: screen = picture * scale + (left, top), exact.
    """

    source: Rect
    target: Rect
    left: float
    top: float
    scale: float

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """The picture's point (px) under the area's point (device px)."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale


def place(width: int, height: int, area: Rect, zoom: Zoom) -> Placement:
    """Fit a picture of `width` x `height` px into `area`, its shape kept, seen through `zoom`."""
    fit = min(area.width / width, area.height / height)
    scale = fit * zoom.factor
    # The picture as seen at factor 1 is the frame; closer, it fills as much of the area as it can.
    left = area.x + area.width / 2 - zoom.x * width * scale
    top = area.y + area.height / 2 - zoom.y * height * scale
    if width * scale <= area.width:
        left = area.x + (area.width - width * scale) / 2
    if height * scale <= area.height:
        top = area.y + (area.height - height * scale) / 2
    x0, x1 = _seen(left, scale, width, area.x, area.width)
    y0, y1 = _seen(top, scale, height, area.y, area.height)
    tx0, ty0 = round(left + x0 * scale), round(top + y0 * scale)
    tx1, ty1 = round(left + x1 * scale), round(top + y1 * scale)
    return Placement(
        Rect(x0, y0, x1 - x0, y1 - y0),
        Rect(tx0, ty0, max(1, tx1 - tx0), max(1, ty1 - ty0)),
        left,
        top,
        scale,
    )


def _seen(
    start: float, scale: float, size: int, area_start: int, area_size: int
) -> tuple[int, int]:
    """From which to which of its `size` px a picture is inside the area, in one direction."""
    first = max(0, int((area_start - start) / scale))
    last = min(size, int(np.ceil((area_start + area_size - start) / scale)))
    return min(first, size - 1), max(last, min(first, size - 1) + 1)


def pixels(image: UInt8, placement: Placement) -> UInt8:
    """The part of `image` that is seen, at the screen's size.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (target.height, target.width, 4) uint8, B G R X: what QImage calls RGB32.
    """
    part, target = placement.source, placement.target
    seen = image[part.y : part.y + part.height, part.x : part.x + part.width]
    size = (target.width, target.height)
    if (part.width, part.height) != size:
        # Averaging where much is dropped, else thin lines flicker; linear is faster elsewhere.
        way = cv2.INTER_AREA if placement.scale < 0.6 else cv2.INTER_LINEAR
        seen = cast(UInt8, cv2.resize(seen, size, interpolation=way))
    return cast(UInt8, cv2.cvtColor(np.ascontiguousarray(seen), cv2.COLOR_RGB2BGRA))


def tinted(image: UInt8, painted: UInt8 | None) -> UInt8:
    """`image` with the painted area in colour and the rest a little darker.

    Args:
        image: (H, W, 3) uint8 RGB.
        painted: (H, W) uint8, 255 = painted; None where nothing was.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    dark = (image >> 1) + (image >> 2)
    if painted is None:
        return dark
    x, y, width, height = cv2.boundingRect(painted)
    if width == 0:
        return dark
    box = np.s_[y : y + height, x : x + width]
    weight = painted[box].astype(np.float32)[:, :, None] * np.float32(0.65 / 255)
    mixed = dark[box] * (1 - weight) + _TINT * weight
    dark[box] = mixed.astype(np.uint8)
    return dark


def halves(image: UInt8 | None, width: int, height: int, gap: int) -> list[Rect]:
    """Two areas for two such pictures, beside each other or, where they are larger so, stacked.

    Args:
        image: (H, W, 3); None: beside each other.
        width, height: of both areas and the gap between them, px.
    """
    if image is not None and _stacking_is_larger(image, width, height):
        half = (height - gap) // 2
        return [Rect(0, 0, width, half), Rect(0, height - half, width, half)]
    half = (width - gap) // 2
    return [Rect(0, 0, half, height), Rect(width - half, 0, half, height)]


def _stacking_is_larger(image: UInt8, width: int, height: int) -> bool:
    """Are two such pictures larger one above the other than beside each other?"""
    rows, columns = image.shape[:2]
    beside = min(width / (2 * columns), height / rows)
    return bool(min(width / columns, height / (2 * rows)) > beside)
