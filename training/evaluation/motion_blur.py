"""Masks on heads that moved while they were exposed, as in a dim room.

At its edges such a mask is mixed with what is around it. What the map leaves there stays as a trace
of the mask; and paint that is sharper than the rest of the face is seen.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realtime_unmask.types import Float32
from training import data
from training.evaluation import cases, editor
from training.evaluation.cases import SETS, Dressed, Job
from training.evaluation.editor import BEFORE, OURS, Opinion
from training.evaluation.engines import Engines
from training.evaluation.pool import spread
from training.shards import CROP, Faces

# How far the head moved, in shares of the crop's side.
LENGTHS = (0.0, 0.03, 0.06, 0.09)
# Every so manieth face of the val split is judged.
EVERY = 4


def evaluate(
    faces: Faces,
    engines: Path,
    *,
    against: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> dict[str, dict[str, float]]:
    """A table with a row for each length and weights; arguments as of `editor.evaluate`.

    Its measures are those of `editor.evaluate`, and "left": how much of the mask stays, %.
    """
    chosen = np.flatnonzero(data.judges(faces))[:: EVERY * cases.step(faces, limit)]
    held = faces.where(np.isin(np.arange(len(faces)), chosen))
    jobs = [(int(face), row) for row, face in enumerate(chosen)]
    answers = list(spread(partial(_Worker, held, engines, against), jobs, workers))
    rows: dict[str, dict[str, float]] = {}
    for name in answers[0]:
        mine = [answer[name] for answer in answers]
        rows[name] = editor.row(mine, mine)
    return rows


class _Worker:
    """Answers jobs: a face's number and its row; lives in one process."""

    def __init__(self, faces: Faces, engines: Path, against: Path | None) -> None:
        self._faces = faces
        self._engines = {OURS: Engines(engines)}
        if against:
            self._engines[BEFORE] = Engines(against)

    def __call__(self, job: tuple[int, int]) -> dict[str, Opinion]:
        face, row = job
        plan = Job(SETS[1], face)
        worn = cases.dress(self._faces, plan, row, covering=True)
        angle = float(np.random.default_rng([cases.SEED, face]).uniform(-0.6, 0.6))
        made = {}
        for length in LENGTHS:
            seen = moved(worn, length * CROP, angle)
            case = cases.case(self._faces, plan, row, seen)
            for name, engines in self._engines.items():
                hole = engines.find(case.masked).hole
                results = {name: (engines.unmask(case, hole), hole)}
                numbers = editor.opinions(case, results, None)[name].numbers
                there = seen.share * case.valid
                numbers["left"] = 100 * float((there * (hole == 0)).sum() / there.sum())
                made[f"{length:.0%}, {name}"] = Opinion(numbers)
        return made


def moved(worn: Dressed, length: float, angle: float) -> Dressed:
    """The same, exposed while it moved `length` px in a straight line at `angle`, radians."""
    steps = np.linspace(-0.5, 0.5, 2 * int(np.ceil(length)) + 1) * length if length else [0.0]
    path = np.outer(steps, (np.cos(angle), np.sin(angle)))

    def exposed(plane: Float32) -> Float32:
        total = np.zeros_like(plane)
        for x, y in path:
            matrix = np.array([[1, 0, x], [0, 1, y]])
            total += cv2.warpAffine(
                plane, matrix, plane.shape[1::-1],
                flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
        return np.asarray(total / len(path), np.float32)

    return replace(
        worn, bare=exposed(worn.bare), masked=exposed(worn.masked), share=exposed(worn.share)
    )
