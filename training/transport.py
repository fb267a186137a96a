"""Samples travel from the painters to the training in a camera's 8 bits.

In float32 a batch of 64 is 150 MB, and to copy it takes longer than a GPU needs to learn from it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def packed(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pictures, (3, S, S) in [-1, 1], and planes, (1, S, S) in [0, 1], as uint8; the rest as it is.

    0 and 1 stay exact in both; -1 is kept too.
    """
    return {name: _packed(value) if value.ndim == 3 else value for name, value in sample.items()}


def unpacked(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch as float32, whether it was packed or not."""
    return {
        name: _unpacked(value) if value.dtype is torch.uint8 else value.float()
        for name, value in batch.items()
    }


def _packed(value: Tensor) -> Tensor:
    scaled = value * 127 + 128 if len(value) == 3 else value * 255
    return scaled.round().clamp(0, 255).byte()


def _unpacked(value: Tensor) -> Tensor:
    scaled = value.float()
    return (scaled - 128) / 127 if value.shape[1] == 3 else scaled / 255
