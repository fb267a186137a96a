"""Samples: prepared faces, as they are seen, and the stream of what a network is trained on.

Sample number k of a run is a function of (seed, k) alone, so a resumed run sees exactly what an
unbroken one would have seen.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from realtime_unmask.faces.alignment import EYE_CENTRE, EYE_DISTANCE
from training import transport
from training.loop import RunConfig, numbers
from training.masks.pasted import yaw
from training.shards import CLIPS, CROP, MARGIN, PROFILE, STORED, Faces, inside

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]
Sample = dict[str, NDArray[np.float32]]

# Sets are weighed, not pooled: the synthetic ones are sharp, aaf is large and partly soft.
SET_SHARES = {
    "aaf": 0.40, "utk": 0.22, "omi": 0.17, "sdfd": 0.17, "omi_variants": 0.03, CLIPS: 0.01,
}  # fmt: skip
# Portraits look into the camera more than people do: a head that is turned all the way is drawn so
# much more often than one that is not.
TURNED = 5.0
# Pictures of the val split that are copies of training pictures, and judge nothing: this is
# aaf's 04016A33, which is 04030A33 (aaf_02147) in other colours.
COPIES = ("aaf_00907.webp",)
# Never trained on: the unseen sources, and the last few people of these sets.
UNSEEN_SETS = ("cd_wo", "pr_wo")
PEOPLE_HELD_OUT = {"omi_variants": 10, CLIPS: 2}
# Who it is, in the original name of a file, by set. The studio set has other collections in it,
# with one picture of each person and numbers of their own.
_PEOPLE = {"omi_variants": r"([^_]+)_", CLIPS: r"(.+)_", "webmorph": r"(\d{3})_\d\d\b"}
# How often a picture has been stretched, as video of another width is and some photographs are. By
# so much, a logarithm, its height is multiplied: the alignment keeps the distance of the eyes. So
# far, in radians, the picture's height leans from the face's.
STRETCHED_SHARE = 0.25
STRETCH = (-0.5, 0.25)
STRETCH_LEAN = 0.12
# What a mask does to the upper-face landmarks, in shares of the eye distance.
ALIGN_JITTER = 0.015
# By how much a landmarker is off that sees a face on its side or head as an upright one: it takes
# the eyes for eyes. The crop's px, the turn in radians, the logarithm of the scale.
WRONG_WAY_SHIFT, WRONG_WAY_TURN, WRONG_WAY_SCALE = 10.0, 0.25, 0.15
# For either network: how often the light is worse than a random camera makes it, and how often the
# head moved while it was exposed.
HARSH_SHARE = 0.2
MOTION_SHARE = 0.15


def person(faces: Faces) -> NDArray[np.str_]:
    """(n,) who it is: of the sets that show people more than once; elsewhere each is another."""
    found = [
        re.match(_PEOPLE[group], origin) if group in _PEOPLE else None
        for group, origin in zip(faces.set.tolist(), faces.origin.tolist(), strict=True)
    ]
    return np.array(
        [
            f"{group}/{one[1]}" if one else name
            for group, name, one in zip(faces.set, faces.name, found, strict=True)
        ]
    )


def held_out(faces: Faces) -> NDArray[np.bool_]:
    """(n,) true for the people and clips that are kept for scoring."""
    # A copy is held out where its picture is.
    who = np.array([name.removeprefix(PROFILE) for name in person(faces).tolist()])
    held = np.zeros(len(faces), bool)
    for name, count in PEOPLE_HELD_OUT.items():
        mine = faces.set == name
        held |= mine & np.isin(who, np.unique(who[mine])[-count:])
    return held


def training_faces(faces: Faces) -> Faces:
    """Those that may be trained on.

    Raises:
        ValueError: there is none.
    """
    train, held = faces.split == "train", held_out(faces)
    keep = train & ~np.isin(faces.set, UNSEEN_SETS) & ~held
    if not keep.any():
        people = ", ".join(f"{count} of '{name}'" for name, count in PEOPLE_HELD_OUT.items())
        raise ValueError(
            f"None of the {len(faces)} prepared faces may be trained on: {int(train.sum())} are of "
            f"the split 'train', and {int((train & held).sum())} of these show people or clips "
            f"that are kept for scoring (the last {people}). Prepare more."
        )
    return faces.where(keep)


def photographs(faces: Faces) -> Faces:
    """Without the turned copies, which are told apart by name, as other people are."""
    return faces.where(~np.char.startswith(faces.name, PROFILE))


def validation_faces(faces: Faces) -> Faces:
    """Those that `judges` names."""
    return faces.where(judges(faces))


def judges(faces: Faces) -> NDArray[np.bool_]:
    """(n,) true for the val split, without copies of what is trained on.

    Nor the sources that have no part in training: they choose no weights.
    """
    left_out = np.isin(faces.set, UNSEEN_SETS) | np.isin(faces.name, COPIES)
    return np.asarray((faces.split == "val") & ~left_out)


def shares(faces: Faces) -> NDArray[np.float64]:
    """How often each face is drawn: by SET_SHARES, evenly for sets that are not listed."""
    weight = 1 + TURNED * np.abs([yaw(mesh) for mesh in faces.landmarks])
    names = np.unique(faces.set)
    for name in names:
        mine = faces.set == name
        weight[mine] *= SET_SHARES.get(str(name), 1.0 / len(names)) / weight[mine].sum()
    total: float = weight.sum()
    return np.asarray(weight / total)


@dataclass(slots=True)
class View:
    """One face as seen by one sample; S is 256 unless training begins on smaller crops.

    Attributes:
        image: (S, S, 3) float32 RGB in [0, 1].
        mesh: (478, 2) float32, px.
        valid: (S, S) float32, 1 where the picture is known.
    """

    image: Picture
    mesh: NDArray[np.float32]
    valid: Plane


def view(
    faces: Faces,
    index: int,
    rng: np.random.Generator | None,
    size: int = CROP,
    *,
    quarters: int = 0,
) -> View:
    """Cut a crop from a stored one; `rng` moves, turns, scales and stretches it a little.

    Args:
        quarters: by how many quarters it is turned besides, as if a landmarker had not seen it.
    """
    zoom, turn, shift, stretch = 1.0, 0.0, np.zeros(2), np.eye(2)
    if rng is not None:
        zoom = float(np.exp(rng.normal(0, 0.02)))
        turn = float(rng.normal(0, 0.025))
        shift = rng.normal(0, ALIGN_JITTER * EYE_DISTANCE * CROP * 1.5, 2)
        stretch = _stretch(rng)
    share = size / CROP
    linear = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * share
    middle, eyes = np.full(2, STORED / 2), np.array(EYE_CENTRE) * CROP + MARGIN
    offset = size / 2 + shift * share + linear @ (eyes - stretch @ eyes - middle)
    linear = linear @ stretch
    if quarters and rng is not None:
        linear, offset = _wrong_way(linear, offset, quarters, share, rng)
    matrix = np.hstack([linear, offset[:, None]])
    stored = faces.image(index)
    if size < CROP:  # or thin lines would alias
        stored = cv2.GaussianBlur(stored, (0, 0), 0.4 / share).astype(np.uint8)
    image = cv2.warpAffine(
        stored, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mesh = faces.landmarks[index] @ linear.T + offset
    valid = inside(faces.corners[index] @ linear.T + offset, size)
    if quarters or not np.array_equal(stretch, np.eye(2)):  # may reach beyond what is stored
        around = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * STORED
        valid &= inside(around @ linear.T + offset, size)
    return View(
        image.astype(np.float32) / 255.0, mesh.astype(np.float32), valid.astype(np.float32)
    )


def _stretch(rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 2) what a picture of the wrong width does to a face whose eyes stay as far apart."""
    tall, lean = np.exp(rng.uniform(*STRETCH)), rng.normal(0, STRETCH_LEAN)
    if rng.random() >= STRETCHED_SHARE:
        return np.eye(2)
    up = np.array([np.sin(lean), np.cos(lean)])
    return np.asarray(np.eye(2) + (tall - 1) * np.outer(up, up))


