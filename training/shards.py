"""Shards: prepared faces in files that load fast and travel in pieces.

A shard is an uncompressed .npz (no pickle):
    pixels    (total,) uint8   JPEG files of the crops, one after the other
    offsets   (n + 1,) int64   where each begins
    landmarks (n, 478, 2) float16, crop px
    corners   (n, 4, 2) float32, the picture's corners in crop px: outside them nothing is known
    split, set, origin, name: (n,) unicode
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training import files

# The stored crop is the run-time's 256 px crop with a margin on each side, so that training can
# move, turn and scale it without running out of picture.
CROP = 256
MARGIN = 24
STORED = CROP + 2 * MARGIN
POINTS = 478
# The set of faces that come from video files; their origin is "<file>_<seconds>".
CLIPS = "clips"
# So begin the names of copies of other faces, with their heads turned; no picture's does.
PROFILE = "/profile/"
MAX_SHARD_BYTES = 56_000_000
# Lies beside the shards until they are all there.
UNFINISHED = "unfinished"


@dataclass(slots=True)
class Faces:
    """Prepared faces, crops still coded.

    Attributes:
        coded: n JPEG files (uint8 arrays), STORED x STORED px RGB.
        landmarks: (n, 478, 2) float32, px of the stored crop.
        corners: (n, 4, 2) float32, the source picture's corners in px of the stored crop.
        split, set, origin, name: (n,) unicode arrays.
    """

    coded: list[NDArray[np.uint8]]
    landmarks: NDArray[np.float32]
    corners: NDArray[np.float32]
    split: NDArray[np.str_]
    set: NDArray[np.str_]
    origin: NDArray[np.str_]
    name: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.coded)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(STORED, STORED, 3) uint8 RGB."""
        bgr = cv2.imdecode(self.coded[index], cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f"The crop of {self.name[index]} cannot be decoded.")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

    def where(self, chosen: NDArray[np.bool_]) -> Faces:
        """Those for which `chosen`, (n,) bool, is true."""
        rows = np.flatnonzero(chosen)
        return Faces(
            [self.coded[i] for i in rows],
            self.landmarks[rows],
            self.corners[rows],
            self.split[rows],
            self.set[rows],
            self.origin[rows],
            self.name[rows],
        )


def inside(corners: NDArray[np.floating[Any]], size: int) -> NDArray[np.uint8]:
    """(size, size) uint8, 1 within a picture whose corners, (4, 2), lie there, px."""
    plane = np.zeros((size, size), np.uint8)
    # OpenCV wraps around what lies too far out.
    cv2.fillConvexPoly(plane, np.round(corners.clip(-4000, 4000)).astype(np.int32), 1)
    return plane


def save_shard(path: Path, faces: Faces) -> None:
    """Write one shard under its final name only when it is whole."""
    partial = path.with_name("partial." + path.name)
    np.savez(partial, allow_pickle=False, **packed(faces))
    partial.replace(path)


def packed(faces: Faces) -> dict[str, NDArray[Any]]:
    """The arrays of a shard, by their names."""
    return {
        "pixels": np.concatenate(faces.coded),
        "offsets": np.cumsum([0] + [len(c) for c in faces.coded]),
        "landmarks": faces.landmarks.astype(np.float16),
        "corners": faces.corners,
        "split": faces.split,
        "set": faces.set,
        "origin": faces.origin,
        "name": faces.name,
    }


def load_shards(folder: Path) -> Faces:
    """All shards of a folder.

    Raises:
        FileNotFoundError: there are none.
        ValueError: one of them is damaged; the message names it.
    """
    paths = sorted(folder.glob("faces-*.npz"))
    if not paths:
        raise FileNotFoundError(
            f"There are no prepared faces in {folder}. Run 'python -m training prepare' first."
        )
    if (folder / UNFINISHED).exists():
        note = f"Note: {folder} holds only a part, since `prepare` was interrupted there."
        print(note, file=sys.stderr)
    parts = [_load(path) for path in paths]
    return Faces(
        [c for p in parts for c in p.coded],
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("landmarks", "corners", "split", "set", "origin", "name")
        ),
    )


def _load(path: Path) -> Faces:
    with files.reading(path, "a shard of `prepare`"):
        return unpacked(files.arrays(path))


def unpacked(data: Mapping[str, NDArray[Any]]) -> Faces:
    """A shard's faces from its arrays.

    Raises:
        KeyError, TypeError, ValueError: they are not those of a shard.
    """
    faces = Faces(
        pieces(data["pixels"], data["offsets"]),
        data["landmarks"].astype(np.float32),
        data["corners"],
        data["split"],
        data["set"],
        data["origin"],
        data["name"],
    )
    count = len(faces)
    wanted: dict[str, tuple[int, ...]] = {"landmarks": (count, POINTS, 2), "corners": (count, 4, 2)}
    wanted |= dict.fromkeys(("split", "set", "origin", "name"), (count,))
    for name, shape in wanted.items():
        if data[name].shape != shape:
            raise ValueError(f"'{name}' is {data[name].shape} and not {shape}")
    for name in ("landmarks", "corners"):
        if not np.isfinite(data[name]).all():
            raise ValueError(f"'{name}' holds what is no number")
    return faces


def pieces(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Files that lie one after the other in `data`, (total,); each ends where the next begins.

    Raises:
        ValueError: they do not fill it.
    """
    if data.dtype != np.uint8 or not np.array_equal(offsets[[0, -1]], (0, len(data))):
        raise ValueError("the pictures do not fill their place")
    if (np.diff(offsets) <= 0).any():
        raise ValueError("there is an empty picture")
    return [data[a:b] for a, b in pairwise(offsets)]
