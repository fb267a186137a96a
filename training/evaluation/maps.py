"""evaluate map: does the map network know a mask when it sees one, and only then?

On painted masks (both painters) against the true map; on bare faces and on things held before
them; on photographs of people who really wear masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from realtime_unmask.inference.engine import load_engine
from realtime_unmask.types import Float32, Float64, UInt8
from realtime_unmask.unmask.map import WORN_FROM
from training import unseen
from training.evaluation import cases, scores
from training.evaluation.cases import SEED, Job
from training.evaluation.engines import SETTINGS, THRESHOLD, Found, found
from training.evaluation.pool import spread
from training.shards import Faces

if TYPE_CHECKING:
    from training.evaluation.photos import Held

CELL = 160
# The share of bare faces that counts as dark of lip or of beard: the darkest tenth.
DARK_SHARE = 0.1
_CHEEKS, _CHIN = (50, 280, 117, 346), (200, 199, 175, 18, 208, 428)
_LIPS = (0, 17, 267, 37, 84, 314)

Table = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One face, judged.

    Attributes:
        set: of the case.
        kind: of mask.
        digest: of its pictures.
        painted: iou, wide, boundary, area and found of the painted mask; wide is the IoU of what
            is over the program's threshold.
        bare: false_area, coverage, lips and chin (their brightness against the cheeks).
        things: the share of a thing's pixels that was marked as mask, and that which would be
            painted over, by thing.
        thumb: (CELL, CELL, 3) uint8, the masked picture with true (green) and found (red) edge.
    """

    set: str
    kind: str
    digest: bytes
    painted: dict[str, float]
    bare: dict[str, float]
    things: dict[str, tuple[float, float]]
    thumb: UInt8


@dataclass(slots=True)
class Report:
    """All tables, by name."""

    digest: str
    tables: dict[str, Table] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {"digest": self.digest, **self.tables}


