"""Size and form of the two networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from realtime_unmask.inference.networks import EditorNet, MapNet
from training.data import view
from training.face_networks import PerceptualNet, distances
from training.losses import grid
from training.shards import Faces


def macs(network: nn.Module, *inputs: torch.Tensor) -> float:
    """Multiply-accumulates, in units of 1e9."""
    total = 0

    def count(module: nn.Conv2d | nn.Linear, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(*inputs)
    return total / 1e9


def test_editor_keeps_its_budget() -> None:
    network = EditorNet()
    inputs = [torch.zeros(1, c, 256, 256) for c in (3, 1, 3, 1)]
    assert sum(p.numel() for p in network.parameters()) <= 6e6
    assert macs(network, *inputs) <= 3.0


def test_map_keeps_its_budget() -> None:
    network = MapNet()
    assert sum(p.numel() for p in network.parameters()) <= 1e6
    assert macs(network, torch.zeros(1, 3, 256, 256)) <= 0.3


@pytest.mark.parametrize("size", [64, 128, 256])
def test_outputs_have_the_inputs_size_and_their_range(size: int) -> None:
    network = EditorNet().eval()
    inputs = [torch.rand(2, c, size, size) for c in (3, 1, 3, 1)]
    with torch.no_grad():
        rgb, confidence = network(*inputs)
        marked = MapNet().eval()(inputs[0])
    assert rgb.shape == (2, 3, size, size) and rgb.abs().max() <= 1
    for plane in (confidence, marked):
        assert plane.shape == (2, 1, size, size)
        assert plane.min() >= 0 and plane.max() <= 1


def test_one_distance_asks_where_things_are_the_other_how_crisp(faces: Faces) -> None:
    torch.manual_seed(0)
    network = PerceptualNet().eval()
    true = torch.from_numpy(view(faces, 0, None).image.transpose(2, 0, 1)[None]) * 2 - 1
    inside = torch.zeros(1, 1, 256, 256)
    inside[..., 64:144, 64:192] = 1  # eyes and nose: the face wears a mask
    blurred = F.avg_pool2d(F.pad(true, (4, 4, 4, 4), mode="replicate"), 9, 1)
    moved = torch.roll(true, (4, 4), (2, 3))
    with torch.no_grad():
        soft, shifted, same = (
            distances(network, torch.lerp(true, other, inside), true, inside)
            for other in (blurred, moved, true)
        )
    assert soft[0] < shifted[0] and soft[1] > shifted[1]
    assert same[0] == same[1] == 0


def test_a_grid_is_told_from_grain_and_from_softness() -> None:
    torch.manual_seed(0)
    grain = 0.1 * torch.randn(1, 3, 128, 128)
    cell = torch.rand(1, 1, 4, 4).repeat(1, 1, 32, 32) - 0.5
    inside = torch.zeros(1, 1, 128, 128)
    inside[..., 16:112, 16:112] = 1
    natural, soft, gridded = (
        grid(picture, inside) for picture in (grain, 0.1 * grain, grain + 0.3 * cell)
    )
    assert natural < 0.05 and soft < 0.05 and gridded > 0.3
    for size in ((32, 128), (128, 32)):  # stairs one way, grain the other
        stairs = F.interpolate(0.1 * torch.randn(1, 3, *size), (128, 128))
        assert grid(stairs, inside) > 2
    assert grid(grain + 0.3 * cell, torch.zeros_like(inside)) == 0  # nothing counts
    corner, far = torch.ones_like(inside), grain.clone()
    far[..., -1], far[..., -1, :] = 5, 5
    corner[..., 100:], corner[..., 100:, :] = 0, 0
    assert grid(far, corner) == grid(grain, corner)  # pictures do not go round