def _wrong_way(
    linear: NDArray[np.float64],
    offset: NDArray[np.float64],
    quarters: int,
    share: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The map of a view, x -> linear @ x + offset, with the face turned about its eyes."""
    angle = quarters * np.pi / 2 + rng.normal(0, WRONG_WAY_TURN)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turn *= np.exp(rng.normal(0, WRONG_WAY_SCALE))
    eyes = np.array(EYE_CENTRE) * CROP * share
    moved = eyes + rng.normal(0, WRONG_WAY_SHIFT, 2) * share
    return turn @ linear, turn @ (offset - eyes) + moved


def chw(image: Picture) -> Picture:
    """(S, S, 3) -> (3, S, S), contiguous."""
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)


class Stream(Dataset[dict[str, torch.Tensor]]):
    """The endless stream of samples of one run, by their number.

    Args:
        make: (faces, index of a face, generator) -> sample.
    """

    def __init__(
        self, faces: Faces, make: Callable[[Faces, int, np.random.Generator], Sample], seed: int
    ) -> None:
        self.faces, self.make, self.seed = faces, make, seed
        self.shares = shares(faces).cumsum()

    def sample(self, number: int) -> Sample:
        """Sample `number`, the same every time."""
        rng = np.random.default_rng([self.seed, number])
        index = min(int(np.searchsorted(self.shares, rng.random())), len(self.faces) - 1)
        made = self.make(self.faces, index, rng)
        return {n: np.asarray(value, np.float32, order="C") for n, value in made.items()}

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(value) for name, value in self.sample(number).items()}


class _Packed(Dataset[dict[str, torch.Tensor]]):
    """A stream whose samples are ready to travel."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return transport.packed(self.stream[number])


def batches(
    stream: Stream, config: RunConfig, step: int
) -> Iterable[dict[str, torch.Tensor]]:
    """Endless batches from step `step` on, painted in processes beside the training; packed."""
    return DataLoader(
        _Packed(stream), config.batch, sampler=_Numbers(step, config.batch),
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None, worker_init_fn=_begin_worker,
        pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


class _Numbers(Sampler[int]):
    def __init__(self, step: int, batch: int) -> None:
        self.step, self.batch = step, batch

    def __iter__(self) -> Iterator[int]:
        return numbers(self.step, self.batch)


def _begin_worker(worker: int) -> None:
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training ends it
