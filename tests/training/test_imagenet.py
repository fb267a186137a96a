"""The ImageNet network: its weights, what it minds, and how the editor is shown to it."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import data, imagenet
from training.shards import Faces
from training.train_editor import shifted

SIZES: tuple[imagenet.Size, ...] = ("lite0", "lite1")


def planes(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))[None] * 2 - 1


@pytest.mark.parametrize("size", SIZES)
def test_softness_weighs_more_than_a_pixel_or_two(faces: Faces, size: imagenet.Size) -> None:
    network = imagenet.load_imagenet(size)
    face = data.view(faces, 0, None).image
    where = torch.ones(1, 1, *face.shape[:2])

    def apart(other: np.ndarray) -> float:
        return float(network.distance(planes(other), planes(face), where))

    assert apart(face) == pytest.approx(0, abs=1e-5)
    moved, soft = np.roll(face, 2, 1), cv2.GaussianBlur(face, (0, 0), 3)
    assert 0 < 2 * apart(moved) < apart(soft)
    assert apart(soft) < apart(cv2.GaussianBlur(face, (0, 0), 8))


def test_only_the_painted_picture_gets_a_gradient_and_only_where_it_counts() -> None:
    network = imagenet.load_imagenet("lite0")
    a, b = (torch.rand(1, 3, 96, 128).requires_grad_() for _ in range(2))
    network.distance(a, b, torch.ones(1, 1, 96, 128)).sum().backward()
    assert a.grad is not None and a.grad.abs().sum() > 0 and b.grad is None
    assert network.distance(a, b, torch.zeros(1, 1, 96, 128)).item() == 0


def test_folding_changes_no_output() -> None:
    """Against batch norms that are still there, with the names of the published weights."""
    torch.manual_seed(4)
    folded = imagenet.ImageNetFeatures("lite0").eval()
    reference = copy.deepcopy(folded)
    published = {}
    number = 0

    def normed(conv: nn.Conv2d, theirs: str, norm: str) -> nn.Sequential:
        statistics = nn.BatchNorm2d(conv.out_channels, eps=1e-3)
        for tensor in (statistics.weight.data, statistics.running_var):
            tensor.uniform_(0.5, 1.5)
        for tensor in (statistics.bias.data, statistics.running_mean):
            tensor.uniform_(-0.5, 0.5)
        conv.bias = None
        published[f"{theirs}.weight"] = conv.weight.data
        published.update({f"{norm}.{k}": v for k, v in statistics.state_dict().items()})
        return nn.Sequential(conv, statistics)

    reference.stem = normed(reference.stem, "_conv_stem", "_bn0")  # type: ignore[assignment]
    for stage in reference.stages:
        for block in stage:  # type: ignore[union-attr]
            name = f"_blocks.{number}"
            if block.expand is not None:
                block.expand = normed(block.expand, f"{name}._expand_conv", f"{name}._bn0")
            block.depth = normed(block.depth, f"{name}._depthwise_conv", f"{name}._bn1")
            block.project = normed(block.project, f"{name}._project_conv", f"{name}._bn2")
            number += 1
    folded.load_state_dict(imagenet.folded(published, "lite0"))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(folded(image), reference.eval()(image), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize("side", [128, 256])
def test_the_region_is_cut_where_it_is_asked_for(side: int) -> None:
    picture = torch.arange(side * side, dtype=torch.float32).reshape(1, 1, side, side)
    for shift in ((0, 0), (16, 5), (3, 16)):
        region = shifted(picture, torch.tensor(shift))
        assert region.shape[-2:] == (11 * side // 16, 13 * side // 16)
        top, left = side // 4 + shift[0] * side // 256, side // 16 + shift[1] * side // 256
        assert region[0, 0, 0, 0] == picture[0, 0, top, left]
        cut = picture[:, :, top : top + 11 * side // 16, left : left + 13 * side // 16]
        assert torch.equal(region, cut)
