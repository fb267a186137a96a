"""evaluate editor: what is painted into the hole, against simple means and earlier weights.

Everything runs as in the program: map, support, editor, colour match, blend; only the alignment
is the true one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import MaskMap, UInt8
from realtime_unmask.unmask.compositor import support
from training.evaluation import cases, scores
from training.evaluation.baselines import Baselines, learn
from training.evaluation.cases import Case, Job
from training.evaluation.engines import THRESHOLD, Engines, Found, laid_in
from training.evaluation.judge import Judge
from training.evaluation.pool import spread
from training.shards import CROP, Faces

NOOP, MEAN, RIDGE, L1, BEFORE, OURS, TRUE_MAP, TRUE = (
    "no-op", "mean face", "ridge", "L1 only", "previous weights", "ours", "ours, true map",
    "true picture",
)  # fmt: skip
# Measures of one result; "outside" is the worst, all others are means.
WORST = ("outside",)
# Measures that are compared with those of other weights, picture by picture.
PAIRED = ("psnr", "ssim", "edge", "perceptual", "texture", "content")
# A Fréchet distance of fewer pictures says more about their number than about them.
FRECHET_FROM = 100
THUMB = 128


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is known of one result.

    Attributes:
        numbers: by measure.
        features, identity: the face network's; empty where there is none.
    """

    numbers: dict[str, float]
    features: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    identity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Answer:
    """One case, judged.

    Attributes:
        set, labels: of the case.
        digest: of its pictures.
        rows: by the name of who painted.
        true: the true picture's opinion: its seam is the floor.
        thumbs: (h, w, 3) uint8, masked, ours and true side by side.
    """

    set: str
    labels: dict[str, str]
    digest: bytes
    rows: dict[str, Opinion]
    true: Opinion
    thumbs: UInt8


@dataclass(slots=True)
class Report:
    """All tables: set -> row -> measure -> value, and the same of our row by group."""

    digest: str
    tables: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {"digest": self.digest, "sets": self.tables, "groups": self.groups}


