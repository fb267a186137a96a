"""Patterns: what each kind of mask looks like when it is cut, as a surface around the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.unseen import head
from training.unseen.head import Array

Kind = Literal["surgical", "cloth", "kn95", "n95", "duckbill", "bandana", "gaiter", "fashion"]
KINDS: tuple[Kind, ...] = (
    "surgical", "cloth", "kn95", "n95", "duckbill", "bandana", "gaiter", "fashion",
)  # fmt: skip
KIND_SHARES = (0.30, 0.2, 0.14, 0.08, 0.05, 0.06, 0.04, 0.13)

# Right half of each outline, from the nose to the chin: angle in degrees, y, 1 at a corner.
_OUTLINES: dict[Kind, list[tuple[float, float, int]]] = {
    "surgical": [(0, .16, 0), (12, .22, 0), (26, .38, 0), (42, .47, 0), (54, .52, 1),
                 (54, .75, 0), (51, .99, 1), (36, 1.17, 0), (16, 1.30, 0), (0, 1.33, 0)],
    "cloth": [(0, .14, 0), (11, .22, 0), (25, .41, 0), (42, .52, 0), (57, .57, 1),
              (58, .72, 0), (54, .89, 1), (38, 1.10, 0), (18, 1.29, 0), (0, 1.34, 0)],
    "kn95": [(0, .08, 0), (10, .22, 0), (23, .42, 0), (38, .56, 0), (49, .66, 1),
             (49, .78, 1), (37, 1.03, 0), (18, 1.28, 0), (0, 1.37, 0)],
    "n95": [(0, .08, 0), (12, .17, 0), (26, .34, 0), (37, .58, 0), (39, .82, 0),
            (32, 1.08, 0), (17, 1.27, 0), (0, 1.32, 0)],
    "duckbill": [(0, .12, 0), (14, .24, 0), (28, .44, 0), (45, .68, 1), (42, .82, 0),
                 (26, 1.12, 0), (0, 1.31, 0)],
    "bandana": [(0, .20, 0), (16, .31, 0), (38, .42, 0), (65, .40, 0), (100, .30, 1),
                (100, .75, 1), (66, 1.20, 0), (32, 1.62, 0), (0, 1.92, 0)],
    "gaiter": [(0, .20, 0), (16, .31, 0), (38, .44, 0), (65, .47, 0), (105, .45, 1),
               (105, 2.05, 1), (50, 2.07, 0), (0, 2.08, 0)],
    "fashion": [(0, .15, 0), (11, .22, 0), (25, .38, 0), (44, .51, 0), (61, .56, 1),
                (63, .67, 1), (52, .93, 0), (33, 1.18, 0), (14, 1.34, 0), (0, 1.37, 0)],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Strap:
    """A band over the skin.

    Attributes:
        points: (n, 3) canonical points along it.
        width: in outer-eye distances.
    """

    points: Array
    width: float


@dataclass(frozen=True, slots=True)
class Cut:
    """One mask, ready to be coloured and posed.

    Attributes:
        kind: what it is.
        part: the rows and columns of the surface's grid that hold it.
        inside: (h, w) distance to its edge, in outer-eye distances, negative outside.
        angle, y: (h, w) where each cell lies on the head.
        radius: (h, w) of its surface.
        crease: (h, w) 0..1, how deep a cell lies in a fold.
        straps: its bands.
    """

    kind: Kind
    part: tuple[slice, slice]
    inside: Array
    angle: Array
    y: Array
    radius: Array
    crease: Array
    straps: tuple[Strap, ...]


def cut(kind: Kind, rng: np.random.Generator, covering: bool) -> Cut:
    """Cut one mask.

    Args:
        covering: it covers nose to chin; else one in five leaves the nose or the chin free.
    """
    outline = _outline(kind, rng, covering)
    inside, part = _inside(outline)
    angle, y = (plane[part] for plane in head.grid())
    cloth = _taut(kind, rng)[part]
    lift, crease = _relief(kind, angle, y, inside, outline, rng)
    radius = cloth + lift * np.clip(inside / 0.12, 0, 1)
    return Cut(kind, part, inside, angle, y, radius, crease, _straps(kind, outline, rng))


def _outline(kind: Kind, rng: np.random.Generator, covering: bool) -> Array:
    """(n, 2) a closed curve of (angle, y)."""
    half = np.array(_OUTLINES[kind], np.float64)
    middle = 0.75
    half[:, 0] *= rng.uniform(0.9, 1.12)
    half[:, 1] = middle + (half[:, 1] - middle) * rng.uniform(0.94, 1.06)
    free = rng.random()
    if not covering and free < 0.12:  # the nose looks out
        half[:, 1] += rng.uniform(0.28, 0.42) * (half[:, 1] < 0.5)
    elif not covering and free < 0.2:  # too small for the chin
        half[:, 1] = 0.2 + (half[:, 1] - 0.2) * rng.uniform(0.72, 0.86)
    half[:, 1] += rng.normal(0, 0.02)
    sides = []
    for sign in (1, -1):
        side = half.copy()
        side[1:-1, :2] += rng.normal(0, (1.3, 0.014), (len(half) - 2, 2))
        side[:, 0] = np.radians(side[:, 0]) * sign
        sides.append(side)
    ring = np.concatenate([sides[0], sides[1][-2:0:-1]])
    tilt = rng.normal(0, 0.025)
    ring[:, 1] += tilt * ring[:, 0]
    if covering:
        chin = len(half) - 1
        ring[0, 1] = min(ring[0, 1], 0.26)
        ring[chin, 1] = max(ring[chin, 1], 1.29)
    return _smooth(ring)


def _smooth(ring: Array) -> Array:
    """A Catmull-Rom spline through the points, straight into the corners."""
    before, after, end = np.roll(ring, 1, 0), np.roll(ring, -1, 0), np.roll(ring, -2, 0)
    pieces = []
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    for p0, p1, p2, p3 in zip(before, ring, after, end, strict=True):
        a, b, c, d = p0[:2], p1[:2], p2[:2], p3[:2]
        enter = (c - b) if p1[2] else (c - a) / 2
        leave = (c - b) if p2[2] else (d - b) / 2
        pieces.append(
            (2 * t**3 - 3 * t**2 + 1) * b + (t**3 - 2 * t**2 + t) * enter
            + (3 * t**2 - 2 * t**3) * c + (t**3 - t**2) * leave
        )  # fmt: skip
    return np.concatenate(pieces)


def _inside(outline: Array) -> tuple[Array, tuple[slice, slice]]:
    """Signed distance to the edge, of the part of the grid around the mask."""
    column, row = head.cells(outline[:, 0], outline[:, 1])
    flat = np.zeros((head.ROWS, head.COLUMNS), np.uint8)
    points = np.round(np.stack([column, row], 1) * 16).astype(np.int32)
    cv2.fillPoly(flat, [points], 1, shift=4)
    x, y, width, height = cv2.boundingRect(flat)
    part = (
        slice(max(y - 6, 0), min(y + height + 6, head.ROWS)),
        slice(max(x - 6, 0), min(x + width + 6, head.COLUMNS)),
    )
    flat = flat[part]
    cell = (head.BOTTOM - head.TOP) / head.ROWS
    within = cv2.distanceTransform(np.pad(flat, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    without = cv2.distanceTransform(1 - flat, cv2.DIST_L2, 5)
    return (within - without).astype(np.float64) * cell, part


def _taut(kind: Kind, rng: np.random.Generator) -> Array:
    """(ROWS, COLUMNS) the radius of cloth drawn over the face: it bridges hollows."""
    skin = head.skin_radius().astype(np.float32)
    _, y = head.grid()
    if kind in ("bandana", "gaiter"):  # it hangs from the chin
        chin = skin[np.searchsorted(y[:, 0], 1.15)]
        share = np.clip((y - 1.15) / 0.95, 0, 1)
        fall = chin * (1 + (0.08 if kind == "bandana" else -0.28) * share)
        skin = np.where(y > 1.15, np.maximum(skin, fall), skin).astype(np.float32)
    reach = int(rng.uniform(9, 22))
    small = cv2.resize(skin, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach | 1, reach | 1))
    closed = cv2.GaussianBlur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, half), (0, 0), reach / 3)
    taut = cv2.resize(closed, (head.COLUMNS, head.ROWS), interpolation=cv2.INTER_LINEAR)
    gap = rng.uniform(0.01, 0.035)
    return np.asarray(np.maximum(taut, skin - 0.01) + gap, np.float64)


def _relief(
    kind: Kind, angle: Array, y: Array, inside: Array, outline: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """How far the cloth stands off, and where its folds are."""
    wide = np.abs(outline[:, 0]).max()
    lift, crease = np.zeros_like(angle), np.zeros_like(angle)
    if kind == "surgical":
        lift, crease = _pleats(angle, y, wide, rng)
        lift += rng.uniform(0.02, 0.1) * _mound(angle, y, 0.6, 0.35)
    elif kind == "cloth":
        lift = rng.uniform(0.02, 0.09) * _mound(angle, y, 0.5, 0.4)
        if rng.random() < 0.5:  # a seam down the middle
            lift += rng.uniform(0.04, 0.1) * np.exp(-np.abs(angle) / 0.3)
            crease = 0.8 * np.exp(-((angle / 0.012) ** 2))
        elif rng.random() < 0.5:
            lift, crease = _pleats(angle, y, wide, rng)
    elif kind == "kn95":
        lift = rng.uniform(0.1, 0.2) * np.clip(1 - np.abs(angle) / 0.75, 0, 1)
        lift *= _mound(np.zeros_like(y), y, 1, 0.5)
        crease = 0.5 * np.exp(-((angle / 0.012) ** 2))
    elif kind == "n95":
        lift = rng.uniform(0.12, 0.24) * np.sqrt(np.clip(_mound(angle, y, 0.6, 0.55), 0, 1))
        ring = rng.uniform(0.05, 0.1)
        lift -= 0.012 * np.exp(-(((inside - ring) / 0.015) ** 2))
        crease = 0.5 * np.exp(-(((inside - ring) / 0.015) ** 2))
    elif kind == "duckbill":
        beak = np.clip(1 - np.abs(y - 0.76) / 0.55, 0, 1) * np.clip(1 - (angle / 0.75) ** 2, 0, 1)
        lift = rng.uniform(0.15, 0.28) * beak
        crease = 0.7 * np.exp(-(((y - 0.76) / 0.012) ** 2))
    elif kind == "fashion":
        lift = rng.uniform(0.01, 0.06) * np.exp(-np.abs(angle) / 0.25)
        crease = 0.4 * np.exp(-((angle / 0.01) ** 2)) * (rng.random() < 0.7)
    soft = {"bandana": 1.6, "gaiter": 1.3, "cloth": 0.8, "surgical": 0.7}.get(kind, 0.25)
    folds = _wrinkles(angle, y, outline, rng) * soft
    return lift + 0.02 * folds, np.clip(crease + 0.25 * np.clip(-folds, 0, 1.5), 0, 1)


def _mound(angle: Array, y: Array, wide: float, high: float) -> Array:
    return np.asarray(np.exp(-((angle / wide) ** 2) - ((y - 0.75) / high) ** 2))


def _pleats(
    angle: Array, y: Array, wide: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Horizontal folds, like a sawtooth: each step down is a dark line."""
    count = int(rng.integers(2, 5))
    first, last = sorted(rng.uniform((0.45, 0.85), (0.62, 1.08)))
    open_middle = 1 + rng.uniform(0.05, 0.3) * np.cos(np.clip(angle / wide, -1, 1) * np.pi / 2)
    place = 0.75 + (y - 0.75) / open_middle
    lift, crease = np.zeros_like(y), np.zeros_like(y)
    for at in np.linspace(first, last, count):
        line = place - at - 0.02 * np.sin(angle * rng.uniform(0.5, 2) + rng.uniform(0, 6))
        lift += rng.uniform(0.015, 0.035) * np.exp(-np.clip(-line, 0, 1) / 0.07) * (line < 0)
        crease = np.maximum(crease, np.exp(-((np.clip(line, 0, 1) / 0.016) ** 2)) * (line >= 0))
    return lift, crease * rng.uniform(0.45, 1.0)


