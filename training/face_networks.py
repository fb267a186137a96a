"""Two networks that know faces: one for the editor's perceptual loss, one that only judges.

They differ in design, seed and size, so that an editor trained on the one is not judged by it.
Both see the aligned crop at 128 px and give feature maps and an embedding of who it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import checkpoint

SIZE = 128
Design = Literal["perceptual", "judge"]


class FaceNet(nn.Module):
    """Common surface: `forward` gives (feature maps, embedding)."""

    stages: nn.ModuleList

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(width, size)
        # Years / 50, the two genders and the five groups of utk's file names.
        self.attributes = nn.Linear(width, 1 + 2 + 5)

    def pool(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C)."""
        raise NotImplementedError

    def trunk(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """(N, 3, S, S) RGB in [-1, 1], S = 128 or 256 -> feature maps and a vector (N, C)."""
        x = image
        if x.shape[-1] != SIZE:
            x = F.adaptive_avg_pool2d(x, SIZE)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features, self.pool(x)

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """(N, 3, S, S) RGB in [-1, 1] -> feature maps, and embeddings (N, E) of length 1."""
        features, vector = self.trunk(image)
        return features, F.normalize(self.embed(vector), dim=1)


def _plain(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class PerceptualNet(FaceNet):
    """A small VGG (Simonyan & Zisserman 2015) with average pooling, whose gradients are smooth."""

    def __init__(self) -> None:
        super().__init__(224, 128)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_plain(3, 16), nn.AvgPool2d(2), _plain(16, 40)),
                nn.Sequential(nn.AvgPool2d(2), _plain(40, 72), _plain(72, 72)),
                nn.Sequential(nn.AvgPool2d(2), _plain(72, 128), _plain(128, 128)),
                nn.Sequential(nn.AvgPool2d(2), _plain(128, 224), _plain(224, 224)),
            ]
        )

    def pool(self, x: Tensor) -> Tensor:
        """Mean."""
        return x.mean((2, 3))


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        )  # fmt: skip
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.short(x) + self.body(x)
        return result


class JudgeNet(FaceNet):
    """A pre-activation ResNet (He et al. 2016) with generalised-mean pooling."""

    def __init__(self) -> None:
        super().__init__(192, 160)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, 24, 5, 2, 2), _Residual(24, 24, 1)),
                nn.Sequential(_Residual(24, 56, 2), _Residual(56, 56, 1)),
                nn.Sequential(_Residual(56, 112, 2), _Residual(112, 112, 1)),
                nn.Sequential(_Residual(112, 192, 2), _Residual(192, 192, 1)),
            ]
        )

    def pool(self, x: Tensor) -> Tensor:
        """Generalised mean (Radenovic et al. 2018), power 3."""
        return F.softplus(x).pow(3).mean((2, 3)).pow(1 / 3)


DESIGNS: dict[Design, type[FaceNet]] = {"perceptual": PerceptualNet, "judge": JudgeNet}


def architecture(design: Design) -> str:
    """The name under which checkpoints of a design are kept."""
    return f"face-{design}-1"


def load_face_network(path: Path, design: Design = "judge") -> FaceNet:
    """A trained network, frozen.

    Args:
        path: a checkpoint of `train faces`.

    Raises:
        checkpoint.CheckpointError: damaged, or of another design.
    """
    network: FaceNet = DESIGNS[design]()  # type: ignore[call-arg]
    checkpoint.load_weights(path, architecture(design), network)
    return network.eval().requires_grad_(False)


def distances(network: FaceNet, a: Tensor, b: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """How far pictures are apart to a face network, in the place of things and in their contrast.

    Args:
        a, b: (N, 3, S, S) RGB in [-1, 1], b the true ones.
        weight: (N, 1, S, S), 1 where they are compared.

    Returns:
        (N,) each, of `feature_distance` and `texture_distance`.
    """
    ours, theirs = network.trunk(a)[0], network.trunk(b)[0]
    return feature_distance(ours, theirs, weight), texture_distance(ours, theirs, weight)


def feature_distance(a: list[Tensor], b: list[Tensor], weight: Tensor) -> Tensor:
    """(N,) distance of unit-length features (as Zhang et al. 2018) where `weight` (N, 1, S, S)."""
    total = torch.zeros(len(weight), device=weight.device)
    for ours, theirs in zip(a, b, strict=True):
        near = F.adaptive_avg_pool2d(weight, (ours.shape[-2], ours.shape[-1]))
        difference = (F.normalize(ours, dim=1) - F.normalize(theirs, dim=1)) ** 2
        spread = (difference.sum(1, keepdim=True) * near).sum((1, 2, 3))
        total = total + spread / near.sum((1, 2, 3)).clamp(min=1e-3)
    return total / len(a)


def texture_distance(a: list[Tensor], b: list[Tensor], weight: Tensor) -> Tensor:
    """(N,) how far the contrast of feature maps is apart, wherever in its surroundings it lies.

    `feature_distance` asks for every edge in its place: a picture without edges is as far from
    the truth as one whose mouth lies 5 px off. Here the deviation of each channel in windows of
    a quarter of the crop is compared, as DISTS (Ding et al. 2020) compares means.

    Args:
        a, b: feature maps of two pictures, b's the true one's.
        weight: (N, 1, S, S), 1 in the hole; windows with less than a third of it do not count, and
            where none does the distance is 0.
    """
    total = torch.zeros(len(weight), device=weight.device)
    for ours, theirs in zip(a, b, strict=True):
        window = max(ours.shape[-1] // 4, 2)
        seen = F.avg_pool2d(F.adaptive_avg_pool2d(weight, ours.shape[-1]), window, window // 2)
        near = seen * (seen > 0.33)
        x, y = _deviation(ours.float(), window), _deviation(theirs.float(), window)
        # Channels that are silent in most faces say little, and nothing of their noise.
        floor = 0.05 * y.detach().square().mean((2, 3), keepdim=True) + 1e-6
        apart = ((x - y).square() / (x.square() + y.square() + floor)).mean(1, keepdim=True)
        total = total + (apart * near).sum((1, 2, 3)) / near.sum((1, 2, 3)).clamp(min=1e-3)
    return total / len(a)


def _deviation(x: Tensor, window: int) -> Tensor:
    """Of each channel in windows half their side apart."""
    mean = F.avg_pool2d(x, window, window // 2)
    variance = F.avg_pool2d(x * x, window, window // 2) - mean * mean
    return (variance.clamp(min=0) + 1e-6).sqrt()
