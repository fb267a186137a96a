"""Contact sheets: many small pictures on one page, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from realtime_unmask.types import UInt8
from training.data import Sample

SIDE = 160
COLUMNS = 12


def sheet(cells: Sequence[UInt8], columns: int, path: Path) -> None:
    """One picture of many of one size, (h, w, 3) uint8 RGB each.

    Raises:
        OSError: it cannot be written.
    """
    blank = np.zeros_like(cells[0])
    rows = [
        np.hstack([*cells[at : at + columns], *[blank] * (columns - len(cells[at : at + columns]))])
        for at in range(0, len(cells), columns)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} cannot be written.")


def of_samples(samples: list[Sample], path: Path) -> None:
    """Write samples of either network as one picture.

    Map samples show picture above target, editor samples the picture with its hole above the
    whole one.

    Raises:
        OSError: it cannot be written.
    """
    sheet([np.vstack(_pair(sample)) for sample in samples], COLUMNS, path)


def _pair(sample: Sample) -> list[UInt8]:
    if "map" in sample:
        pictures = [sample["image"] * (1 - sample["map"]), sample["target"]]
    else:
        pictures = [sample["image"], sample["target"].repeat(3, 0) * 2 - 1]
    small = []
    for picture in pictures:
        shown = np.clip((picture.transpose(1, 2, 0) + 1) * 127.5, 0, 255).astype(np.uint8)
        reduced = cv2.resize(shown, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        small.append(reduced.astype(np.uint8))
    return small
