"""Losses of the editor. All take RGB in [-1, 1] and weigh each pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class StoppedByNan(RuntimeError):
    """The loss is not a number any more."""


def check_finite(value: Tensor, step: int) -> None:
    """Stop a run before it spoils its weights.

    Raises:
        StoppedByNan: the value is infinite or not a number.
    """
    if not torch.isfinite(value):
        raise StoppedByNan(
            f"The loss became {value.item()} at step {step}; the last checkpoint is good. "
            "Lower --rate and resume."
        )


def weighted_mean(value: Tensor, weight: Tensor) -> Tensor:
    """Mean of (N, C, S, S) over the pixels that count, (N, 1, S, S)."""
    return (value * weight).sum() / (weight.sum() * value.shape[1]).clamp(min=1.0)


def dissimilarity(a: Tensor, b: Tensor, weight: Tensor, window: int = 8, step: int = 4) -> Tensor:
    """1 - SSIM (Wang et al. 2004) over the pixels that count.

    Box windows every `step` px: a sixteenth of the work of a dense map, and every pixel is seen.
    """
    c1, c2 = 0.02**2, 0.06**2  # for a range of 2

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, step)

    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(a * a) - mean_a**2
    var_b = mean(b * b) - mean_b**2
    cov = mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return weighted_mean(1 - top / bottom, mean(weight))


def grown(plane: Tensor, radius: int) -> Tensor:
    """(N, 1, S, S) grown by a square; in two passes, which is far cheaper than in one."""
    side = 2 * radius + 1
    tall = F.max_pool2d(plane, (side, 1), 1, (radius, 0))
    return F.max_pool2d(tall, (1, side), 1, (0, radius))
