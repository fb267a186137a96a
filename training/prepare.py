"""prepare: tars, folders and videos of faces -> shards of aligned crops with their landmarks.

The one step that needs mediapipe. A folder or tar may have a faces.csv beside it (columns file,
split, set, origin); without one, every twentieth file by digest is kept for validation. A file that
cannot be read is counted, and the others are read all the same.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import chain, tee
from lzma import LZMAError
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import MediaError
from realtime_unmask.faces.alignment import EYE_DISTANCE, align, crop, to_crop
from realtime_unmask.faces.landmarker import Landmarker
from realtime_unmask.types import Alignment, Float32, UInt8
from training import files
from training.shards import (
    CLIPS,
    CROP,
    MARGIN,
    MAX_SHARD_BYTES,
    STORED,
    UNFINISHED,
    Faces,
    save_shard,
)

SUFFIXES = (".webp", ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
TAR = ".tar"
TABLE = "faces.csv"
SPLITS = ("train", "val")
CLIP_SECONDS = 2
# Variance of the Laplacian over the eyes and nose of the crop, below which a face is a smear.
MIN_SHARPNESS = 6.0
MIN_EYE_DISTANCE_PX = 22.0

# Name, picture (None where it cannot be read) and labels.
_Read = tuple[str, UInt8 | None, dict[str, str]]


@dataclass(slots=True)
class Counts:
    """What became of the files; `passed_over` are those of another kind, `val` are of the kept."""

    kept: int = 0
    val: int = 0
    excluded: int = 0
    passed_over: int = 0
    unreadable: int = 0
    no_face: int = 0
    several_faces: int = 0
    too_small: int = 0
    blurred: int = 0

    def __str__(self) -> str:
        rest = {
            name.replace("_", " "): count
            for name, count in asdict(self).items() if count and name not in ("kept", "val")
        }  # fmt: skip
        said = [f"{self.kept} faces kept, {self.val} of them for validation"]
        return "; ".join([*said, *(f"{count} {name}" for name, count in rest.items())])


@dataclass(slots=True)
class Row:
    """One face of a shard."""

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
        ValueError: no picture with a usable face was found, `out` holds shards already, or
            `exclude` or a faces.csv is damaged.
        FileNotFoundError: one of the inputs or the file `exclude` is not there.
    """
    for place in inputs:
        if not place.exists():
            raise FileNotFoundError(f"There is no {place}.")
    excluded = set(files.lines(exclude)) if exclude else set()
    out.mkdir(parents=True, exist_ok=True)
    if any(out.glob("*.npz")):
        raise ValueError(f"{out} holds prepared faces already. Remove them or choose another -o.")
    counts = Counts()
    (out / UNFINISHED).touch()
    write_shards(_prepared(inputs, excluded, counts), out, "faces", counts.__str__)
    (out / UNFINISHED).unlink()
    if counts.kept == 0:
        places = ", ".join(str(p) for p in inputs)
        raise ValueError(f"No usable face was found in {places} ({counts}).")
    return counts


def write_shards(
    rows: Iterable[Row], out: Path, stem: str, told: Callable[[], str]
) -> None:
    """Write the faces into files of at most MAX_SHARD_BYTES, STEM-000.npz and so on.

    Args:
        told: what became of the pictures so far, to be printed with each.
    """
    held: list[Row] = []
    number, weight = 0, 0
    try:
        for row in rows:
            held.append(row)
            weight += len(row.coded) + 4 * row.landmarks.size // 2
            if weight > MAX_SHARD_BYTES:
                _flush(out / f"{stem}-{number:03d}.npz", held)
                held, weight, number = [], 0, number + 1
                print(f"shard {number}: {told()}", flush=True)
    finally:  # also after Ctrl-C: it may have taken long
        if held:
            _flush(out / f"{stem}-{number:03d}.npz", held)


def _prepared(inputs: list[Path], excluded: set[str], counts: Counts) -> Iterator[Row]:
    with Landmarker("full_range", max_faces=2) as wide, Landmarker("short_range") as near:
        for name, image, labels in everything(inputs):
            if {name, _base(name)} & excluded:
                counts.excluded += 1
                continue
            row = _prepare_one(name, image, labels, (wide, near), counts)
            if row is not None:
                yield row


def _prepare_one(
    name: str,
    image: UInt8 | None,
    labels: dict[str, str],
    landmarkers: tuple[Landmarker, Landmarker],
    counts: Counts,
) -> Row | None:
    if image is None:
        if _is(name, *SUFFIXES, *VIDEOS, TAR):
            counts.unreadable += 1
        else:
            counts.passed_over += 1
        return None
    meshes = landmarkers[0].detect(image) or landmarkers[1].detect(image)
    if not meshes:
        counts.no_face += 1
        return None
    if len(meshes) > 1 and _span(meshes[1]) > 0.5 * _span(meshes[0]):
        counts.several_faces += 1
        return None
    mesh = meshes[0]
    alignment = stored_alignment(mesh)
    if EYE_DISTANCE * CROP / alignment.scale < MIN_EYE_DISTANCE_PX:
        counts.too_small += 1
        return None
    pixels = crop(image, alignment)
    if _sharpness(pixels) < MIN_SHARPNESS:
        counts.blurred += 1
        return None
    counts.kept += 1
    counts.val += labels["split"] == "val"
    return Row(
        coded(pixels),
        to_crop(mesh, alignment),
        corners(image, alignment),
        labels["split"],
        labels["set"],
        labels["origin"],
        name,
    )


