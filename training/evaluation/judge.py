"""A face network's opinion: how far two pictures of a face are apart, and who it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from realtime_unmask.types import Float64, UInt8
from training.evaluation.scores import Bool
from training.face_networks import SIZE, load_face_network, perceptual_distance


class Judge:
    """Wraps the evaluation network, which no editor was trained with.

    Args:
        checkpoint: of `train faces --design judge`.
    """

    def __init__(self, checkpoint: Path) -> None:
        torch.set_num_threads(1)
        self._network = load_face_network(checkpoint)

    def distance(self, result: UInt8, true: UInt8, where: Bool) -> float:
        """Perceptual distance inside `where`; 0 for the same picture."""
        weight = torch.from_numpy(where.astype(np.float32))[None, None]
        with torch.no_grad():
            apart = perceptual_distance(
                self._network, _planes(result), _planes(true), _small(weight)
            )
        return float(apart[0])

    def describe(self, image: UInt8) -> tuple[Float64, Float64]:
        """The vector that Fréchet distances compare, and the identity (of length 1)."""
        with torch.no_grad():
            _, vector = self._network.trunk(_planes(image))
            identity = torch.nn.functional.normalize(self._network.embed(vector), dim=1)
        return vector[0].double().numpy(), identity[0].double().numpy()


def _planes(image: UInt8) -> torch.Tensor:
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)[None]


def _small(weight: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.adaptive_avg_pool2d(weight, SIZE)
