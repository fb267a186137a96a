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
from torch.optim.adamw import adamw

from training.precision import matrix_type

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
            moved = [p for p in group["params"] if p.grad is not None]
            alike: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in filter(is_matrix, moved):
                alike.setdefault(_form(parameter), []).append(parameter)
            for parameters in alike.values():
                self._move_matrices(parameters, group)
            self._move_rest([p for p in moved if not is_matrix(p)], group)

    def _move_matrices(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Matrices of one form at once: a GPU would wait for the launches of one after another."""
        ahead = []
        for parameter in parameters:
            state, gradient = self.state[parameter], parameter.grad
            assert gradient is not None
            if "momentum" not in state:
                state.clear()  # of a run that began with another optimiser
                state["momentum"] = torch.zeros_like(gradient)
            state["momentum"].lerp_(gradient, 1 - group["momentum"])
            ahead.append(gradient.lerp(state["momentum"], group["momentum"]).flatten(1))
        ways = _orthogonal(torch.stack(ahead)) * (0.2 * math.sqrt(max(_form(parameters[0]))))
        for parameter, way in zip(parameters, ways, strict=True):
            parameter.mul_(1 - group["lr"] * group["decay"])
            parameter.add_(way.reshape(parameter.shape), alpha=-group["lr"])

    def _move_rest(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if "mean" not in state:
                state.clear()
                state["step"] = torch.zeros((), device=parameter.device)
                state["mean"] = torch.zeros_like(parameter)
                state["square"] = torch.zeros_like(parameter)
            # Of a checkpoint; on the card, so that a step can be recorded as a CUDA graph.
            state["step"] = state["step"].to(parameter.device)
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters, [p.grad for p in parameters if p.grad is not None],
            [s["mean"] for s in states], [s["square"] for s in states], [],
            [s["step"] for s in states],
            capturable=any(parameter.is_cuda for parameter in parameters),
            amsgrad=False, beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"],
            weight_decay=group["decay"], eps=_TINY, maximize=False,
        )  # fmt: skip


def is_matrix(parameter: Tensor) -> bool:
    """Whether it maps several values to several others, and is no bias and no scale."""
    return parameter.ndim >= 2


def _form(parameter: Tensor) -> tuple[int, int]:
    """Rows and columns, a convolution's weights as one row for each output."""
    return parameter.shape[0], parameter[0].numel()


def _orthogonal(matrices: Tensor) -> Tensor:
    """(n, rows, columns), each with its singular values brought near 1."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(matrix_type(matrices.device))
    x = x / (x.norm(dim=(1, 2), keepdim=True) + _TINY)
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = _A * x + (_B * square + _C * square @ square) @ x
    made: Tensor = x.mT if tall else x
    return made.to(matrices.dtype)
