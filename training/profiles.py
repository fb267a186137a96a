"""profiles: training faces turned further than their photographs show them -> more shards.

Portraits look into the camera, people before a webcam do not always. A head is turned about its
upright axis by the depth of its mesh, as in Zhu et al. 2016 ("Face alignment across large poses",
face profiling) by that of a fitted model. From far away a turn moves every point along its own row
of the picture, so what hides what is settled row by row, and no triangles are drawn. Outside of
the mesh the movement fades: the background stays where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces import alignment as aligned
from realtime_unmask.faces.alignment import EYE_CENTRE, EYE_DISTANCE, align, crop, to_crop, to_solid
from realtime_unmask.faces.landmarker import Landmarker
from realtime_unmask.faces.warp import thin_plate
from realtime_unmask.types import Alignment, Float32, UInt8
from training import data, prepare
from training.prepare import Row
from training.shards import PROFILE, Faces, load_shards

# The files that are written lie after those of `prepare`: the faces before keep their numbers.
STEM = "faces-profiles"
SEED = 7
# A head is turned by so much, and so far in all, degrees; one that looks into the camera by less
# than STRAIGHT goes either way.
ADDED, FURTHEST, STRAIGHT = (10.0, 36.0), 60.0, 4.0
# So far the landmarker may see the turned points from where they were brought, on the average, in
# distances of the eyes.
ASTRAY = 0.15
# So near lie the points of a picture that was prepared, seen again, px of the stored crop.
SAME_PX = 1.0
TURNED = "turned"
# The picture in which heads are turned: its side and the distance of the outer eye corners, px.
SIDE, EYES = 704, 138
# The mesh's last ten points are the irises.
SKIN_POINTS = 468
# Points of the mesh before the ears: between them, and so far behind them, in distances of the
# eyes, runs the axis.
BESIDE = [234, 454]
AXIS_BEHIND = 0.15
# The movement fades over so much around the mesh, and towards the picture's ends, which stay in
# place; in distances of the eyes.
FADES = 1.5
END_FADES = 0.4
# Of the plate through the mesh's depths: coarser or stiffer, and noses would lose their tips.
GRID, STIFFNESS = 81, 1e-4

Plane = NDArray[np.float32]


class Profile(NamedTuple):
    """A turned head.

    Attributes:
        image: (SIDE, SIDE, 3) uint8 RGB.
        points: (SKIN_POINTS, 2) px, where those of the mesh were brought.
        corners: (4, 2) px, of the photograph.
    """

    image: UInt8
    points: Float32
    corners: Float32


def add(inputs: list[Path], folder: Path, share: float) -> Counter[str]:
    """Write turned copies of `share` of the faces in `folder` that may be trained on beside them.

    Args:
        inputs: the tars, folders and videos from which `folder` was prepared.

    Returns:
        What became of them.

    Raises:
        FileNotFoundError: `folder` holds no prepared faces, or an input is not there.
        ValueError: it holds profiles already, or nothing could be turned.
    """
    for place in inputs:
        if not place.exists():
            raise FileNotFoundError(f"There is no {place}.")
    faces = data.training_faces(load_shards(folder))
    if any(folder.glob(f"{STEM}-*.npz")):
        raise ValueError(
            f"{folder} holds profiles already, all or a part of them. Remove its {STEM}-*.npz to "
            "make them anew."
        )
    counts: Counter[str] = Counter()
    rows = _copies(inputs, faces, share, counts)
    prepare.write_shards(rows, folder, STEM, lambda: _told(counts))
    if not counts:
        places = ", ".join(str(place) for place in inputs)
        raise ValueError(
            f"None of the faces in {folder} was tried: give what they were prepared from (is it "
            f"{places}?), or a larger --share."
        )
    if not counts[TURNED]:
        raise ValueError(f"None of the faces in {folder} could be turned ({_told(counts)}).")
    return counts


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())


def _copies(
    inputs: list[Path], faces: Faces, share: float, counts: Counter[str]
) -> Iterator[Row]:
    numbers = {name: number for number, name in enumerate(faces.name.tolist())}
    with Landmarker("full_range") as wide, Landmarker("short_range") as near:
        for name, image, _ in prepare.everything(inputs):
            rng = np.random.default_rng([SEED, prepare.digest(name) % 2**32])
            if image is None or name not in numbers or rng.random() >= share:
                continue
            number = numbers[name]
            found = wide.detect(image) or near.detect(image)
            if not found or not _same(found[0], faces.landmarks[number]):
                counts["not the pictures that were prepared"] += 1
                continue
            angle = _angle(found[0], rng)
            if not angle:
                counts["turned far by themselves"] += 1
                continue
            turned = profile(image, found[0], angle)
            seen = near.detect(turned.image) if turned else []
            if turned is None:
                counts["too close to an end of their picture"] += 1
            elif not seen or _astray(seen[0], turned.points) > ASTRAY:
                counts["no face any more"] += 1
            else:
                counts[TURNED] += 1
                yield _row(turned, seen[0], faces, number)


def _same(mesh: Float32, stored: Float32) -> bool:
    """Whether a mesh, (478, 3) frame px, is the one that was prepared, (478, 2) crop px."""
    here = to_crop(mesh, prepare.stored_alignment(mesh))
    return float(np.linalg.norm(here - stored, axis=1).mean()) < SAME_PX


def _row(turned: Profile, mesh: Float32, faces: Faces, number: int) -> Row:
    place = prepare.stored_alignment(mesh)
    return Row(
        prepare.coded(crop(turned.image, place)),
        to_crop(mesh, place),
        to_crop(turned.corners, place),
        str(faces.split[number]),
        str(faces.set[number]),
        str(faces.origin[number]),
        PROFILE + str(faces.name[number]),
    )


def _angle(mesh: Float32, rng: np.random.Generator) -> float:
    """By how much to turn a head further, radians; 0 where it is turned far enough."""
    now = np.degrees(facing(mesh))
    side = np.sign(now) if abs(now) > STRAIGHT else rng.choice((-1.0, 1.0))
    room = FURTHEST - abs(now)
    return float(side * np.radians(min(rng.uniform(*ADDED), room))) if room > ADDED[0] else 0.0


def _astray(mesh: Float32, points: Float32) -> float:
    away = np.linalg.norm(mesh[:SKIN_POINTS, :2] - points, axis=1)
    return float(away.mean() / EYES)


def facing(mesh: Float32) -> float:
    """How far a head, (478, 3) px, is turned, radians; positive to the picture's right."""
    _, rotation, _ = aligned.rigid_fit(aligned.REFERENCE, mesh[aligned.POINTS])
    return float(np.arctan2(-rotation[0, 2], rotation[2, 2]))


