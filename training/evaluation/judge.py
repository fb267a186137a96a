"""A face network's opinion: how far two pictures of a face are apart, and who it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from realtime_unmask.types import Float64, UInt8
from training.evaluation.scores import Bool
from training.face_networks import SIZE, feature_distance, load_face_network, texture_distance
from training.imagenet import load_imagenet


@dataclass(frozen=True, slots=True)
class View:
    """How the network sees one picture.

    Attributes:
        distance: from the true picture, inside the hole.
        texture: distance of its contrasts from the true ones, wherever they lie.
        content: an ImageNet network's distance from the true picture, inside the hole.
        features: the vector that Fréchet distances compare.
        identity: of length 1.
    """

    distance: float
    texture: float
    content: float
    features: Float64
    identity: Float64


class Judge:
    """Wraps the evaluation networks, which no editor was trained with.

    Args:
        checkpoint: of `train faces --design judge`.
    """

    def __init__(self, checkpoint: Path) -> None:
        torch.set_num_threads(1)
        self._network = load_face_network(checkpoint)
        self._imagenet = load_imagenet("lite1")

    def look(self, pictures: Sequence[UInt8], true: UInt8, where: Bool) -> list[View]:
        """Compare pictures with the true one inside `where`."""
        planes = torch.from_numpy(np.stack([_planes(one) for one in (true, *pictures)]))
        count = len(pictures)
        small = cv2.resize(where.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        weight = torch.from_numpy(small.astype(np.float32)).expand(count, 1, SIZE, SIZE)
        with torch.no_grad():
            maps, vectors = self._network.trunk(planes)
            identities = torch.nn.functional.normalize(self._network.embed(vectors), dim=1)
            theirs, truth = [m[1:] for m in maps], [m[:1] for m in maps]
            apart = feature_distance(theirs, truth, weight)
            texture = texture_distance(theirs, truth, weight)
            content = self._content(pictures, true, where)
        vectors, identities = vectors[1:].double(), identities[1:].double()
        return [
            View(
                float(apart[i]), float(texture[i]), float(content[i]),
                vectors[i].numpy(), identities[i].numpy(),
            )
            for i in range(count)
        ]  # fmt: skip

    def _content(self, pictures: Sequence[UInt8], true: UInt8, where: Bool) -> torch.Tensor:
        """At the crop's own resolution: softness is what this network is asked about."""
        a, b = (
            torch.from_numpy(np.stack(some).transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1
            for some in (pictures, [true] * len(pictures))
        )
        weight = torch.from_numpy(where.astype(np.float32)).expand(len(a), 1, *where.shape)
        return self._imagenet.distance(a, b, weight)


def _planes(image: UInt8) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return small.transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - 1
