"""The frozen evaluation set: which faces, under which masks, in which pictures.

Case number k of a set is a function of the faces and SEED alone; the digest of all pictures is
printed with every table, so that two tables can be compared only where it is the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Alignment, Float32, UInt8
from training import data, unseen
from training.evaluation.scores import Bool
from training.masks.cloth import paint as put_on
from training.masks.shape import random_shape
from training.shards import CROP, Faces

SEED = 2026
# Small faces span this much in the picture, px.
SMALL_FACE_PX = (60.0, 120.0)
# Faces of the unseen sources that are judged: not all, so that a run takes minutes.
SMALL_FACES = 200
# So begin the origins of pictures that pr_wo's makers computed from others of its own.
COMPUTED = "augmented_"
AGES = ((12, "0-12"), (19, "13-19"), (39, "20-39"), (59, "40-59"), (200, "60+"))
# The fifth is everybody else in the file names.
ETHNICITIES = ("White", "Black", "Asian", "Indian", "other")

Painter = Literal["training", "unseen"]
Set = Literal["val, training painter", "val, unseen painter", "small faces, unseen painter"]
SETS: tuple[Set, ...] = (
    "val, training painter", "val, unseen painter", "small faces, unseen painter"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """One case to be made: the face's number among all, and under what."""

    set: Set
    face: int

    @property
    def painter(self) -> Painter:
        """Which painter puts the mask on."""
        return "training" if self.set == "val, training painter" else "unseen"

    @property
    def again(self) -> bool:
        """Whether an earlier set has the same bare face."""
        return self.set == "val, unseen painter"

    @property
    def small(self) -> bool:
        """Whether the picture is reduced to a small face first."""
        return self.set == "small faces, unseen painter"


@dataclass(frozen=True, slots=True)
class Case:
    """One masked face, 256 px.

    Attributes:
        set: which part of the evaluation it belongs to.
        labels: group -> value: "source", "kind" of mask, "age", "ethnicity", where known.
        bare, masked: (256, 256, 3) uint8 RGB.
        frame: (side, side, 3) uint8 RGB, the masked picture from which the crop was enlarged; the
            crop itself where it was not.
        mask: (256, 256) bool, the true mask.
        valid: (256, 256) bool, where the picture is known.
        mesh: (478, 2) float32 px.
    """

    set: Set
    labels: dict[str, str]
    bare: UInt8
    masked: UInt8
    frame: UInt8
    mask: Bool
    valid: Bool
    mesh: Float32


def jobs(faces: Faces, limit: int | None = None) -> list[Job]:
    """All cases; `limit` is about how many faces of the val split are judged instead of all."""
    held, small = np.flatnonzero(data.judges(faces)), np.flatnonzero(unseen_faces(faces))
    every = step(faces, limit)
    few = np.linspace(0, len(small) - 1, min(SMALL_FACES, len(small))).astype(np.intp)
    small = small[few][::every]
    plan: list[tuple[Set, NDArray[np.intp]]] = [
        ("val, training painter", held[::every]),
        ("val, unseen painter", held[:: 2 * every]),
        ("small faces, unseen painter", small),
    ]
    return [Job(name, int(face)) for name, chosen in plan for face in chosen]


def step(faces: Faces, limit: int | None) -> int:
    """Every so manieth face is judged, so that those of the val split are about `limit`."""
    return max(1, round(int(data.judges(faces).sum()) / limit)) if limit else 1


def unseen_faces(faces: Faces) -> NDArray[np.bool_]:
    """(n,) true for the sources never trained on, each of their pictures once."""
    return np.isin(faces.set, data.UNSEEN_SETS) & ~np.char.startswith(faces.origin, COMPUTED)


@dataclass(frozen=True, slots=True)
class Dressed:
    """A face under its mask, before a picture of it is made.

    Attributes:
        bare, masked: (256, 256, 3) float32 RGB in [0, 1], however small the picture will be.
        share: (256, 256) float32 in [0, 1], how much of each pixel is mask.
        kind: of mask.
        side: of the picture, px.
        valid: (256, 256) bool, where the face's own picture is known.
        mesh: (478, 2) float32 px.
    """

    bare: Float32
    masked: Float32
    share: Float32
    kind: str
    side: int
    valid: Bool
    mesh: Float32


def make(faces: Faces, job: Job, row: int, *, covering: bool = True) -> Case:
    """Paint one case; arguments as of `dress`."""
    return case(faces, job, row, dress(faces, job, row, covering=covering))


def dress(faces: Faces, job: Job, row: int, *, covering: bool) -> Dressed:
    """Put the mask of one case on.

    Args:
        faces: any that hold the job's face.
        row: where in `faces` it is.
        covering: the mask covers nose to chin, as the editor is judged; else any mask.
    """
    rng = np.random.default_rng([SEED, SETS.index(job.set), job.face])
    seen = data.view(faces, row, None)
    if job.painter == "training":
        shape = random_shape(seen.mesh, CROP, rng, covering=covering)
        masked, share = put_on(seen.image, shape, rng), shape.map
        kind = str(shape.kind)
    else:
        worn = unseen.wear(seen.image, seen.mesh, rng, covering=covering)
        masked, share, kind = worn.image, worn.map, worn.kind
    side = CROP
    if job.small:
        width = float(np.ptp(seen.mesh[:, 0]))
        side = round(CROP * min(1.0, float(rng.uniform(*SMALL_FACE_PX)) / width))
    return Dressed(seen.image, masked, share, kind, side, seen.valid > 0, seen.mesh)


def case(faces: Faces, job: Job, row: int, worn: Dressed) -> Case:
    """The pictures and labels of a face under its mask; arguments as of `dress`."""
    source = str(faces.set[row])
    labels = {"source": source, "kind": worn.kind} | _who(source, str(faces.origin[row]))
    frame = photographed(worn.masked, worn.side)
    return Case(
        job.set, labels, enlarged(photographed(worn.bare, worn.side)), enlarged(frame), frame,
        worn.share > 0.5, worn.valid, worn.mesh,
    )  # fmt: skip


def photographed(image: Float32, side: int) -> UInt8:
    """(side, side, 3) uint8: the picture of (256, 256, 3) float32 in [0, 1]."""
    return to_bytes(_reduced(image, side))


def to_bytes(image: Float32) -> UInt8:
    """[0, 1] -> 0..255."""
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def _reduced(image: Float32, side: int) -> Float32:
    """As if the face had been photographed that much smaller."""
    if side == CROP:
        return image
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def enlarged(frame: UInt8) -> UInt8:
    """The (256, 256, 3) crop of a small picture, as the program cuts it; of a crop itself."""
    if frame.shape[0] == CROP:
        return frame
    return cv2.resize(frame, (CROP, CROP), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def alignment(side: int) -> Alignment:
    """What `enlarged` does: px of a small picture -> px of its crop."""
    zoom = CROP / side
    shift = (zoom - 1) / 2
    return Alignment(np.array([[zoom, 0.0, shift], [0.0, zoom, shift]]), CROP)


def _who(source: str, origin: str) -> dict[str, str]:
    """Age and ethnicity, where the original file's name tells them."""
    if source == "utk":
        found = re.match(r"(\d+)_[01]_([0-4])_", origin)
        if found:
            return {"age": _age(int(found[1])), "ethnicity": ETHNICITIES[int(found[2])]}
    if source == "aaf":
        found = re.match(r"\d+A(\d+)", origin)
        if found:
            return {"age": _age(int(found[1]))}
    return {}


def _age(years: int) -> str:
    return next(name for limit, name in AGES if years <= limit)
