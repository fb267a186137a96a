"""What the editor makes of a guess: another picture of the same person, or a stranger's.

The studio set shows each person with two expressions. One is masked; the other, bent to its mesh,
is the guess that the wearer's own face gives at best; posed by the program, which does not know the
mesh under a mask, it is the guess of `--like`. A stranger's picture is the control: a network that
trusts its guess blindly gets worse with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.warp import thin_plate
from realtime_unmask.types import Float32, Likeness, UInt8
from realtime_unmask.unmask import likeness
from realtime_unmask.unmask.editor import PICTURE_WEIGHT, Prior
from training import data
from training.evaluation import cases, editor
from training.evaluation.cases import SETS, Case, Job, to_bytes
from training.evaluation.editor import Opinion
from training.evaluation.engines import Engines
from training.evaluation.judge import Judge
from training.evaluation.pool import spread
from training.shards import CROP, Faces

STUDIO = "webmorph"
NO_GUESS, SAME, STRANGER = "no guess", "same person, other expression", "a stranger"
LIKE = "same person, posed as by --like"
# Every so manieth point of the mesh steers the bending.
POINTS = slice(0, 468, 5)


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows of one person's picture, of another picture of that person, and of a stranger's."""

    target: int
    same: int
    stranger: int


def evaluate(
    faces: Faces,
    engines: Path,
    *,
    judge: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> dict[str, dict[str, float]]:
    """A table with one row for each guess; arguments as of `editor.evaluate`.

    Raises:
        ValueError: nobody is shown twice.
    """
    studio, chosen = plan(faces)
    chosen = chosen[:: max(1, len(chosen) // limit)] if limit else chosen
    answers = list(spread(partial(_Worker, studio, engines, judge), chosen, workers))
    truths = [true for _, true in answers]
    return {
        name: editor.row(truths, [rows[name] for rows, _ in answers]) for name in answers[0][0]
    }


def plan(faces: Faces) -> tuple[Faces, list[Pair]]:
    """The studio set and its pairs.

    Raises:
        ValueError: nobody is shown twice.
    """
    studio = faces.where(faces.set == STUDIO)
    chosen = pairs(studio)
    if not chosen:
        raise ValueError(f"--prior: the set '{STUDIO}' shows nobody with two expressions.")
    return studio, chosen


def pairs(faces: Faces) -> list[Pair]:
    """One pair for each person who is shown twice; the strangers are their neighbours."""
    who = data.person(faces)
    several = [np.flatnonzero(who == name) for name in np.unique(who)]
    several = [rows for rows in several if len(rows) > 1]
    if len(several) < 2:
        return []
    return [
        Pair(int(rows[k % 2]), int(rows[1 - k % 2]), int(several[k - 1][1 - k % 2]))
        for k, rows in enumerate(several)
    ]


class _Worker:
    """Answers pairs; lives in one process."""

    def __init__(self, faces: Faces, engines: Path, judge: Path | None) -> None:
        self._faces = faces
        self._engines = Engines(engines)
        self._judge = Judge(judge) if judge else None
        self._detector = Detector()

    def __call__(self, pair: Pair) -> tuple[dict[str, Opinion], Opinion]:
        case = cases.make(self._faces, Job(SETS[1], pair.target), pair.target)
        hole = self._engines.find(case.masked).hole
        guesses = {
            NO_GUESS: None,
            SAME: self._bent(pair.same, case.mesh),
            LIKE: self._posed(pair.same, case, hole.astype(np.uint8)),
            STRANGER: self._bent(pair.stranger, case.mesh),
        }
        made = {
            name: (self._engines.unmask(case, hole, guess), hole)
            for name, guess in guesses.items()
        }
        rows = editor.opinions(case, made | {editor.TRUE: (case.bare, hole)}, self._judge)
        true = rows.pop(editor.TRUE)
        return rows, true

    def _posed(self, other: int, case: Case, hole: UInt8) -> Prior | None:
        """Another picture as the program poses it; None where it finds no face."""
        bare = to_bytes(data.view(self._faces, other, None).image)
        found = [self._detector.find_close(image, 1) for image in (bare, case.masked)]
        if not all(found):
            return None
        known = np.ones(hole.shape, np.uint8)
        own = Likeness(bare, found[0][0], known)
        return likeness.guess(own, found[1][0], case.masked, hole, known)

    def _bent(self, other: int, mesh: Float32) -> Prior:
        """Another picture, bent to this mesh."""
        seen = data.view(self._faces, other, None)
        places = thin_plate(mesh[POINTS], seen.mesh[POINTS], CROP)
        bent = cv2.remap(
            seen.image * 255, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return Prior(bent.astype(np.float32, copy=False), PICTURE_WEIGHT)