def _wrinkles(angle: Array, y: Array, outline: Array, rng: np.random.Generator) -> Array:
    """Folds that run from the corners, and slack cloth between them."""
    total = cloud(angle.shape, rng, 3, 4) * 0.5
    wide = np.abs(outline[:, 0]).max()
    for sign in (-1, 1):
        for _ in range(2):
            ax, ay = sign * wide, rng.uniform(0.5, 1.05)
            direction = np.arctan2(y - ay, (angle - ax) * -sign)
            away = np.hypot(angle - ax, y - ay)
            rays = np.sin(direction * rng.uniform(9, 20) + rng.uniform(0, 6))
            total += rays * np.exp(-away / 0.3) * rng.uniform(0.3, 0.9)
    return total


def cloud(
    shape: tuple[int, ...], rng: np.random.Generator, coarse: int, octaves: int
) -> Array:
    """Fractal noise of about unit spread: octaves of cubic lattices from `coarse` cells on."""
    total = np.zeros(shape[:2])
    for level in range(octaves):
        cells = coarse * 2**level + 2
        lattice = rng.normal(size=(cells, cells))
        total += cv2.resize(lattice, shape[1::-1], interpolation=cv2.INTER_CUBIC) * 0.55**level
    return total / max(float(total.std()), 1e-6)


