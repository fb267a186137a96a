"""harvest: photographs of people in masks, with checked outlines -> labelled crops and textures.

The verdicts (real_masks.json) are text: per photograph (see `numbered`) a list of faces, each with
the place of its eyes and either the outline of its mask in the photograph's own pixels, with where
that comes from ("network", "graph cut", "hand", or "bare" where no mask is worn), or why it is of
no use. They were made from the map network's answers and from graph cuts, looked at one by one,
and drawn by hand where no proposal fitted. Ear loops and bands ("straps") are lines with a width,
drawn by hand and moved onto the strap by its contrast; on the sides of the upright crop that
"straps_known" names there are no others. A quarter of the photographs is kept for scoring: those
are refused here by the digest of their names.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, tee
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import EYE_DISTANCE, crop, to_crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.types import Float32, UInt8
from training.labelled import CODES, FULL, STRAP, UNKNOWN
from training.masks.pasted import yaw
from training.prepare import coded, corners, digest, numbered, pictures, stored_alignment
from training.shards import CROP, STORED, Faces, packed

VERDICTS = Path(__file__).with_suffix(".json")
MASKED = "masked"
# One in so many photographs is kept for scoring.
SCORING_SHARE = 4
# A detected face is the one of a verdict when its eyes are this near, in eye distances.
SAME_FACE = 0.35
# Close-ups are found when there is something around them.
PADDING = (0.0, 0.25, 0.6, 1.6)
# What a mask needs to be cut out and worn by others.
TEXTURE_EYE_PX = 40.0
TEXTURE_YAW = 0.75
TEXTURE_SHARPNESS = 12.0
# So near an outlined strap there is no other, px of the stored crop.
STRAP_ALONE_PX = 5
# So near its ends it may go on.
STRAP_END_PX = 7


def for_scoring(name: str) -> bool:
    """Whether a photograph of ../shared/data/masked is kept for scoring.

    Namesakes (`numbered`, or in other folders) go together.
    """
    return _digest(name) % SCORING_SHARE == 0


def harvest(place: Path, out: Path, verdicts: Path = VERDICTS) -> Counter[str]:
    """Read the photographs of a tar or folder for which there are verdicts, write one file.

    Returns:
        How many faces were labelled, by the source of the label, and what was left out and why.

    Raises:
        ValueError: none of the photographs has a verdict, or the verdicts cannot be read.
    """
    judged = _read(verdicts)
    counts: Counter[str] = Counter()
    rows: list[_Row] = []
    with Detector() as detector:
        for name, image in named(place):
            if for_scoring(name):
                counts["kept for scoring"] += 1
            elif name not in judged:
                counts["no verdict"] += 1
            elif image is None:
                counts["unreadable"] += 1
            else:
                rows += _faces(name, image, judged[name], detector, counts)
    if not rows:
        raise ValueError(f"No photo of {place} has an outline in {verdicts} ({dict(counts)}).")
    _save(out, rows)
    return counts


@dataclass(slots=True)
class _Row:
    coded: NDArray[np.uint8]
    map: NDArray[np.uint8]
    landmarks: Float32
    corners: Float32
    name: str
    source: str
    texture: bool


def named(place: Path) -> Iterator[tuple[str, UInt8 | None]]:
    """The photographs, None for one that cannot be read; verdicts name them without folders."""
    found, again = tee(pictures([place]))
    names = numbered(Path(name).name for name, _, _ in again)
    for name, (_, image, _) in zip(names, found, strict=True):
        yield name, image


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        judged: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"The verdicts {path} cannot be read ({error}).") from error
    for name, faces in judged.items():
        for face in faces:
            check_straps(face.get("straps", []), f"{path}, {name}")
            if not set(face.get("straps_known", [])) <= {"left", "right"}:
                raise ValueError(f'{path}, {name}: "straps_known" may name "left" and "right".')
    return judged


def check_straps(straps: Any, where: str) -> None:
    """Refuse what is no list of straps, each [width, x, y, x, y, ...].

    Raises:
        ValueError: which strap of `where` is wrong.
    """
    for number, strap in enumerate(straps, 1):
        numbers = isinstance(strap, list) and all(isinstance(v, int | float) for v in strap)
        if not numbers or len(strap) < 5 or len(strap) % 2 == 0 or strap[0] <= 0:
            raise ValueError(f"{where}: strap {number} is not [width, x, y, x, y, ...].")


def _faces(
    name: str,
    image: UInt8,
    verdicts: list[dict[str, Any]],
    detector: Detector,
    counts: Counter[str],
) -> Iterator[_Row]:
    waiting = []
    for verdict in verdicts:
        if "refused" in verdict:
            counts[f"refused: {verdict['refused']}"] += 1
        else:
            waiting.append(verdict)
    for share in PADDING:
        if not waiting:
            return
        for mesh in _look(image, detector, share):
            for verdict in [v for v in waiting if _is_it(mesh, v["eyes"])]:
                waiting.remove(verdict)
                counts[verdict["from"]] += 1
                yield _row(name, image, mesh, verdict)
    if waiting:
        counts["face not found again"] += len(waiting)


def _look(image: UInt8, detector: Detector, share: float) -> list[Float32]:
    if share == 0:
        return detector.find_all(image)
    edge = int(share * max(image.shape[:2]))
    grey = (127, 127, 127)
    wide = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=grey)
    move = np.array([edge, edge, 0], np.float32)
    return [mesh - move for mesh in detector.find(wide.astype(np.uint8), 4)]


def _is_it(mesh: Float32, eyes: list[float]) -> bool:
    """Whether a mesh has its outer eye corners at x y x y."""
    corners = mesh[[33, 263], :2]
    wanted = np.array(eyes, np.float32).reshape(2, 2)
    wide = float(np.linalg.norm(wanted[1] - wanted[0]))
    return bool(np.linalg.norm(corners - wanted, axis=1).max() < SAME_FACE * max(wide, 1.0))


def _row(name: str, image: UInt8, mesh: Float32, verdict: dict[str, Any]) -> _Row:
    alignment = stored_alignment(mesh)
    pixels = crop(image, alignment)
    landmarks = to_crop(mesh, alignment)
    rings = [
        to_crop(np.array(ring, np.float32).reshape(-1, 2), alignment) for ring in verdict["mask"]
    ]
    straps = [
        (width * alignment.scale, to_crop(np.array(line, np.float32).reshape(-1, 2), alignment))
        for width, *line in verdict.get("straps", [])
    ]
    plane = coded_map(rings, landmarks, straps, verdict.get("straps_known", []))
    marked = (plane > FULL // 2) & (plane != UNKNOWN) & (plane != STRAP)
    texture = bool(
        rings
        and verdict.get("texture", True)
        and EYE_DISTANCE * CROP / alignment.scale >= TEXTURE_EYE_PX
        and abs(yaw(landmarks)) <= TEXTURE_YAW
        and _sharpness(pixels, marked) >= TEXTURE_SHARPNESS
    )
    return _Row(
        coded(pixels), cv2.imencode(".png", plane)[1].ravel(), landmarks,
        corners(image, alignment), name, verdict["from"], texture,
    )  # fmt: skip


def coded_map(
    rings: list[Float32],
    mesh: Float32,
    straps: Sequence[tuple[float, Float32]] = (),
    known: Collection[str] = (),
) -> NDArray[np.uint8]:
    """Outlines -> a stored map, (STORED, STORED) uint8.

    0 to FULL, STRAP, or UNKNOWN at a strap's rim and where other straps may run.

    Args:
        rings: outlines (n, 2), px of the stored crop; a ring inside another is a hole.
        mesh: (478, 2), px of the stored crop.
        straps: each its width and its middle line (n, 2), px of the stored crop.
        known: sides of the crop ("left", "right") on which there are no other straps.
    """
    if not rings:
        return np.zeros((STORED, STORED), np.uint8)
    big = _big()
    cv2.fillPoly(big, [_doubled(ring) for ring in rings], FULL, shift=4)  # even-odd makes holes
    cloth = _softened(big)
    big = _big()
    for width, line in straps:
        _draw(big, width, line)
    lines = _softened(big)
    strap = lines > FULL // 2
    unknown = _grown(lines, 1) > 0
    unknown |= _others(_strap_zone(np.concatenate(rings), mesh), lines, mesh, known)
    unknown |= _ends([line for _, line in straps])
    coded = np.where(strap, np.uint8(STRAP), np.where(unknown, np.uint8(UNKNOWN), 0))
    # Where a strap leaves the mask there is no gap of half a mask.
    return np.where((cloth > 0) & ~(strap & (cloth <= FULL // 2)), cloth, coded).astype(np.uint8)


def _others(
    zone: NDArray[np.bool_], lines: NDArray[np.uint8], mesh: Float32, known: Collection[str]
) -> NDArray[np.bool_]:
    """Where in the zone of straps others than the outlined ones may run."""
    unknown = np.asarray(zone & (_grown(lines, STRAP_ALONE_PX) == 0), bool)
    middle = round(float(mesh[168, 0]))
    unknown[:, :middle] &= "left" not in known
    unknown[:, middle:] &= "right" not in known
    return unknown


def _ends(lines: list[Float32]) -> NDArray[np.bool_]:
    """About the ends of straps: nobody can tell to the pixel where they go behind hair or ears."""
    plane = np.zeros((STORED, STORED), np.uint8)
    for line in lines:
        for x, y in np.round(line[[0, -1]]).astype(int).tolist():
            cv2.circle(plane, (x, y), STRAP_END_PX, 1, cv2.FILLED)
    return plane > 0


def _big() -> NDArray[np.uint8]:
    """A plane twice the size of a stored one, to be drawn on."""
    return np.zeros((2 * STORED, 2 * STORED), np.uint8)


def _softened(big: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(STORED, STORED) uint8: 0 to FULL, what was drawn, as soft as in a photograph."""
    soft = cv2.GaussianBlur(big, (0, 0), 1.0)
    plane = cv2.resize(soft, (STORED, STORED), interpolation=cv2.INTER_AREA)
    return np.minimum(plane, FULL).astype(np.uint8)


