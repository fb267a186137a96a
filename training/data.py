"""Samples: prepared faces -> what each network is trained on.

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
from training.labelled import Labelled
from training.loop import RunConfig, numbers
from training.masks.camera import degrade, frame_edge, grade, harsh, moved
from training.masks.cloth import paint
from training.masks.occluders import beard, glasses, occlude
from training.masks.pasted import paste, tied, yaw
from training.masks.shape import random_shape
from training.shards import CLIPS, CROP, MARGIN, STORED, Faces, inside

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
# Where there are labelled photographs: their share of the map network's samples, and that of
# their masks among the masks put on bare faces.
REAL_SHARE = 0.3
PASTED_SHARE = 0.40
# How many of the faces that are not labelled photographs wear a mask.
MASKED_SHARE = 0.74
# How often a pasted mask gets straps.
TIED_SHARE = 0.6
# For either network: how often the light is worse than a random camera makes it, and how often the
# head moved while it was exposed.
HARSH_SHARE = 0.2
MOTION_SHARE = 0.15
# How often the map network is shown a face the wrong way round, which wears nothing.
WRONG_WAY_SHARE = 0.05
# What is narrower than this counts as thin, and with it what is so close by, crop px: else straps
# would be learned too wide.
THIN_PX, RIM_PX = 9, 3


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
    who = person(faces)
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
    faces: Faces, index: int, rng: np.random.Generator | None, size: int = CROP
) -> View:
    """Cut a crop from a stored one; `rng` moves, turns, scales and stretches it a little."""
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
    matrix = np.hstack([linear, offset[:, None]])
    stored = faces.image(index)
    if size < CROP:  # or thin lines would alias
        stored = cv2.GaussianBlur(stored, (0, 0), 0.4 / share).astype(np.uint8)
    image = cv2.warpAffine(
        stored, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mesh = faces.landmarks[index] @ linear.T + offset
    valid = inside(faces.corners[index] @ linear.T + offset, size)
    if not np.array_equal(stretch, np.eye(2)):  # it may reach beyond what is stored
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


def map_sample(
    faces: Faces, index: int, rng: np.random.Generator, real: Labelled | None = None
) -> Sample:
    """One picture for the map network.

    Args:
        real: labelled photographs, which then take the place of REAL_SHARE of the samples and
            lend their masks to others.

    Returns:
        image (3, 256, 256) in [-1, 1], target (1, 256, 256) in [0, 1], and valid and thin, each
        (1, 256, 256): where the picture is known, and where straps are, with what is beside them.
    """
    if real is not None and rng.random() < REAL_SHARE:
        image, mesh, target, valid = real.view(rng)
        hidden = rng.random() < 0.2
    else:
        seen = view(faces, index, rng)
        mesh, valid = seen.mesh, seen.valid
        image, target, hidden = _dressed(faces, seen, rng, real)
    if hidden:
        image, over = occlude(image, mesh, rng)
        target = target * (1 - over)
    image = grade(image, rng)
    if rng.random() < HARSH_SHARE:
        image = harsh(image, rng)
    if rng.random() < MOTION_SHARE:  # half of a mask is mask enough: its traces go with it
        image, target = moved([image, target], rng)
        target = np.minimum(1, 2 * target)
    image = degrade(image, rng)
    if rng.random() < 0.3:
        image, known = frame_edge(image, tight(mesh, CROP, rng))
        valid = valid * known
    if rng.random() < WRONG_WAY_SHARE:
        image, target = _wrong_way(image, rng), np.zeros_like(target)
    if not target.any():  # no mask beyond the picture's edge either: its repetition looks like one
        valid = np.ones_like(valid)
    if rng.random() < 0.5:
        image, target, valid = image[:, ::-1], target[:, ::-1], valid[:, ::-1]
    return {
        "image": chw(image) * 2 - 1, "target": target[None], "valid": valid[None],
        "thin": near_thin(target)[None],
    }  # fmt: skip


def _wrong_way(image: Picture, rng: np.random.Generator) -> Picture:
    """A face that lies or stands on its head, as the landmarker's mistake aligns it: by the eyes."""
    eyes = np.array(EYE_CENTRE) * CROP + rng.normal(0, 8, 2)
    turn = 90.0 * rng.integers(1, 4) + rng.normal(0, 15)
    matrix = cv2.getRotationMatrix2D(eyes.tolist(), turn, float(np.exp(rng.normal(0, 0.1))))
    turned = cv2.warpAffine(image, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.float32)


def near_thin(plane: Plane) -> Plane:
    """What an opening by a square of THIN_PX takes away from (S, S) in [0, 1], and its rim.

    Here, and not in the loss: on a CPU torch needs a third of a training step for it.
    """
    kernel = np.ones((THIN_PX, THIN_PX), np.uint8)
    side = 2 * RIM_PX + 1
    thin = plane - cv2.morphologyEx(plane, cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.dilate(thin, np.ones((side, side), np.uint8)), np.float32)


def _dressed(
    faces: Faces, seen: View, rng: np.random.Generator, real: Labelled | None
) -> tuple[Picture, Plane, bool]:
    """A bare face with or without a mask, its map, and whether something is held before it."""
    image, target = seen.image, np.zeros_like(seen.valid)
    if rng.random() < 0.12:
        image = beard(image, seen.mesh, rng)
    if rng.random() >= MASKED_SHARE:
        return image, target, bool(rng.random() < 0.35)
    if real is not None and rng.random() < PASTED_SHARE:
        image, target = paste(image, seen.mesh, real.texture(seen.mesh, rng), rng)
        if rng.random() < TIED_SHARE:
            image, target = tied(image, target, seen.mesh, rng)
    else:
        shape = random_shape(seen.mesh, CROP, rng)
        image, target = paint(image, shape, rng, _print(faces, rng)), shape.map
    if rng.random() < 0.15:
        image, over = glasses(image, seen.mesh, rng)
        target = target * (1 - over)
    return image, target, bool(rng.random() < 0.4)


def tight(
    mesh: NDArray[np.float32], size: int, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a picture that ends close to the face, or cuts it a little."""
    low, high = mesh.min(0), mesh.max(0)
    reach = (high - low) * rng.uniform(-0.15, 0.45, (2, 2))
    reach[rng.random((2, 2)) < 0.4] = size  # that side is far away
    x0, y0 = np.clip(low - reach[0], 0, size * 0.35).astype(int)
    x1, y1 = np.clip(high + reach[1], size * 0.65, size).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _print(faces: Faces, rng: np.random.Generator) -> Picture | None:
    """Now and then a piece of another picture, to be printed on the cloth."""
    if rng.random() > 0.2:
        return None
    other = faces.image(int(rng.integers(len(faces))))
    side = int(rng.integers(40, STORED))
    x, y = rng.integers(0, STORED - side + 1, 2)
    return other[y : y + side, x : x + side].astype(np.float32) / 255.0


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
