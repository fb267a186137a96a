"""evaluate map: does the map network know a mask when it sees one, and only then?

On painted masks (both painters) against the true map; on bare faces and on things held before
them; on photographs of people who really wear masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from realtime_unmask.inference.engine import load_engine
from realtime_unmask.types import Float64, UInt8
from realtime_unmask.unmask.map import WORN_FROM
from training import data, unseen
from training.evaluation import bare, cases, scores
from training.evaluation.cases import SEED, Dressed, Job
from training.evaluation.engines import SETTINGS, THRESHOLD, Found, found
from training.evaluation.pool import spread
from training.shards import Faces

if TYPE_CHECKING:
    from training.evaluation.photos import Held

CELL = 160

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
        bare: what `bare.judged` says of the face without its mask; empty where it has been
            judged in another set.
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
    turned: bool = False,
) -> tuple[Report, list[UInt8], list[UInt8]]:
    """Judge the map network of `engines`.

    Args:
        faces: all prepared faces.
        masked: folder or tar of photographs of people in masks.
        limit: about how many val faces instead of all.
        workers: processes; None: one for each core, 0: none.
        turned: also look at whole pictures, every way up.

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
    plain = _by_set(answers) | bare.unseen(faces, engines, limit=limit, workers=workers)
    report.tables["bare faces"] = bare.table(plain)
    cells: list[UInt8] = []
    if kept is not None:
        tables, cells = _photos(kept, engines, plain)
        report.tables |= tables
    if turned:
        report.tables |= _turned(faces, kept, engines, limit, workers)
    return report, [a.thumb for a in answers], cells


class _Worker:
    """Answers jobs; lives in one process."""

    def __init__(self, faces: Faces, number: dict[int, int], engines: Path) -> None:
        self._faces, self._number = faces, number
        self._mapper = load_engine("map", SETTINGS, engines)

    def __call__(self, job: Job) -> Answer:
        row = self._number[job.face]
        worn = cases.dress(self._faces, job, row, covering=False)
        case = cases.case(self._faces, job, row, worn)
        seen = found(self._mapper, case.masked)
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
        plain = {}
        if not job.again:
            plain = bare.judged(self._mapper, case.bare, case.valid, case.mesh)
        digest = hashlib.sha256(case.masked.tobytes()).digest()
        things = {}
        for dress in ("masked",) if job.again else ("bare", "masked"):
            name, shares, picture = self._hidden(job, dress, worn)
            digest += hashlib.sha256(picture.tobytes()).digest()
            things[f"{name} before a {dress} face"] = shares
        thumb = _cell(case.masked, seen, case.mask)
        return Answer(case.set, case.labels["kind"], digest, painted, plain, things, thumb)

    def _hidden(
        self, job: Job, dress: str, worn: Dressed
    ) -> tuple[str, tuple[float, float], UInt8]:
        """What was held before a face, and the shares of it that were marked and painted over."""
        rng = np.random.default_rng([SEED, 77, len(dress), job.face])
        face = worn.masked if dress == "masked" else worn.bare
        image, share, thing = unseen.hide(face, worn.mesh, rng)
        # Reduced together: a sharp thing before a soft face would be easy to tell from it.
        shown = cases.enlarged(cases.photographed(image, worn.side))
        seen, where = found(self._mapper, shown), share > 0.5
        return thing, (float(seen.marked[where].mean()), float(seen.hole[where].mean())), shown


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


def _by_set(answers: list[Answer]) -> dict[str, list[bare.Row]]:
    """What was said of bare faces, those of the val split and small ones."""
    names = {bare.VAL: cases.SETS[0], bare.SMALL: cases.SETS[2]}
    rows = {name: [a.bare for a in answers if a.set == chosen] for name, chosen in names.items()}
    return {name: those for name, those in rows.items() if those}


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


def _held_photos(place: Path) -> Held:
    # Here only, since it looks for faces: the rest runs without mediapipe.
    from training.evaluation import photos

    return photos.held(place)


def _photos(
    kept: Held, engines: Path, plain: Mapping[str, Sequence[bare.Row]]
) -> tuple[dict[str, Table], list[UInt8]]:
    """How well coverage tells these photographs from bare faces, and cells for a sheet."""
    from training.evaluation import photos, straps

    tied: list[straps.Strap] = []
    best: list[float] = []
    cells: list[UInt8] = []
    with load_engine("map", SETTINGS, engines) as mapper:
        for (name, _), photo in zip(kept.pictures, photos.crops(kept), strict=True):
            seen = [found(mapper, one) for one in photo.crops]
            looked = (straps.found_of(s, seen, photo.alignments) for s in kept.straps.get(name, []))
            tied += [one for one in looked if one is not None]
            best.append(max((s.map.coverage for s in seen), default=-1.0))
            for one, s in zip(photo.crops, seen, strict=True):
                cells.append(_numbered(_cell(one, s, None), len(cells) + 1))
    values = np.array(best)
    unseen_sources = [row for name in data.UNSEEN_SETS for row in plain.get(name, ())]
    table = {}
    negatives = {bare.VAL: plain.get(bare.VAL, ()), "unseen sources": unseen_sources}
    for bare_name, rows in negatives.items():
        negative = np.array([row["coverage"] for row in rows])
        for name, part in (("with a face found", values[values >= 0]), ("all", values)):
            if len(part) and len(negative):
                table[f"{name}, against {bare_name}"] = _told(part, negative) | {
                    "near-duplicates left out": float(kept.twins)
                }
    tables = {"photographs": table}
    if tied:
        tables["straps in photographs"] = straps.table(tied)
    return tables, cells


def _turned(
    faces: Faces, kept: Held | None, engines: Path, limit: int | None, workers: int | None
) -> dict[str, Table]:
    from training.evaluation import turned

    bare_ones = turned.bare(faces, engines, limit=limit, workers=workers)
    tables = {"pictures of bare faces, looked at every way up": bare_ones}
    if kept is not None:
        tables["photographs, turned"] = turned.photographs(kept, engines, workers=workers)
    return tables


def _told(masked: Float64, negative: Float64) -> dict[str, float]:
    """How well coverage tells masked from bare faces."""
    right = (masked >= WORN_FROM).sum() + (negative < WORN_FROM).sum()
    return {
        "photos": float(len(masked)),
        "bare faces": float(len(negative)),
        "AUC": scores.auc(masked, negative),
        "accuracy": float(right / (len(masked) + len(negative))),
        "masks missed": float((masked < WORN_FROM).sum()),
    }


def _numbered(cell: UInt8, number: int) -> UInt8:
    for colour, width in (((0, 0, 0), 3), ((255, 255, 0), 1)):
        cv2.putText(
            cell, str(number), (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, width, cv2.LINE_AA
        )
    return cell
