"""prepare: tars, folders and videos of faces -> shards of aligned crops with their landmarks.

The one step that needs mediapipe. A folder or tar may have a faces.csv beside it (columns tar,
file, split, set, origin); without one, every twentieth file by digest is kept for validation.
"""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, tee
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.capture.video import VideoSource
from realtime_unmask.faces.alignment import EYE_DISTANCE, align, crop, to_crop
from realtime_unmask.faces.landmarker import Landmarker
from realtime_unmask.types import Alignment, UInt8
from training.shards import CLIPS, CROP, MARGIN, MAX_SHARD_BYTES, STORED, Faces, save_shard

SUFFIXES = (".webp", ".jpg", ".jpeg", ".png", ".bmp")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
CLIP_SECONDS = 2
# Variance of the Laplacian over the eyes and nose of the crop, below which a face is a smear.
MIN_SHARPNESS = 6.0
MIN_EYE_DISTANCE_PX = 22.0

# Name, picture (None where it cannot be read) and labels.
_Read = tuple[str, UInt8 | None, dict[str, str]]


@dataclass(slots=True)
class Counts:
    """What became of the pictures."""

    kept: int = 0
    excluded: int = 0
    unreadable: int = 0
    no_face: int = 0
    several_faces: int = 0
    too_small: int = 0
    blurred: int = 0


@dataclass(slots=True)
class _Row:
    coded: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    corners: NDArray[np.float32]
    split: str
    set: str
    origin: str
    name: str


def prepare(inputs: list[Path], out: Path, exclude: Path | None = None) -> Counts:
    """Read every picture, write shards into `out`.

    Args:
        exclude: names to leave out, one a line, since a mask or a hand is before the face; as
            `pictures` gives them, or without their folders.

    Raises:
        ValueError: no picture with a usable face was found, or `out` holds shards already.
        FileNotFoundError: there is no file `exclude`.
    """
    excluded = set(exclude.read_text().splitlines()) if exclude else set()
    out.mkdir(parents=True, exist_ok=True)
    if any(out.glob("*.npz")):
        raise ValueError(f"{out} holds prepared faces already. Remove them or choose another -o.")
    counts = Counts()
    rows: list[_Row] = []
    number, weight = 0, 0
    with Landmarker("full_range", max_faces=2) as wide, Landmarker("short_range") as near:
        for name, image, labels in _told_apart(chain(pictures(inputs), _clips(inputs))):
            if {name, _base(name)} & excluded:
                counts.excluded += 1
                continue
            row = _prepare_one(name, image, labels, (wide, near), counts)
            if row is None:
                continue
            rows.append(row)
            weight += len(row.coded) + 4 * row.landmarks.size // 2
            if weight > MAX_SHARD_BYTES:
                _flush(out, number, rows)
                rows, weight, number = [], 0, number + 1
                print(f"shard {number}: {counts}", flush=True)
    if counts.kept == 0:
        places = ", ".join(str(p) for p in inputs)
        raise ValueError(f"No usable face was found in {places} ({counts}).")
    if rows:
        _flush(out, number, rows)
    return counts


def _prepare_one(
    name: str,
    image: UInt8 | None,
    labels: dict[str, str],
    landmarkers: tuple[Landmarker, Landmarker],
    counts: Counts,
) -> _Row | None:
    if image is None:
        counts.unreadable += 1
        return None
    meshes = landmarkers[0].detect(image) or landmarkers[1].detect(image)
    if not meshes:
        counts.no_face += 1
        return None
    if len(meshes) > 1 and _span(meshes[1]) > 0.5 * _span(meshes[0]):
        counts.several_faces += 1
        return None
    mesh = meshes[0]
    base = align(mesh, CROP)
    if EYE_DISTANCE * CROP / base.scale < MIN_EYE_DISTANCE_PX:
        counts.too_small += 1
        return None
    alignment = Alignment(base.matrix + np.array([[0, 0, MARGIN], [0, 0, MARGIN]]), STORED)
    pixels = crop(image, alignment)
    if _sharpness(pixels) < MIN_SHARPNESS:
        counts.blurred += 1
        return None
    coded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 93]
    )[1]
    counts.kept += 1
    return _Row(
        coded.ravel(),
        to_crop(mesh, alignment),
        corners(image, alignment),
        labels["split"],
        labels["set"],
        labels["origin"],
        name,
    )


