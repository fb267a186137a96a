"""What the map network takes for a mask where there is none: bare faces.

Those of the val split are of sources that it was trained on, so the unseen sources have their say
too, as they are, and reduced to small faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.types import Float32, UInt8
from training import data
from training.evaluation import cases
from training.evaluation.engines import SETTINGS, THRESHOLD, found
from training.evaluation.pool import spread
from training.evaluation.scores import Bool
from training.shards import Faces

# The share of the val faces that counts as dark of lip or of beard: the darkest tenth.
DARK_SHARE = 0.1
VAL, SMALL = "val", "small faces"
_CHEEKS, _CHIN = (50, 280, 117, 346), (200, 199, 175, 18, 208, 428)
_LIPS = (0, 17, 267, 37, 84, 314)

Row = dict[str, float]


def judged(mapper: Engine, picture: UInt8, valid: Bool, mesh: Float32) -> Row:
    """What is said of one bare face: false_area, worn, coverage, lips and chin.

    Args:
        picture: (S, S, 3) uint8 RGB, aligned.
        valid: (S, S) bool, where it is known.
        mesh: (478, 2) float32 px.

    Returns:
        The share of its pixels that is over the program's threshold; whether it is taken for
        masked; the map's coverage; how bright lips and chin are against the cheeks.
    """
    seen = found(mapper, picture)
    return {
        "false_area": float((seen.map.values >= THRESHOLD)[valid].mean()),
        "worn": float(seen.worn), "coverage": seen.map.coverage,
    } | _darkness(picture, mesh)  # fmt: skip


def unseen(
    faces: Faces, engines: Path, *, limit: int | None = None, workers: int | None = None
) -> dict[str, list[Row]]:
    """The faces of the sources never trained on, at their full size, by source.

    Args:
        faces, engines, limit, workers: as of `maps.evaluate`.
    """
    chosen = np.flatnonzero(cases.unseen_faces(faces))[:: cases.step(faces, limit)]
    few = faces.where(np.isin(np.arange(len(faces)), chosen))
    rows: dict[str, list[Row]] = {}
    answers = spread(partial(_Worker, few, engines), range(len(few)), workers)
    for source, row in zip(few.set.tolist(), answers, strict=True):
        rows.setdefault(source, []).append(row)
    return rows


class _Worker:
    """Judges bare faces as they are; lives in one process."""

    def __init__(self, faces: Faces, engines: Path) -> None:
        self._faces = faces
        self._mapper = load_engine("map", SETTINGS, engines)

    def __call__(self, row: int) -> Row:
        seen = data.view(self._faces, row, None)
        return judged(self._mapper, cases.to_bytes(seen.image), seen.valid > 0, seen.mesh)


def table(groups: Mapping[str, Sequence[Row]]) -> dict[str, Row]:
    """One row for each group; of the val faces also those with the darkest chins and lips."""
    parts: dict[str, Sequence[Row]] = {}
    for name, rows in groups.items():
        parts[name] = rows
        for part in ("chin", "lips") if name == VAL else ():
            limit = float(np.quantile([row[part] for row in rows], DARK_SHARE))
            parts[f"{name}, darkest {part}"] = [row for row in rows if row[part] <= limit]
    return {name: _means(rows) for name, rows in parts.items()}


def _means(rows: Sequence[Row]) -> Row:
    areas = [row["false_area"] for row in rows]
    return {
        "n": float(len(rows)),
        "false area": float(np.mean(areas)),
        "worst": float(np.max(areas)),
        "taken for masked": float(np.mean([row["worn"] for row in rows])),
    }


def _darkness(image: UInt8, mesh: Float32) -> Row:
    """How bright lips and chin are against the cheeks: beards and dark lips are dark."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 2.0)
    limit = image.shape[0] - 1

    def level(points: Sequence[int]) -> float:
        x, y = mesh[list(points)].round().astype(int).clip(0, limit).T
        return float(np.median(grey[y, x]))

    cheeks = max(level(_CHEEKS), 1.0)
    return {"lips": level(_LIPS) / cheeks, "chin": level(_CHIN) / cheeks}
