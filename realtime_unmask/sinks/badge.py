"""The words "AI-reconstructed" in a corner of pictures that leave the program."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Frame, UInt8

TEXT = "AI-reconstructed"
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Height of the plate as a share of the picture's shorter side, and the smallest that is legible.
_SHARE, _SMALLEST = 0.045, 14
_OPACITY = 0.55


def with_badge(frame: Frame) -> Frame:
    """`frame` with the badge in its lower left corner, a copy."""
    image = frame.image.copy()
    text, plate = _stencil(*_room(frame.width, frame.height))
    height, width = plate.shape
    margin = height // 3
    y0, x0 = max(0, frame.height - margin - height), margin
    part = image[y0 : y0 + height, x0 : x0 + width]
    text, plate = text[: part.shape[0], : part.shape[1]], plate[: part.shape[0], : part.shape[1]]
    dark = part * (1 - plate[..., None])
    part[:] = np.rint(dark + (255 - dark) * text[..., None]).astype(np.uint8)
    return replace(frame, image=image)


def _room(width: int, height: int) -> tuple[int, int]:
    return max(_SMALLEST, round(min(width, height) * _SHARE)), width


@lru_cache(maxsize=8)
def _stencil(height: int, widest: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(text, plate), (h, w) float32 in [0, 1] each: how much white, and how much dark under it."""
    scale, thickness = height / 34, max(1, round(height / 18))
    (width, rise), drop = cv2.getTextSize(TEXT, _FONT, scale, thickness)
    pad = height // 3
    text: UInt8 = np.zeros((height, min(width + 2 * pad, widest)), np.uint8)
    base = (height + rise - drop // 2) // 2
    cv2.putText(text, TEXT, (pad, base), _FONT, scale, 255, thickness, cv2.LINE_AA)
    plate = np.full(text.shape, _OPACITY, np.float32)
    return (text / 255).astype(np.float32), plate
