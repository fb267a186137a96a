"""Whether somebody may have come into a picture beside the faces that are known there.

It costs a hundredth of a look for faces, so that those can wait until there is reason for one.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from realtime_unmask.types import Float32, UInt8

# Cells in a picture's width, and the grey levels by which one has to differ.
CELLS = 48
LEVELS = 20
# As many of them as the smallest face that is looked for covers, with its hair.
AT_LEAST = 10
# What moves with a known face, shares of its box: hair and shoulders beside it, and all below.
BESIDE, ABOVE = 0.6, 0.5


def sketch(image: UInt8) -> Float32:
    """(h, CELLS) float32, the picture's green in small."""
    height, width = image.shape[:2]
    step = max(1, width // (4 * CELLS))
    size = (CELLS, max(1, round(CELLS * height / width)))
    small = cv2.resize(image[::step, ::step, 1], size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def came(now: Float32, before: Float32 | None, meshes: Iterable[Float32], width: int) -> bool:
    """Whether so much is new that it may be a face.

    Args:
        now, before: sketches of this picture and of one a moment ago; None: there was none.
        meshes: (478, 3) float32 each, the known faces, px.
        width: of the picture, px.
    """
    if before is None or before.shape != now.shape:
        return True
    new = np.abs(now - before) > LEVELS
    for mesh in meshes:
        (left, top), (right, bottom) = mesh[:, :2].min(0), mesh[:, :2].max(0)
        box = np.array([left, right, top]) + (right - left) * np.array([-BESIDE, BESIDE, 0])
        box[2] -= ABOVE * (bottom - top)
        x0, x1, y0 = np.maximum(np.round(box * CELLS / width).astype(int), 0)
        new[y0:, x0:x1] = False
    return int(np.count_nonzero(new)) >= AT_LEAST
