"""Contact sheets: many small pictures on one page, to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training.data import Sample

SIDE = 160
COLUMNS = 12


def sheet(samples: list[Sample], path: Path) -> None:
    """Write samples of either network as one picture.

    Map samples show picture above target, editor samples the picture with its hole above the
    whole one.
    """
    cells = [np.vstack(_pair(sample)) for sample in samples]
    blank = np.zeros_like(cells[0])
    rows = []
    for start in range(0, len(cells), COLUMNS):
        row = cells[start : start + COLUMNS]
        rows.append(np.hstack(row + [blank] * (COLUMNS - len(row))))
    if not cv2.imwrite(str(path), np.vstack(rows)[..., ::-1]):
        raise OSError(f"{path} cannot be written.")


def _pair(sample: Sample) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    if "image" in sample:
        pictures = [sample["image"], sample["target"].repeat(3, 0) * 2 - 1]
    else:
        pictures = [sample["target"] * (1 - sample["map"]), sample["target"]]
    small = []
    for picture in pictures:
        shown = np.clip((picture.transpose(1, 2, 0) + 1) * 127.5, 0, 255).astype(np.uint8)
        reduced = cv2.resize(shown, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        small.append(reduced.astype(np.uint8))
    return small
