"""Muon: the optimiser of the map and the editing module.

Each weight matrix moves by its momentum made orthogonal, so that rare directions learn as fast
as common ones (Jordan et al. 2024), scaled to the length of an AdamW step, so that one rate
serves both (Liu et al. 2025). Biases and batch norms take AdamW's step.
torch.optim has a Muon too, but for two-dimensional weights alone: none of a convolution's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Newton-Schulz iteration: the quintic that brings all singular values near 1 in five rounds.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
_TINY = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for weights of two or more dimensions, AdamW for the rest.

    Args:
        parameters: of one network; a convolution's (O, I, h, w) count as (O, I * h * w).
        rate: the learning rate of both.
        momentum: share of the old direction that is kept.
        betas: of AdamW.
        decay: of the weights, times the rate.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        decay: float = 1e-4,
    ) -> None:
        settings = {"lr": rate, "momentum": momentum, "betas": betas, "decay": decay}
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["decay"])
                follow = _orthogonal if is_matrix(parameter) else _adam
                way = follow(parameter.grad, self.state[parameter], group)
                parameter.add_(way, alpha=-group["lr"])


def is_matrix(parameter: Tensor) -> bool:
    """Whether it maps several values to several others, and is no bias and no scale."""
    return parameter.ndim >= 2


def _orthogonal(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    if "momentum" not in state:
        state.clear()  # of a run that began with another optimiser
        state["momentum"] = torch.zeros_like(gradient)
    state["momentum"].lerp_(gradient, 1 - group["momentum"])
    ahead = gradient.lerp(state["momentum"], group["momentum"]).flatten(1)
    tall = ahead.shape[0] > ahead.shape[1]
    x = (ahead.T if tall else ahead).bfloat16()
    x = x / (x.norm() + _TINY)
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = _A * x + (_B * square + _C * square @ square) @ x
    way: Tensor = (x.T if tall else x).to(gradient.dtype).reshape(gradient.shape)
    return way * (0.2 * math.sqrt(max(ahead.shape)))


def _adam(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    first, second = group["betas"]
    if "mean" not in state:
        state.clear()
        state["step"] = torch.zeros(())
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    count = float(state["step"])
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].lerp_(gradient * gradient, 1 - second)
    mean: Tensor = state["mean"] / (1 - first**count)
    size: Tensor = (state["square"] / (1 - second**count)).sqrt() + _TINY
    return mean / size