def profile(image: UInt8, mesh: Float32, angle: float) -> Profile | None:
    """The head of a photograph turned by `angle`, in radians, positive to the picture's right.

    Args:
        image: (H, W, 3) uint8 RGB.
        mesh: (478, 3) frame px.

    Returns:
        None where the face is too close to an end of its picture.

    Raises:
        ValueError: the mesh is degenerate.
    """
    alignment = _upright(mesh)
    corners = prepare.corners(image, alignment)
    solid = to_solid(mesh, alignment)[:SKIN_POINTS]
    hold = _room(corners)
    column, row = np.round(solid[:, :2].clip(0, SIDE - 1)).astype(np.intp).T
    if hold[row, column].min() < 1:
        return None
    moves = _moves(solid, angle)
    movement = _spread(solid, moves) * hold
    points = solid[:, :2] + np.stack([moves, np.zeros_like(moves)], 1)
    return Profile(_along_rows(crop(image, alignment), movement, angle > 0), points, corners)


def _upright(mesh: Float32) -> Alignment:
    """Frame px -> the working picture."""
    zoom = EYES / (EYE_DISTANCE * SIDE)
    base = align(mesh, SIDE).matrix * zoom
    base[:, 2] += (1 - zoom) * SIDE * np.array(EYE_CENTRE)
    return Alignment(base, SIDE)


def _moves(solid: Float32, angle: float) -> Float32:
    """(n,) by how many px each point of the head, (n, 3), moves to the right."""
    x, depth = solid[:, 0], solid[:, 2]
    axis_x, axis_depth = solid[BESIDE, 0].mean(), solid[BESIDE, 2].mean() + AXIS_BEHIND * EYES
    moves = (x - axis_x) * (np.cos(angle) - 1) + (axis_depth - depth) * np.sin(angle)
    return np.asarray(moves, np.float32)


def _spread(solid: Float32, moves: Float32) -> Plane:
    """(SIDE, SIDE) the same for each pixel."""
    both = np.stack([moves, np.zeros_like(moves)], 1)
    plane, _ = thin_plate(solid[:, :2], both, SIDE, GRID, STIFFNESS)
    face = np.ones((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(solid[:, :2]).astype(np.int32)), 0)
    away = cv2.distanceTransform(face, cv2.DIST_L2, 5) / np.float32(FADES * EYES)
    return plane.clip(moves.min(), moves.max()) * _smooth(1 - away)


def _room(corners: Float32) -> Plane:
    """(SIDE, SIDE) 1 well inside the photograph, 0 at its left and right end and beyond."""
    known = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(known, np.round(corners.clip(-4000, 4000)).astype(np.int32), 1)
    first = known.argmax(1)[:, None]
    last = SIDE - 1 - known[:, ::-1].argmax(1)[:, None]
    column = np.arange(SIDE)
    # What a working picture cuts off has no end there.
    left = np.where(first > 0, column - first, SIDE)
    right = np.where(last < SIDE - 1, last - column, SIDE)
    room = np.minimum(left, right) * known.any(1, keepdims=True)
    return _smooth((room / (END_FADES * EYES)).astype(np.float32))


def _smooth(share: Plane) -> Plane:
    share = share.clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _along_rows(image: UInt8, movement: Plane, rightwards: bool) -> UInt8:
    """Each pixel moved along its row; what is nearer hides what it comes to lie upon."""
    if not rightwards:
        return _along_rows(image[:, ::-1], -movement[:, ::-1], True)[:, ::-1]
    columns = np.arange(SIDE, dtype=np.float32)
    # From the side that comes to the front to the one that goes behind: what falls back behind
    # what came before is hidden by it.
    places = np.maximum.accumulate(columns + movement, axis=1)
    source = np.empty((SIDE, SIDE), np.float32)
    for row, place in zip(source, places, strict=True):
        seen = np.append(True, np.diff(place) > 1e-3)
        row[:] = np.interp(columns, place[seen], columns[seen])
    rows = np.broadcast_to(columns[:, None], (SIDE, SIDE))
    moved = cv2.remap(
        np.ascontiguousarray(image), source, np.ascontiguousarray(rows), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return moved.astype(np.uint8, copy=False)
