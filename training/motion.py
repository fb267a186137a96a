"""Small motions of whole batches: what a head does between two frames of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Motion:
    """A similarity for each picture of a batch.

    Attributes:
        matrix, inverse: (N, 3, 3) float32, in coordinates that run from -1 to 1 over the crop.
    """

    matrix: Tensor
    inverse: Tensor

    @classmethod
    def random(cls, count: int, rng: np.random.Generator, device: torch.device) -> Motion:
        """Up to a few pixels, degrees and per cent, as alignment leaves them."""
        turn, zoom = rng.normal(0, 0.02, count), np.exp(rng.normal(0, 0.015, count))
        matrix = np.zeros((count, 3, 3))
        matrix[:, 0, 0] = matrix[:, 1, 1] = zoom * np.cos(turn)
        matrix[:, 1, 0] = zoom * np.sin(turn)
        matrix[:, 0, 1] = -matrix[:, 1, 0]
        matrix[:, :2, 2] = rng.normal(0, 0.012, (count, 2))
        matrix[:, 2, 2] = 1
        both = (matrix, np.linalg.inv(matrix))
        return cls(*(torch.from_numpy(m.astype(np.float32)).to(device) for m in both))

    def __call__(self, planes: Tensor) -> Tensor:
        """(N, C, S, S) moved; beyond the edge, the edge is repeated."""
        return _warp(planes, self.matrix)

    def back(self, planes: Tensor) -> Tensor:
        """The inverse motion."""
        return _warp(planes, self.inverse)


def _warp(planes: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix[:, :2], list(planes.shape), align_corners=False)
    moved = F.grid_sample(
        planes, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return moved.contiguous(memory_format=torch.channels_last)
