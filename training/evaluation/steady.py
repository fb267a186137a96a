"""What becomes of a face that is painted for a minute, each picture following the one before.

A photograph with sensor noise stands for a head that keeps still. What leans on its own output may
blur, sharpen or wander; what does not shows the noise as flicker.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Float32, UInt8
from realtime_unmask.unmask.editor import match_colour, steadied
from training.evaluation import cases, scores
from training.evaluation.cases import SEED, SETS, Case, Job
from training.evaluation.engines import Engines, blended
from training.evaluation.moving import SINGLE, VIDEO
from training.evaluation.pool import spread
from training.evaluation.scores import Bool
from training.shards import Faces

FRAMES_PER_SECOND = 30
# Sensor noise of a webcam in a room, of 255.
NOISE = 2.5
# Faces that are judged: each costs SECONDS * FRAMES_PER_SECOND paintings.
FACES = 8
SECONDS = (1, 10, 60)

Row = dict[str, float]
Rows = NDArray[np.intp]


def evaluate(
    faces: Faces,
    engines: Path,
    *,
    seconds: tuple[int, ...] = SECONDS,
    count: int = FACES,
    workers: int | None = None,
) -> dict[str, Row]:
    """A table with a row for each moment, and one for painting each frame by itself.

    Its measures: psnr, dB in the hole; sharp, the mean slope in the hole against that of the true
    picture; flicker, the standard deviation of a painted pixel over the last second, of 255;
    moved, the mean change of a painted pixel since the first moment, of 255.

    Args:
        faces: all prepared faces.
        engines: folder with the networks.
        seconds: the moments.
        count: about how many val faces.
        workers: processes; one for each core where None.

    Raises:
        ValueError: there is no held-out face.
    """
    plan = [job for job in cases.jobs(faces, count) if job.set == SETS[0]]
    if not plan:
        raise ValueError("There are no held-out faces (split 'val') to judge with.")
    chosen = np.array([job.face for job in plan])
    few = faces.where(np.isin(np.arange(len(faces)), chosen))
    make = partial(_Worker, few, chosen, engines, seconds)
    answers = list(spread(make, plan, workers))
    return {
        name: {
            measure: float(np.mean([answer[name][measure] for answer in answers]))
            for measure in answers[0][name]
        }
        for name in answers[0]
    }


class _Worker:
    """Watches one face after the other; lives in one process."""

    def __init__(
        self, faces: Faces, chosen: Rows, engines: Path, seconds: tuple[int, ...]
    ) -> None:
        self._faces, self._chosen, self._seconds = faces, chosen, seconds
        self._engines = Engines(engines)

    def __call__(self, job: Job) -> dict[str, Row]:
        case = cases.make(self._faces, job, int(np.searchsorted(self._chosen, job.face)))
        hole = self._engines.find(case.masked).hole
        marks = {moment * FRAMES_PER_SECOND: moment for moment in self._seconds}
        first_mark = min(marks)
        rows: dict[str, Row] = {}
        for follows in (False, True):
            first: UInt8 | None = None
            for number, last in enumerate(self._watch(case, hole, job.face, follows=follows), 1):
                if number in marks:
                    first = last[-1] if first is None else first
                    name = f"{VIDEO}, {marks[number]} s" if follows else SINGLE
                    rows[name] = _row(case.bare, last, first, case.mask & case.valid)
                if number == (max(marks) if follows else first_mark):
                    break
        return rows

    def _watch(
        self, case: Case, hole: UInt8, seed: int, *, follows: bool
    ) -> Iterator[list[UInt8]]:
        """After each frame the pictures of the last second."""
        rng = np.random.default_rng([SEED, 60, seed])
        known = case.valid.astype(np.uint8)
        before: Float32 | None = None
        last: list[UInt8] = []
        while True:
            noise = rng.normal(0, NOISE, case.masked.shape)
            seen = np.clip(np.rint(case.masked + noise), 0, 255).astype(np.uint8)
            made = match_colour(self._engines.paint(seen, hole), seen, hole, known)
            if follows and before is not None:
                made = steadied(made, before, hole)
            before = made
            last = [*last[1 - FRAMES_PER_SECOND :], blended(made, case.masked, hole)]
            yield last


def _row(bare: UInt8, last: list[UInt8], first: UInt8, where: Bool) -> Row:
    shown = last[-1]
    pile = np.stack(last).astype(np.float32)
    return {
        "psnr": scores.psnr(shown, bare, where),
        "sharp": scores.slope(shown, where) / max(scores.slope(bare, where), 1e-6),
        "flicker": float(pile.std(0)[where].mean()),
        "moved": scores.l1(shown, first, where),
    }
