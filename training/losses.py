"""Losses of the editor. All take RGB in [-1, 1] and weigh each pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NO_NUMBER = (
    "The loss or a weight was no number by step {step}. That is not saved, and a checkpoint of "
    "before is good. Lower --rate and resume."
)


class StoppedByNan(RuntimeError):
    """The loss or a weight is not a number any more."""


def check_finite(value: Tensor, step: int) -> None:
    """Stop a run before it spoils its weights.

    Raises:
        StoppedByNan: the value is infinite or not a number.
    """
    if not torch.isfinite(value):
        raise StoppedByNan(NO_NUMBER.format(step=step))


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


def grid(picture: Tensor, weight: Tensor, period: int = 4, cells: int = 9) -> Tensor:
    """How much of a grid of `period` px there is, as upsampling layers leave it.

    Each place within a cell is compared with the others, over the cells around: the mean of the
    finest detail, which a fixed pattern shifts, and the energy of the steps from pixel to pixel,
    which in a staircase is at the cells' edges. In a photograph all places are alike. Both are
    shares, so that softness earns nothing.

    Args:
        picture: (N, 3, S, S).
        weight: (N, 1, S, S), 1 where it counts; windows of `cells` x `cells` with less than half
            of their cells inside do not, so that a hole of 26 px has no say.
        period: side of a cell, px.
        cells: side of a window, cells; S is at least period * cells.

    Returns:
        One value of the whole batch: 0 for none; of photographs about 0.1, because so few cells
        are never quite alike.
    """
    grey = picture.mean(1, keepdim=True)
    fine = F.pixel_unshuffle(grey - F.avg_pool2d(grey, 5, 1, 2), period)
    # Towards the pixel before; the first one of all has none.
    before = F.pad(grey, (1, 0, 1, 0), mode="replicate")
    steps = [
        F.pixel_unshuffle((grey - one).square(), period)
        for one in (before[..., 1:, :-1], before[..., :-1, 1:])
    ]
    known = (F.avg_pool2d(weight, period) > 0.99).to(picture.dtype)

    def around(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, cells, 3)

    count = around(known)
    counts = (count > 0.5).to(picture.dtype)
    energy = around(fine.square() * known).mean(1, keepdim=True)
    mean = around(fine * known).square().mean(1, keepdim=True) / count.clamp(min=0.5)
    total = weighted_mean(mean / (energy + 1e-5), counts)
    for axis, step in enumerate(steps):
        # By the place within the cell along the step; the places across it are alike anyway.
        by_place = around(step * known).unflatten(1, (period, period)).mean(1 + axis)
        by_place = by_place / count.clamp(min=0.5) + 1e-5
        spread = by_place.var(1, unbiased=False) / by_place.mean(1).square()
        total = total + weighted_mean(spread[:, None], counts)
    return total
