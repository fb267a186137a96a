"""Photos that FakeUnmasker understands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .conftest import FACE, MASK


def photo(
    path: Path, *, faces: int = 1, masked: bool = True, size: tuple[int, int] = (24, 16)
) -> np.ndarray:
    """Write a PNG that FakeUnmasker understands; its pixels as (H, W, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[0, :faces] = FACE
    if masked:
        pixels[8:12, 4:9] = MASK
    Image.fromarray(pixels).save(path)
    return pixels


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))
