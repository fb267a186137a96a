"""The photographs of people who really wear masks that are kept for scoring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import align, crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.types import Alignment, Float32, UInt8
from training.evaluation import straps
from training.real_masks import for_scoring, named
from training.shards import CROP

# Bits of 64 in which the brightness patterns of near-duplicates may differ.
TWIN_BITS = 6


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph.

    Attributes:
        crops: the faces that the program finds in it, (256, 256, 3) uint8 RGB each.
        alignments: where each of them is.
    """

    crops: list[UInt8]
    alignments: list[Alignment]


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept for scoring.

    Attributes:
        pictures: name (see `named`) and (H, W, 3) uint8 RGB.
        twins: how many more were left out, since a near-duplicate is not kept for scoring.
        straps: by name, the middle lines (n, 2) of the straps in them, px.
    """

    pictures: list[tuple[str, UInt8]]
    twins: int
    straps: dict[str, list[Float32]] = field(default_factory=dict)


def held(place: Path) -> Held:
    """The scoring photographs of a folder or tar.

    Raises:
        ValueError: there is none, or the verdicts on their straps cannot be read.
    """
    names, images, codes = [], [], []
    for name, image in named(place):
        if image is not None:
            names.append(name)
            images.append(image)
            codes.append(_code(image))
    kept = np.array([for_scoring(name) for name in names], bool)
    if not kept.any():
        raise ValueError(f"{place} holds no photograph that is kept for scoring.")
    bits = np.array(codes)
    apart = (bits[kept][:, None] != bits[~kept][None]).sum(2)
    alone = apart.min(1, initial=64) > TWIN_BITS
    chosen = np.flatnonzero(kept)[alone]
    return Held([(names[i], images[i]) for i in chosen], int((~alone).sum()), straps.lines())


def crops(kept: Held) -> Iterator[Photo]:
    """Find and align the faces, as the program does."""
    with Detector() as detector:
        for _, image in kept.pictures:
            alignments = []
            for mesh in detector.find_all(image):
                with suppress(ValueError):  # a degenerate mesh: no face after all
                    alignments.append(align(mesh, CROP))
            yield Photo([crop(image, one) for one in alignments], alignments)


def _code(image: UInt8) -> NDArray[np.bool_]:
    """(64,) whether each cell of a small picture is brighter than its right neighbour."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.asarray(small[:, :-1] > small[:, 1:]).ravel()