def stored_alignment(mesh: Float32) -> Alignment:
    """Frame px -> px of the stored crop: the run-time's alignment and a margin around it.

    Raises:
        ValueError: the mesh is degenerate.
    """
    base = align(mesh, CROP)
    return Alignment(base.matrix + np.array([[0, 0, MARGIN], [0, 0, MARGIN]]), STORED)


def coded(pixels: UInt8) -> UInt8:
    """A crop, (STORED, STORED, 3) uint8 RGB, as a JPEG file, (n,) uint8."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 93])[1]
    return data.ravel().astype(np.uint8, copy=False)


def digest(name: str) -> int:
    """Of a file's name, which need not be UTF-8: what decides of its split."""
    return int(hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest(), 16)


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


def _flush(path: Path, rows: list[Row]) -> None:
    text = {
        name: np.array([getattr(r, name) for r in rows])
        for name in ("split", "set", "origin", "name")
    }
    save_shard(
        path,
        Faces(
            [r.coded for r in rows],
            np.stack([r.landmarks for r in rows]),
            np.stack([r.corners for r in rows]),
            **text,
        ),
    )


def everything(inputs: list[Path]) -> Iterator[_Read]:
    """What `prepare` reads, each under the name that it gives it."""
    return _told_apart(chain(_everything(inputs), _clips(inputs)))


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
    return (read for read in _everything(inputs) if _is(read[0], *SUFFIXES))


def _everything(inputs: list[Path]) -> Iterator[_Read]:
    """Pictures, and files of another kind as pictures that cannot be read; but no videos."""
    for place in (p for p in inputs if not _is(p.name, *VIDEOS)):
        folder = place if place.is_dir() else place.parent
        table = _labels(folder / TABLE)
        for path in _paths(place):
            name = path.relative_to(folder).as_posix()
            if _is(path.name, *SUFFIXES):
                yield name, _loaded(path), _label(table, name)
            elif path == place or (_is(path.name, TAR) and path.parent == place):
                yield from _in_tar(path, table)
            else:
                yield name, None, {}


def _paths(place: Path) -> Iterator[Path]:
    """A file itself, or the files of a folder, without those that are read elsewhere."""
    if not place.is_dir():
        yield place
        return
    for path in sorted(place.rglob("*")):
        elsewhere = path.name == TABLE or (_is(path.name, *VIDEOS) and path.parent == place)
        # A folder may have the name of a picture; that is said of it.
        if not elsewhere and (not path.is_dir() or _is(path.name, *SUFFIXES)):
            yield path


def _in_tar(tar: Path, table: dict[str, dict[str, str]]) -> Iterator[_Read]:
    """What is in a tar; at last the tar itself, if it breaks off."""
    try:
        with tarfile.open(tar) as archive:
            for member in archive:
                name = str(PurePosixPath(member.name))  # without a "./" before it
                if member.isfile() and _base(name) != TABLE:
                    handle = archive.extractfile(member) if _is(name, *SUFFIXES) else None
                    yield name, _decoded(handle.read()) if handle else None, _label(table, name)
    except (tarfile.TarError, OSError, EOFError, zlib.error, LZMAError):
        print(f"{tar} is no tar, or breaks off; what came before is kept.", file=sys.stderr)
        yield tar.name, None, {}


def _is(name: str, *suffixes: str) -> bool:
    return Path(name).suffix.lower() in suffixes


def _loaded(path: Path) -> UInt8 | None:
    try:
        return _decoded(path.read_bytes())
    except OSError:  # a link to nowhere, a folder
        return None


def _decoded(data: bytes) -> UInt8 | None:
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # it says that it is larger than OpenCV allows
        return None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _clips(inputs: list[Path]) -> Iterator[_Read]:
    """A picture every two seconds of each video: one person in several pictures."""
    here = chain(*(sorted(p.iterdir()) if p.is_dir() else [p] for p in inputs))
    videos = [path for path in here if path.suffix.lower() in VIDEOS]
    # Namesakes are other people.
    stems = numbered(f"{path.stem}.clip" for path in videos)
    for path, stem in zip(videos, (Path(name).stem for name in stems), strict=True):
        due = Fraction(0)
        try:
            with VideoSource(path) as video:
                for frame in video:
                    if frame.pts is not None and frame.pts >= due:
                        due = frame.pts + CLIP_SECONDS
                        origin = f"{stem}_{float(frame.pts):05.1f}"
                        labels = {"split": "train", "set": CLIPS, "origin": origin}
                        yield origin, frame.image, labels
        except MediaError as error:
            print(f"{error} What came before is kept.", file=sys.stderr)
            yield path.name, None, {}


def _labels(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    table = {row["file"]: row for row in files.rows(path, "file", "split", "set", "origin")}
    for name, row in table.items():
        if row["split"] not in SPLITS:
            raise ValueError(
                f"{path}: the split of {name} is '{row['split']}', and neither train nor val."
            )
    return table


def _base(name: str) -> str:
    """A picture's name without its folders."""
    return PurePosixPath(name).name


def _label(table: dict[str, dict[str, str]], name: str) -> dict[str, str]:
    row = table.get(name) or table.get(_base(name))
    if row is not None:
        return row
    split = "val" if digest(name) % 20 == 0 else "train"
    return {"split": split, "set": "folder", "origin": name}
