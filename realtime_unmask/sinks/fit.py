"""Pictures of any size in the one size that a sink began with."""

from __future__ import annotations

import cv2
import numpy as np

from realtime_unmask.types import UInt8


def even(width: int, height: int) -> tuple[int, int]:
    """The next smaller size that ordinary video can hold, at least 2 x 2."""
    return max(2, width - width % 2), max(2, height - height % 2)


def fitted(image: UInt8, width: int, height: int) -> UInt8:
    """`image` in (height, width): itself, without an odd last line, or whole between black bars."""
    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return np.ascontiguousarray(image)
    if even(columns, rows) == (width, height) and columns >= width and rows >= height:
        return np.ascontiguousarray(image[:height, :width])
    scale = min(width / columns, height / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    smaller = scale < 1
    scaled = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    whole: UInt8 = np.zeros((height, width, 3), np.uint8)
    x0, y0 = (width - size[0]) // 2, (height - size[1]) // 2
    whole[y0 : y0 + size[1], x0 : x0 + size[0]] = scaled
    return whole