def _straps(kind: Kind, outline: Array, rng: np.random.Generator) -> tuple[Strap, ...]:
    if kind in ("bandana", "gaiter"):
        return ()
    width = {"fashion": rng.uniform(0.05, 0.1), "cloth": rng.uniform(0.025, 0.06)}.get(
        kind, rng.uniform(0.02, 0.045)
    )
    behind = kind in ("n95", "duckbill") or (kind in ("cloth", "surgical") and rng.random() < 0.12)
    straps = []
    for sign in (-1.0, 1.0):
        upper, lower = _corners(outline, sign)
        if behind:
            ends = [[(1.35, -0.12), (1.75, -0.32)], [(1.2, 0.92), (1.6, 0.95)]]
            width = rng.uniform(0.03, 0.06)
        else:
            ends = [[(1.46, 0.0 + rng.normal(0, 0.05))], [(1.48, 0.62 + rng.normal(0, 0.06))]]
        for start, way in zip((upper, lower), ends, strict=True):
            nodes = np.array([start] + [(sign * a, y) for a, y in way])
            straps.append(Strap(_over_skin(nodes, rng.uniform(-0.03, 0.05)), width))
    return tuple(straps)


def _corners(outline: Array, sign: float) -> tuple[Array, Array]:
    """Where the bands of one side begin, a little inside the edge."""
    side = outline[outline[:, 0] * sign > 0.75 * np.abs(outline[:, 0]).max()]
    ends = side[np.argmin(side[:, 1])], side[np.argmax(side[:, 1])]
    inner: list[NDArray[np.float64]] = [end * (0.96, 1) for end in ends]
    return inner[0], inner[1]


def _over_skin(nodes: Array, sag: float) -> Array:
    """(n, 3) a band along straight pieces of (angle, y), bent by `sag`."""
    steps = np.linspace(0, len(nodes) - 1, 40)
    angle, y = (np.interp(steps, np.arange(len(nodes)), nodes[:, k]) for k in (0, 1))
    y = y + sag * np.sin(np.pi * steps / steps[-1])
    column, row = head.cells(angle, y)
    radius = cv2.remap(
        head.skin_radius().astype(np.float32), column.astype(np.float32)[None],
        row.astype(np.float32)[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )[0]  # fmt: skip
    return head.from_cylinder(angle, y, radius + 0.02)