def _doubled(line: Float32) -> NDArray[np.int32]:
    """Px of the stored crop -> of a plane twice the size, in sixteenths as cv2 wants them."""
    return np.round((2 * line + 0.5) * 16).astype(np.int32)


def _draw(big: NDArray[np.uint8], width: float, line: Float32) -> None:
    """Draw a strap, straight from point to point and round where it bends."""
    for start, end in pairwise(line):
        along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
        across = np.array([-along[1], along[0]], np.float32) * np.float32(width / 2)
        corners = np.stack([start + across, end + across, end - across, start - across])
        cv2.fillConvexPoly(big, _doubled(corners), FULL, shift=4)
    for x, y in _doubled(line[1:-1]).tolist():
        cv2.circle(big, (x, y), round(16 * width), FULL, cv2.FILLED, shift=4)


def _grown(plane: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    return cv2.dilate(plane, np.ones((2 * by + 1, 2 * by + 1), np.uint8)).astype(np.uint8)


def _strap_zone(outline: Float32, mesh: Float32) -> NDArray[np.bool_]:
    """Where ear loops and bands may be: between the mask's sides and a strip about the ears."""
    plane = np.zeros((STORED, STORED), np.uint8)
    across = (mesh[454] - mesh[234]) * 0.14
    left, right = outline[:, 0].min(), outline[:, 0].max()
    for ear, out, near in (
        ((127, 234, 93, 132, 58), -across, outline[:, 0] < left + 0.12 * (right - left)),
        ((356, 454, 323, 361, 288), across, outline[:, 0] > right - 0.12 * (right - left)),
    ):
        strip = mesh[list(ear)]
        around = np.concatenate([strip - 0.3 * out, strip + out, outline[near]])
        cv2.fillConvexPoly(plane, cv2.convexHull(np.round(around).astype(np.int32)), 1)
    return plane.astype(bool)


def _sharpness(pixels: UInt8, marked: NDArray[np.bool_]) -> float:
    """Variance of the Laplacian over the rim of the mask, where plain cloth has detail too."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    rim = cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8))
    detail = cv2.Laplacian(grey, cv2.CV_32F)[rim > 0]
    return float(detail.var()) if detail.size else 0.0


def _save(path: Path, rows: list[_Row]) -> None:
    names = np.array([r.name for r in rows])
    faces = Faces(
        [r.coded for r in rows],
        np.stack([r.landmarks for r in rows]),
        np.stack([r.corners for r in rows]),
        np.full(len(rows), "train"),
        np.full(len(rows), MASKED),
        np.array([r.source for r in rows]),
        names,
    )
    arrays = packed(faces) | {
        "maps": np.concatenate([r.map for r in rows]),
        "map_offsets": np.cumsum([0] + [len(r.map) for r in rows]),
        "texture": np.array([r.texture for r in rows]),
        "codes": np.array(CODES),
    }
    partial = path.with_name("partial." + path.name)
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def _digest(name: str) -> int:
    return digest(re.sub(r"__\d+(?=\.\w+$)", "", Path(name).name))