def corners(image: UInt8, alignment: Alignment) -> NDArray[np.float32]:
    """(4, 2) a picture's corners in crop px; a pixel reaches half a pixel around its place."""
    height, width = image.shape[:2]
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    return to_crop(ends - np.float32(0.5), alignment)


def _span(mesh: NDArray[np.float32]) -> float:
    return float(np.ptp(mesh[:, 0]))


def _sharpness(pixels: NDArray[np.uint8]) -> float:
    upper = cv2.cvtColor(pixels[90:190, 70:234], cv2.COLOR_RGB2GRAY)
    upper = cv2.resize(upper, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(upper, cv2.CV_32F).var())


def _flush(out: Path, number: int, rows: list[_Row]) -> None:
    text = {
        name: np.array([getattr(r, name) for r in rows])
        for name in ("split", "set", "origin", "name")
    }
    save_shard(
        out / f"faces-{number:03d}.npz",
        Faces(
            [r.coded for r in rows],
            np.stack([r.landmarks for r in rows]),
            np.stack([r.corners for r in rows]),
            **text,
        ),
    )


def _told_apart(read: Iterator[_Read]) -> Iterator[_Read]:
    """Namesakes of several inputs under names of their own: a name stands for a person."""
    read, again = tee(read)
    names = numbered(name for name, _, _ in again)
    for name, (_, image, labels) in zip(names, read, strict=True):
        yield name, image, labels


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Names that tell namesakes apart: a.webp, a__1.webp, a__2.webp; tars may hold such."""
    seen: Counter[str] = Counter()
    for name in names:
        path = PurePosixPath(name)
        yield str(path.with_stem(f"{path.stem}__{seen[name]}")) if seen[name] else name
        seen[name] += 1


def pictures(inputs: list[Path]) -> Iterator[_Read]:
    """Every picture in tars and folders; its name is its path in there."""
    for place in (p for p in inputs if p.suffix.lower() not in VIDEOS):
        folder = place if place.is_dir() else place.parent
        table = _labels(folder / "faces.csv")
        if place.is_dir() and not any(place.glob("*.tar")):
            for path in sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES):
                name = path.relative_to(place).as_posix()
                yield name, _decoded(path.read_bytes()), _label(table, name)
            continue
        for tar in sorted(place.glob("*.tar")) if place.is_dir() else [place]:
            with tarfile.open(tar) as archive:
                for member in archive:
                    handle = archive.extractfile(member) if member.isfile() else None
                    if handle and Path(member.name).suffix.lower() in SUFFIXES:
                        name = str(PurePosixPath(member.name))  # without a "./" before it
                        yield name, _decoded(handle.read()), _label(table, name)


def _decoded(data: bytes) -> UInt8 | None:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _clips(inputs: list[Path]) -> Iterator[_Read]:
    """A picture every two seconds of each video: one person in several pictures."""
    for place in inputs:
        here = sorted(place.iterdir()) if place.is_dir() else [place]
        for path in (p for p in here if p.suffix.lower() in VIDEOS):
            due = Fraction(0)
            with VideoSource(path) as video:
                for frame in video:
                    if frame.pts is not None and frame.pts >= due:
                        due = frame.pts + CLIP_SECONDS
                        origin = f"{path.stem}_{float(frame.pts):05.1f}"
                        labels = {"split": "train", "set": CLIPS, "origin": origin}
                        yield origin, frame.image, labels


def _labels(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(newline="") as handle:
        return {row["file"]: row for row in csv.DictReader(handle)}


def _base(name: str) -> str:
    """A picture's name without its folders."""
    return PurePosixPath(name).name


def _label(table: dict[str, dict[str, str]], name: str) -> dict[str, str]:
    row = table.get(name) or table.get(_base(name))
    if row is not None:
        return row
    held = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 == 0
    return {"split": "val" if held else "train", "set": "folder", "origin": name}