def evaluate(
    faces: Faces,
    engines: Path,
    *,
    masked: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> tuple[Report, list[UInt8], list[UInt8]]:
    """Judge the map network of `engines`.

    Args:
        faces: all prepared faces.
        masked: folder or tar of photographs of people in masks.
        limit: about how many val faces instead of all.
        workers: processes; None: one for each core, 0: none.

    Returns:
        The tables, and cells for two sheets: painted masks, scoring photographs.

    Raises:
        ValueError: there is no held-out face, or no photograph that is kept for scoring.
    """
    plan = cases.jobs(faces, limit)
    if not plan:
        raise ValueError("There are no held-out faces (split 'val') to judge with.")
    chosen = np.unique([job.face for job in plan])
    number = {int(face): row for row, face in enumerate(chosen)}
    few = faces.where(np.isin(np.arange(len(faces)), chosen))
    kept = _held_photos(masked) if masked else None  # before hours are spent
    answers = list(spread(partial(_Worker, few, number, engines), plan, workers))
    digest = hashlib.sha256(b"".join(answer.digest for answer in answers)).hexdigest()[:16]
    report = Report(digest)
    report.tables["painted masks"] = _painted(answers)
    report.tables["kinds of mask, unseen painter"] = _kinds(answers)
    report.tables["things that are no mask"] = _things(answers)
    report.tables["bare faces"] = _bare(answers)
    cells: list[UInt8] = []
    if kept is not None:
        negative = np.array([a.bare["coverage"] for a in _one_each(answers)])
        table, cells = _photos(kept, engines, negative)
        report.tables["photographs"] = table
    return report, [a.thumb for a in answers], cells


class _Worker:
    """Answers jobs; lives in one process."""

    def __init__(self, faces: Faces, number: dict[int, int], engines: Path) -> None:
        self._faces, self._number = faces, number
        self._mapper = load_engine("map", SETTINGS, engines)

    def __call__(self, job: Job) -> Answer:
        case = cases.make(self._faces, job, self._number[job.face], covering=False)
        seen, bare = found(self._mapper, case.masked), found(self._mapper, case.bare)
        true, marked = case.mask & case.valid, seen.marked & case.valid
        painted = {
            "iou": scores.iou(marked, true),
            "wide": scores.iou((seen.map.values >= THRESHOLD) & case.valid, true),
            "boundary": scores.boundary_f(marked, true),
            # Of a mask that was missed there is no support; `found` counts those.
            "area": float(seen.hole[case.valid].sum() / max(int(true.sum()), 1))
            if seen.worn else np.nan,
            "found": float(seen.worn),
        }
        plain = {
            "false_area": float((bare.map.values >= THRESHOLD)[case.valid].mean()),
            "worn": float(bare.worn), "coverage": bare.map.coverage,
        } | _darkness(case.bare, case.mesh)  # fmt: skip
        digest = hashlib.sha256(case.masked.tobytes()).digest()
        things = {}
        for dress, picture in (("bare", case.bare), ("masked", case.masked)):
            name, shares, picture = self._hidden(job, dress, picture, case.mesh)
            digest += hashlib.sha256(picture.tobytes()).digest()
            things[f"{name} before a {dress} face"] = shares
        thumb = _cell(case.masked, seen, case.mask)
        return Answer(case.set, case.labels["kind"], digest, painted, plain, things, thumb)

    def _hidden(
        self, job: Job, dress: str, picture: UInt8, mesh: Float32
    ) -> tuple[str, tuple[float, float], UInt8]:
        """What was held before a face, and the shares of it that were marked and painted over."""
        rng = np.random.default_rng([SEED, 77, len(dress), job.face])
        image, share, thing = unseen.hide((picture / 255).astype(np.float32), mesh, rng)
        shown = cases.to_bytes(image)
        seen, where = found(self._mapper, shown), share > 0.5
        return thing, (float(seen.marked[where].mean()), float(seen.hole[where].mean())), shown


def _darkness(image: UInt8, mesh: Float32) -> dict[str, float]:
    """How bright lips and chin are against the cheeks: beards and dark lips are dark."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 2.0)
    limit = image.shape[0] - 1

    def level(points: Sequence[int]) -> float:
        x, y = mesh[list(points)].round().astype(int).clip(0, limit).T
        return float(np.median(grey[y, x]))

    cheeks = max(level(_CHEEKS), 1.0)
    return {"lips": level(_LIPS) / cheeks, "chin": level(_CHIN) / cheeks}


def _cell(picture: UInt8, seen: Found, true: scores.Bool | None) -> UInt8:
    """A small picture with the edge of the map in red, and of the true one in green."""
    shown = cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA)
    planes = [((0, 230, 0), true), ((255, 0, 0), seen.marked if seen.worn else None)]
    for colour, plane in planes:
        if plane is not None:
            small = cv2.resize(plane.astype(np.uint8), (CELL, CELL), interpolation=cv2.INTER_AREA)
            lines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, lines, -1, colour, 1)
    return shown.astype(np.uint8)


def _one_each(answers: list[Answer]) -> list[Answer]:
    """Each val face once: the sets share them."""
    return [a for a in answers if a.set == "val, training painter"]


def _painted(answers: list[Answer]) -> Table:
    return {
        name: _overlap([a for a in answers if a.set == name])
        for name in cases.SETS
        if any(a.set == name for a in answers)
    }


def _kinds(answers: list[Answer]) -> Table:
    mine = [a for a in answers if a.set != "val, training painter"]
    return {
        kind: _overlap([a for a in mine if a.kind == kind])
        for kind in sorted({a.kind for a in mine})
    }


def _overlap(answers: list[Answer]) -> dict[str, float]:
    column = {name: np.array([a.painted[name] for a in answers]) for name in answers[0].painted}
    return {
        "n": float(len(answers)),
        "IoU": float(column["iou"].mean()),
        "IoU, 5th percentile": float(np.percentile(column["iou"], 5)),
        f"IoU from {THRESHOLD:g}": float(column["wide"].mean()),
        f"boundary F, {scores.BOUNDARY_PX} px": float(column["boundary"].mean()),
        "support / true": float(np.nanmean(column["area"])) if column["found"].any() else np.nan,
        "found": float(column["found"].mean()),
    }


def _things(answers: list[Answer]) -> Table:
    shares: dict[str, list[tuple[float, float]]] = {}
    for answer in answers:
        for name, share in answer.things.items():
            shares.setdefault(name, []).append(share)
            shares.setdefault(f"all before a {name.split()[-2]} face", []).append(share)
    table = {}
    for name, values in sorted(shares.items()):
        marked, painted = np.array(values).T
        table[name] = {
            "n": float(len(values)),
            "marked as mask": float(marked.mean()),
            "worst 5 %": float(np.percentile(marked, 95)),
            "painted over": float(painted.mean()),
        }
    return table


def _bare(answers: list[Answer]) -> Table:
    faces = _one_each(answers)
    tests: dict[str, Callable[[Answer], bool]] = {"all": lambda a: True}
    for part in ("chin", "lips"):
        limit = float(np.quantile([a.bare[part] for a in faces], DARK_SHARE))
        tests[f"darkest {part}"] = lambda a, p=part, at=limit: a.bare[p] <= at  # type: ignore[misc]
    table = {}
    for name, test in tests.items():
        chosen = [a.bare for a in faces if test(a)]
        areas = [b["false_area"] for b in chosen]
        table[name] = {
            "n": float(len(chosen)),
            "false area": float(np.mean(areas)),
            "worst": float(np.max(areas)),
            "taken for masked": float(np.mean([b["worn"] for b in chosen])),
        }
    return table


def _held_photos(place: Path) -> Held:
    # Here only, since it looks for faces: the rest runs without mediapipe.
    from training.evaluation import photos

    return photos.held(place)


def _photos(kept: Held, engines: Path, negative: Float64) -> tuple[Table, list[UInt8]]:
    """How well coverage tells these photographs from the bare faces, and cells for a sheet."""
    from training.evaluation import photos

    best: list[float] = []
    cells: list[UInt8] = []
    with load_engine("map", SETTINGS, engines) as mapper:
        for photo in photos.crops(kept):
            seen = [found(mapper, one) for one in photo.crops]
            best.append(max((s.map.coverage for s in seen), default=-1.0))
            for one, s in zip(photo.crops, seen, strict=True):
                cell = _cell(one, s, None)
                number = (str(len(cells) + 1), (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4)
                cv2.putText(cell, *number, (0, 0, 0), 3, cv2.LINE_AA)
                cv2.putText(cell, *number, (255, 255, 0), 1, cv2.LINE_AA)
                cells.append(cell)
    values = np.array(best)
    faces = values[values >= 0]
    table = {
        name: {
            "photos": float(len(part)),
            "bare faces": float(len(negative)),
            "AUC": scores.auc(part, negative),
            "accuracy": float(
                ((part >= WORN_FROM).sum() + (negative < WORN_FROM).sum())
                / (len(part) + len(negative))
            ),
            "masks missed": float((part < WORN_FROM).sum()),
            "near-duplicates left out": float(kept.twins),
        }
        for name, part in (("with a face found", faces), ("all", values))
    }
    return table, cells
