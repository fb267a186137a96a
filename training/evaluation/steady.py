"""What becomes of a face that is painted for a minute, each picture following the one before.

A photograph with sensor noise stands for a head that keeps still, and the whole program sees it:
tracking, alignment, the map's memory and the paint all have a part in what trembles or wanders.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Alignment, Frame, UInt8
from realtime_unmask.unmask.unmasker import State
from training.evaluation import cases, scores
from training.evaluation.cases import SEED, SETS, Job
from training.evaluation.moving import SINGLE, VIDEO, Moment, masked, program
from training.evaluation.pool import spread
from training.evaluation.scores import Bool
from training.shards import CROP, MARGIN, STORED, Faces, inside

FRAMES_PER_SECOND = 30
# Sensor noise of a webcam in a room, of 255.
NOISE = 2.5
# Faces that are judged: each costs SECONDS * FRAMES_PER_SECOND frames of the whole program.
FACES = 8
SECONDS = (1, 10, 60)
# Around a stored crop, px: the window in which the program follows a face sees that much more.
GROUND_PX, GREY = 48, 127

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

    Its measures: psnr, dB in the mask; sharp, the mean slope in the mask against that of the true
    picture; flicker, the standard deviation of a pixel of the mask over the last second, of 255;
    moved, the mean change of such a pixel since the first moment, of 255; painted, the share of
    the last second's frames in which the face was painted.

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
        self._unmasker = program(engines)

    def __call__(self, job: Job) -> dict[str, Row]:
        moment, known = still(self._faces, int(np.searchsorted(self._chosen, job.face)), job.face)
        marks = {second * FRAMES_PER_SECOND: second for second in self._seconds}
        rows: dict[str, Row] = {}
        for state, frames in ((None, min(marks)), (State(), max(marks))):
            first: UInt8 | None = None
            watched = islice(self._watch(moment, job.face, state), frames)
            for number, last in enumerate(watched, 1):
                if number in marks:
                    first = last[-1][0] if first is None else first
                    name = SINGLE if state is None else f"{VIDEO}, {marks[number]} s"
                    rows[name] = _row(moment.bare, last, first, moment.mask & known)
        return rows

    def _watch(
        self, moment: Moment, seed: int, state: State | None
    ) -> Iterator[Sequence[tuple[UInt8, bool]]]:
        """After each frame those of the last second as they were shown, and whether painted."""
        rng = np.random.default_rng([SEED, 60, seed])
        last: deque[tuple[UInt8, bool]] = deque(maxlen=FRAMES_PER_SECOND)
        true, number = moment.masked.image, 0
        while True:
            noise = rng.normal(0, NOISE, true.shape)
            seen = np.clip(np.rint(true + noise), 0, 255).astype(np.uint8)
            pts = Fraction(number, FRAMES_PER_SECOND)
            # By itself: with no memory.
            memory = State() if state is None else state
            result = self._unmasker.process(Frame(seen, pts, index=number), memory)
            last.append((result.output.image, bool(result.reconstructions)))
            number += 1
            yield last


def still(faces: Faces, row: int, seed: int) -> tuple[Moment, Bool]:
    """A stored crop under a mask, on grey, and where it is a picture and not its repetition."""
    known = inside(faces.corners[row], STORED)
    image = np.where(known[..., None] > 0, faces.image(row), np.uint8(GREY))
    edge = (GROUND_PX, GROUND_PX)
    bare = np.pad(image, (edge, edge, (0, 0)), constant_values=GREY)
    shift = -(MARGIN + GROUND_PX)
    alignment = Alignment(np.array([[1.0, 0, shift], [0, 1.0, shift]]), CROP)
    rng = np.random.default_rng([SEED, 61, seed])
    moment = masked(Frame(bare), alignment, faces.landmarks[row] - np.float32(MARGIN), rng)
    return moment, np.pad(known, GROUND_PX) > 0


def _row(bare: UInt8, last: Sequence[tuple[UInt8, bool]], first: UInt8, where: Bool) -> Row:
    shown = last[-1][0]
    pile = np.stack([image[where] for image, _ in last]).astype(np.float32)
    return {
        "psnr": scores.psnr(shown, bare, where),
        "sharp": scores.slope(shown, where) / max(scores.slope(bare, where), 1e-6),
        "flicker": float(pile.std(0).mean()),
        "moved": scores.l1(shown, first, where),
        "painted": float(np.mean([painted for _, painted in last])),
    }
