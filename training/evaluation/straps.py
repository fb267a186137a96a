"""Ear loops and bands of real masks: how much of them the map finds.

The verdicts (straps.json) are text, as those of `real_masks`: for scoring photographs by name (see
`named`) the straps that can be seen, each a width and a middle line in the photograph's own
pixels, drawn by hand and moved onto the strap by its contrast.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import to_crop
from realtime_unmask.types import Alignment, Float32
from training.evaluation.engines import Found
from training.real_masks import check_straps
from training.shards import CROP

VERDICTS = Path(__file__).with_suffix(".json")
# Where a strap ends nobody can tell to the pixel: so much of a longer one is left out, crop px.
END_PX = 4
LONG_PX = 14
# A strap of which no more was painted over was missed.
MISSED = 0.1

Table = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Strap:
    """How much of one strap was found: shares of its middle line.

    Attributes:
        marked: as mask.
        painted: over.
    """

    marked: float
    painted: float


def lines(path: Path = VERDICTS) -> dict[str, list[Float32]]:
    """The middle lines (n, 2) of the straps of each photograph, px.

    Raises:
        ValueError: the verdicts cannot be read.
    """
    try:
        verdicts: dict[str, list[list[float]]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"The verdicts {path} cannot be read ({error}).") from error
    for name, straps in verdicts.items():
        check_straps(straps, f"{path}, {name}")
    return {
        name: [np.array(line[1:], np.float32).reshape(-1, 2) for line in straps]
        for name, straps in verdicts.items()
    }


def found_of(strap: Float32, seen: list[Found], alignments: list[Alignment]) -> Strap | None:
    """How much of a strap (n, 2), px of the photograph, was found, by the face that found most.

    None: it lies in no face's crop.
    """
    best: Strap | None = None
    for one, alignment in zip(seen, alignments, strict=True):
        x, y = _pixels(to_crop(strap, alignment))
        if min(x.min(), y.min()) < 0 or max(x.max(), y.max()) >= CROP:
            continue
        made = Strap(float(one.marked[y, x].mean()), float((one.hole[y, x] > 0).mean()))
        if best is None or made.painted > best.painted:
            best = made
    return best


def table(straps: list[Strap]) -> Table:
    """One row for the report."""
    marked = np.array([s.marked for s in straps])
    painted = np.array([s.painted for s in straps])
    return {
        "straps": {
            "n": float(len(straps)),
            "marked as mask": float(marked.mean()),
            "painted over": float(painted.mean()),
            "missed": float((painted < MISSED).mean()),
        }
    }


def _pixels(line: Float32) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pixels of a line in the crop, without its ends."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    cut = END_PX if along[-1] > LONG_PX else 0
    at = np.arange(cut, max(along[-1] - cut, cut + 0.5), 0.5)
    x, y = (np.interp(at, along, line[:, axis]) for axis in (0, 1))
    return np.round(x).astype(np.intp), np.round(y).astype(np.intp)