def evaluate(
    faces: Faces,
    engines: Path,
    *,
    l1: Path | None = None,
    against: Path | None = None,
    judge: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> tuple[Report, list[Answer]]:
    """Judge the editor of `engines`.

    Args:
        faces: all prepared faces: training ones too, for the simple baselines.
        l1: a folder of engines that learnt by reconstruction alone, for a row of their own.
        against: a folder of earlier engines, likewise.
        judge: checkpoint of the evaluation face network.
        limit: about how many val faces instead of all.
        workers: processes; None: one for each core, 0: none.

    Raises:
        ValueError: there is no held-out face.
    """
    plan = cases.jobs(faces, limit)
    if not plan:
        raise ValueError("There are no held-out faces (split 'val') to judge with.")
    chosen = np.unique([job.face for job in plan])
    number = {int(face): row for row, face in enumerate(chosen)}
    held = faces.where(np.isin(np.arange(len(faces)), chosen))
    others = {name: path for name, path in ((L1, l1), (BEFORE, against)) if path is not None}
    make = partial(_Worker, held, number, learn(faces), engines, others, judge)
    answers = list(spread(make, plan, workers))
    return _report(answers), answers


class _Worker:
    """Answers jobs; lives in one process."""

    def __init__(
        self,
        faces: Faces,
        number: dict[int, int],
        baselines: Baselines,
        engines: Path,
        others: dict[str, Path],
        judge: Path | None,
    ) -> None:
        self._faces, self._number, self._baselines = faces, number, baselines
        self._ours = Engines(engines)
        self._others = {name: Engines(path) for name, path in others.items()}
        self._judge = Judge(judge) if judge else None

    def __call__(self, job: Job) -> Answer:
        case = cases.make(self._faces, job, self._number[job.face])
        found = self._ours.find(case.masked)
        results = self._results(case, found)
        rows = opinions(case, results | {TRUE: (case.bare, found.hole)}, self._judge)
        true = rows.pop(TRUE)
        trio = np.hstack([case.masked, results[OURS][0], case.bare])
        thumbs = cv2.resize(trio, (3 * THUMB, THUMB), interpolation=cv2.INTER_AREA)
        return Answer(
            case.set, case.labels, hashlib.sha256(case.masked.tobytes()).digest(), rows, true,
            thumbs.astype(np.uint8),
        )  # fmt: skip

    def _results(self, case: Case, found: Found) -> dict[str, tuple[UInt8, UInt8]]:
        """Each row's picture and the hole that it painted."""
        hole, baselines = found.hole, self._baselines
        ridge = baselines.ridge(case.masked, hole, case.valid)
        made = {
            NOOP: (case.masked, hole),
            MEAN: (laid_in(baselines.mean_face.copy(), case, hole), hole),
            RIDGE: (laid_in(ridge, case, hole), hole),
        }
        for name, other in self._others.items():
            theirs = other.find(case.masked).hole
            made[name] = (other.unmask(case, theirs), theirs)
        made[OURS] = (self._ours.unmask(case, hole), hole)
        exact = true_hole(case)
        made[TRUE_MAP] = (self._ours.unmask(case, exact), exact)
        return made


def true_hole(case: Case) -> UInt8:
    """(S, S) uint8: what the program would paint if the map network were never wrong."""
    return support(MaskMap(case.mask.astype(np.float32), coverage=1.0), THRESHOLD)


def opinions(
    case: Case, results: dict[str, tuple[UInt8, UInt8]], judge: Judge | None
) -> dict[str, Opinion]:
    """Compare results with the case's bare face.

    Args:
        results: by name: a picture, (256, 256, 3) uint8, and (256, 256) uint8, 1 where it may
            differ from the masked one.
        judge: the face network, if there is one.
    """
    measured = {name: _measured(case, *made) for name, made in results.items()}
    if judge is None:
        return {name: Opinion(numbers) for name, numbers in measured.items()}
    pictures = [picture for picture, _ in results.values()]
    views = judge.look(pictures, case.bare, case.mask & case.valid)
    return {
        name: Opinion(
            numbers | {
                "perceptual": view.distance, "texture": view.texture, "content": view.content,
            },
            view.features, view.identity,
        )
        for (name, numbers), view in zip(measured.items(), views, strict=True)
    }


def _measured(case: Case, result: UInt8, hole: UInt8) -> dict[str, float]:
    inside = case.mask & case.valid
    similar = scores.ssim_map(result, case.bare)
    change = np.abs(result.astype(int) - case.masked).max(2)
    found = hole.any()
    return {
        "psnr": scores.psnr(result, case.bare, inside),
        "ssim": float(similar[inside].mean()),
        "l1": scores.l1(result, case.bare, inside),
        "brightness": scores.brightness(result, case.bare, inside),
        "full_psnr": scores.psnr(result, case.bare, case.valid),
        "full_ssim": float(similar[case.valid].mean()),
        # Of a mask that was missed there is no seam and no support; `found` counts those.
        "area": float(hole[case.valid].sum() / max(int(inside.sum()), 1)) if found else np.nan,
        "seam": scores.seam(result, hole, case.valid) if found else np.nan,
        "edge": scores.edge_error(result, case.bare, hole, case.valid),
        "outside": float(change[_reached(hole, case) == 0].max(initial=0)),
        "found": float(found),
    }


def _reached(hole: UInt8, case: Case) -> UInt8:
    """The hole; of a small picture with all that its pixels there reach, once enlarged."""
    reach = int(np.ceil(2 * CROP / case.frame.shape[0])) if case.frame.shape[0] < CROP else 0
    side = 2 * reach + 1
    return cv2.dilate(hole, np.ones((side, side), np.uint8)).astype(np.uint8)


def _report(answers: list[Answer]) -> Report:
    digest = hashlib.sha256(b"".join(answer.digest for answer in answers)).hexdigest()[:16]
    report = Report(digest)
    for name in cases.SETS:
        mine = [answer for answer in answers if answer.set == name]
        if mine:
            report.tables[name] = _table(mine)
    for chosen in report.tables:
        mine = [answer for answer in answers if answer.set == chosen]
        report.groups[f"source: {chosen}"] = _groups(mine, "source")
        for other in (L1, BEFORE):
            if other in mine[0].rows:
                report.groups[f"{OURS} less {other}: {chosen}"] = _paired(mine, other)
    val = [answer for answer in answers if answer.set.startswith("val")]
    for group in ("kind", "age", "ethnicity"):
        parts = _groups(val, group)
        if parts:
            report.groups[group] = parts
    return report


def _paired(answers: list[Answer], other: str) -> dict[str, dict[str, float]]:
    """By how much our row differs from another one's, picture by picture."""
    columns: dict[str, list[float]] = {}
    for answer in answers:
        ours, theirs = answer.rows[OURS], answer.rows[other]
        for name in PAIRED:
            if name in ours.numbers:
                gap = ours.numbers[name] - theirs.numbers[name]
                columns.setdefault(name, []).append(gap)
        if ours.identity.size:
            gap = float((ours.identity - theirs.identity) @ answer.true.identity)
            columns.setdefault("identity", []).append(gap)
    both = {name: scores.mean_and_error(column) for name, column in columns.items()}
    return {
        "mean": {name: mean for name, (mean, _) in both.items()},
        "standard error": {name: error for name, (_, error) in both.items()},
    }


def _groups(answers: list[Answer], group: str) -> dict[str, dict[str, float]]:
    """Our row and the simplest ones, for each of a group's values."""
    values = sorted({a.labels[group] for a in answers if group in a.labels})
    return {v: _group([a for a in answers if a.labels.get(group) == v]) for v in values}


def _table(answers: list[Answer]) -> dict[str, dict[str, float]]:
    truths = [a.true for a in answers]
    table = {name: row(truths, [a.rows[name] for a in answers]) for name in answers[0].rows}
    table[TRUE] = {
        "n": float(len(answers)),
        "seam": scores.mean_of_known([a.true.numbers["seam"] for a in answers]),
    }
    return table


def row(truths: list[Opinion], ours: list[Opinion]) -> dict[str, float]:
    """Means of one row of a table; `truths` say what the judge made of the true pictures."""
    values = {"n": float(len(ours))}
    for name in ours[0].numbers:
        column = [opinion.numbers[name] for opinion in ours]
        values[name] = float(np.max(column)) if name in WORST else scores.mean_of_known(column)
    if ours[0].identity.size:
        values["identity"] = float(
            np.mean([o.identity @ t.identity for o, t in zip(ours, truths, strict=True)])
        )
    if ours[0].features.size and len(ours) >= FRECHET_FROM:
        values["frechet"] = scores.frechet(_stacked(ours), _stacked(truths))
    return values


def _stacked(opinions: Iterable[Opinion]) -> NDArray[np.float64]:
    return np.array([opinion.features for opinion in opinions])


def _group(answers: list[Answer]) -> dict[str, float]:
    ours = row([a.true for a in answers], [a.rows[OURS] for a in answers])
    kept = (
        "n", "psnr", "ssim", "l1", "area", "found", "perceptual", "texture", "content", "identity",
    )  # fmt: skip
    values = {name: ours[name] for name in kept if name in ours}
    noop = np.mean([a.rows[NOOP].numbers["psnr"] for a in answers])
    ridge = np.mean([a.rows[RIDGE].numbers["psnr"] for a in answers])
    values |= {"no-op psnr": float(noop), "ridge psnr": float(ridge)}
    if BEFORE in answers[0].rows:
        before = np.mean([a.rows[BEFORE].numbers["psnr"] for a in answers])
        values["previous psnr"] = float(before)
    return values
