"""The optimiser: matrices move in all directions alike, the rest moves as AdamW moves it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.muon import Muon


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (8, 4, 3, 3)])
def test_rare_directions_move_as_far_as_common_ones(shape: tuple[int, ...]) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(weight.flatten(1).shape, generator=generator)
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    lopsided = left @ torch.diag(torch.logspace(0, -1.5, len(sizes))) @ right
    weight.grad = lopsided.reshape(shape)
    Muon([weight], rate=1.0, decay=0.0).step()
    moved = -weight.detach().flatten(1)
    sizes = torch.linalg.svdvals(moved) / (0.2 * max(moved.shape) ** 0.5)
    assert 0.5 < sizes.min() and sizes.max() < 1.4
    # And it is a step down: along the gradient.
    assert (moved * lopsided).sum() > 0


def test_vectors_move_as_adamw_moves_them() -> None:
    start = torch.randn(7, generator=torch.Generator().manual_seed(2))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([ours], rate=0.01, betas=(0.9, 0.99), decay=0.1)
    adamw = torch.optim.AdamW([theirs], 0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(5):
        for parameter, optimiser in ((ours, muon), (theirs, adamw)):
            parameter.grad = torch.sin(parameter.detach() * (step + 1))
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_parameter_without_a_gradient_stays() -> None:
    weight = nn.Parameter(torch.ones(3, 3))
    Muon([weight], rate=1.0).step()
    assert torch.equal(weight, torch.ones(3, 3))


def test_it_goes_on_where_adamw_began() -> None:
    network = nn.Linear(3, 4)
    network(torch.ones(1, 3)).sum().backward()
    before = torch.optim.AdamW(network.parameters())
    before.step()
    muon = Muon(network.parameters(), rate=0.01)
    groups = muon.state_dict()["param_groups"]
    muon.load_state_dict({"state": before.state_dict()["state"], "param_groups": groups})
    muon.step()
    kept = {name for state in muon.state_dict()["state"].values() for name in state}
    assert kept == {"momentum", "step", "mean", "square"}


def test_matrices_of_one_form_move_together_as_each_alone() -> None:
    dice = torch.Generator().manual_seed(3)
    shapes = [(6, 4, 3, 3), (6, 4, 3, 3), (40, 6), (6, 40), (6, 40), (5,)]
    starts = [torch.randn(shape, generator=dice) for shape in shapes]
    slopes = [torch.randn(shape, generator=dice) for shape in shapes]
    together = [nn.Parameter(start.clone()) for start in starts]
    alone = [nn.Parameter(start.clone()) for start in starts]
    optimisers = [Muon(together, 0.01), *(Muon([one], 0.01) for one in alone)]
    for _ in range(3):
        for parameters in (together, alone):
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.grad = slope.clone()
        for optimiser in optimisers:
            optimiser.step()
    for ours, theirs, start in zip(together, alone, starts, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
        assert not torch.equal(ours, start)
