"""The outline of a worn mask on a face mesh, its straps, and coordinates on the cloth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Plane = NDArray[np.float32]

# Mesh indices, from the viewer's left ear down over the chin to the right one.
JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)
BRIDGE = (6, 197, 195, 5)
UNDER_NOSE = (4, 2, 164, 0)
CROP = 256  # px, for which lengths are given
SUB = 4  # sub-pixel bits of cv2's drawing

# How often the nose looks out. Whatever else is held before a mouth is no mask, and only masks
# worn like this teach the difference.
LOW_SHARE = 0.45

# How often a mask ends on the cheek, and its loops run on over the skin.
NARROW_SHARE = 0.35

# How often its upper edge is hollow on both sides of the nose.
PEAKED_SHARE = 0.3

# How often ear loops run up the edge of the face and over the ear, as they do on heads that look
# into the camera; else they are seen on their way behind it.
HUGGING_SHARE = 0.65

KINDS = ("surgical", "cloth", "kn95", "n95", "duckbill", "scarf", "fashion")
KIND_SHARES = (0.31, 0.20, 0.15, 0.06, 0.05, 0.10, 0.13)


@dataclass(slots=True)
class Shape:
    """A mask's place on one crop.

    Attributes:
        kind: one of KINDS.
        alpha: (S, S) float32 in [0, 1], the cloth without straps.
        straps: (S, S) float32 in [0, 1].
        u, v: (S, S) float32, 0..1 across and down the cloth; only meaningful under alpha.
    """

    kind: str
    alpha: Plane
    straps: Plane
    u: Plane
    v: Plane

    @property
    def map(self) -> Plane:
        """(S, S) float32: cloth and straps, the map network's target."""
        return np.maximum(self.alpha, self.straps)


def random_shape(
    mesh: Points,
    size: int,
    rng: np.random.Generator,
    *,
    covering: bool = False,
    kind: str | None = None,
) -> Shape:
    """A random mask worn on a face.

    Args:
        mesh: (478, 2) float32, crop px.
        size: S, side of the crop.
        covering: only masks that reach from the nose to below the chin.
        kind: one of KINDS; drawn by KIND_SHARES where None.
    """
    kind = kind or str(rng.choice(KINDS, p=KIND_SHARES))
    outline, corners = _outline(mesh, kind, rng, covering=covering)
    alpha = _fill(outline, size, blur=float(rng.uniform(0.0, 0.9)))
    straps = np.zeros((size, size), np.float32)
    if kind != "scarf" and rng.random() < 0.9:
        straps = straps_of(mesh, corners, size, kind, rng)
    u, v = coordinates(alpha, float(mesh[4, 0]))
    return Shape(kind, alpha, straps, u, v)


def _outline(
    mesh: Points, kind: str, rng: np.random.Generator, *, covering: bool
) -> tuple[Points, Points]:
    """The closed outline, and the four corners where straps begin (left top, left bottom, ...)."""
    unit = float(np.linalg.norm(mesh[10] - mesh[152])) / 150.0
    low = not covering and rng.random() < LOW_SHARE
    path = UNDER_NOSE if low else BRIDGE
    nose = _along(mesh[list(path)], rng.uniform(0.1, 1.0) if low else rng.beta(1.6, 2.1))
    high = float(rng.normal(0.75, 0.3) if low else rng.normal(0.35, 0.18))
    wide = float(np.clip(rng.normal(0.96, 0.09), 0.7, 1.18))
    if rng.random() < NARROW_SHARE:
        wide = float(rng.uniform(0.6, 0.9))
    left, right = (
        _side(mesh, points, nose, high, wide, low=low, rng=rng)
        for points in ((234, 132, 117, 100), (454, 361, 346, 329))
    )
    jaw = _jaw(mesh, kind, wide, rng, covering=covering, unit=unit)
    bulge = _bulge(mesh, kind, rng)
    middle = nose + bulge * 0.4
    ridge_width = rng.uniform(3, 9) * unit
    ridge = [middle - (ridge_width, -0.1 * ridge_width), middle + (ridge_width, 0.1 * ridge_width)]
    pointed = kind in ("kn95", "n95", "duckbill", "fashion")
    top = [left[0], left[1], left[2], *([middle] if pointed else ridge), *reversed(right)]
    outline = np.array([*top, *jaw[::-1]], np.float32)
    outline += rng.normal(0, 0.8 * unit, outline.shape).astype(np.float32)
    corners = np.array([left[0], jaw[0], right[0], jaw[-1]], np.float32)
    # Corners of the cloth stay corners: a doubled point survives the smoothing.
    sharp = np.repeat(outline, [2 if i in (0, len(top) - 1) else 1 for i in range(len(outline))], 0)
    return _smooth(sharp), corners


def _side(
    mesh: Points,
    points: tuple[int, int, int, int],
    nose: Points,
    high: float,
    wide: float,
    *,
    low: bool,
    rng: np.random.Generator,
) -> list[Points]:
    """Side corner, cheek and nose-side point of the top edge, from the ear inwards."""
    ear, jaw, cheek, inner = (mesh[i] for i in points)
    centre = mesh[2]
    corner = ear + (jaw - ear) * np.clip(high + rng.normal(0, 0.05), 0.0, 1.15)
    corner = centre + (corner - centre) * wide
    lift = rng.uniform(0.0, 0.55)
    middle = cheek + (corner - cheek) * rng.uniform(0.15, 0.45)
    by_nose = inner + (nose - inner) * rng.uniform(0.25, 0.6)
    line = corner + (nose - corner) * 0.45
    cheek_point = line + (middle - line) * lift
    by_line = corner + (nose - corner) * 0.8
    inner_point = by_line + (by_nose - by_line) * rng.uniform(0.2, 0.9)
    if low:  # worn down, its sides are the last to slip
        sag = np.array([0.0, (nose[1] - corner[1]) * rng.uniform(0.0, 0.55)], np.float32)
        cheek_point, inner_point = line + sag, by_line + sag * rng.uniform(0.3, 1.2)
    if rng.random() < PEAKED_SHARE:  # cut out at the cheeks, with a peak over the nose
        dip = np.abs(nose[0] - corner[0]) * rng.uniform(0.05, 0.35)
        cheek_point = cheek_point + (0.0, dip)
        inner_point = inner_point + (0.0, dip * rng.uniform(0.2, 1.0))
    return [corner, cheek_point, inner_point]


def _jaw(
    mesh: Points,
    kind: str,
    wide: float,
    rng: np.random.Generator,
    *,
    covering: bool,
    unit: float,
) -> Points:
    """The lower edge from the viewer's left to the right."""
    jaw = mesh[list(JAW)].copy()
    centre = mesh[13]
    reach = rng.normal(1.07, 0.06)
    if not covering and rng.random() < 0.06:
        reach = rng.uniform(0.62, 0.85)  # the chin stays free
    jaw = centre + (jaw - centre) * np.array([wide * rng.uniform(0.97, 1.02), reach])
    skip = int(rng.integers(0, 4))
    jaw = jaw[skip : len(jaw) - skip]
    if kind == "scarf":
        drop = rng.uniform(15, 100) * unit
        sag = np.sin(np.linspace(0, np.pi, len(jaw)))
        jaw[:, 1] += drop * (0.35 + 0.65 * sag)
        jaw[:, 0] = centre[0] + (jaw[:, 0] - centre[0]) * rng.uniform(0.95, 1.1)
    elif rng.random() < 0.5:  # a flat lower hem
        flat = jaw[:, 1].max() - rng.uniform(0, 4) * unit
        jaw[:, 1] = np.minimum(jaw[:, 1], flat)
    return np.asarray(jaw + _bulge(mesh, kind, rng) * 0.3, np.float32)


def _bulge(mesh: Points, kind: str, rng: np.random.Generator) -> Points:
    """How far the stiff front stands off, seen from the side: (2,) px."""
    turn = mesh[4, 0] - 0.5 * (mesh[234, 0] + mesh[454, 0])
    depth = {"duckbill": 0.35, "n95": 0.3, "kn95": 0.22, "fashion": 0.1}.get(kind, 0.05)
    return np.array([turn * depth * rng.uniform(0.4, 1.4), 0.0], np.float32)


def _along(points: Points, t: float) -> Points:
    """The point at share `t` of a polyline, by index."""
    place = t * (len(points) - 1)
    first = min(int(place), len(points) - 2)
    result: Points = points[first] + (points[first + 1] - points[first]) * (place - first)
    return result


def _smooth(points: Points, rounds: int = 3) -> Points:
    """Chaikin's corner cutting of a closed polygon."""
    for _ in range(rounds):
        after = np.roll(points, -1, 0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1)
        points = points.reshape(-1, 2)
    return points


def _fill(outline: Points, size: int, blur: float) -> Plane:
    """Anti-aliased polygon, drawn at twice the size."""
    big = np.zeros((2 * size, 2 * size), np.uint8)
    cv2.fillPoly(big, [np.round((2 * outline + 0.5) * 2**SUB).astype(np.int32)], 255, shift=SUB)
    plane = cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA)
    if blur > 0.3:
        plane = cv2.GaussianBlur(plane, (0, 0), blur)
    return plane.astype(np.float32) / 255.0


def straps_of(
    mesh: Points, corners: Points, size: int, kind: str, rng: np.random.Generator
) -> Plane:
    """Ear loops, or the bands of a respirator; a pixel of the crop is about a millimetre.

    Args:
        mesh: (478, 2) float32, crop px.
        corners: (4, 2), of the cloth: left top, left bottom, right top, right bottom, as seen.
        size: S, side of the crop.
        kind: one of KINDS.

    Returns:
        (S, S) float32 in [0, 1].
    """
    plane = np.zeros((size, size), np.uint8)
    width = float(np.exp(rng.uniform(np.log(1.2), np.log(9.0)))) * size / CROP
    slack = float(rng.uniform(0.02, 0.16))
    bands = kind in ("n95", "duckbill") and rng.random() < 0.7
    hugging = not bands and rng.random() < HUGGING_SHARE
    for side, (ear, temple, jaw) in enumerate(((234, 127, 132), (454, 356, 361))):
        starts = corners[2 * side : 2 * side + 2]
        if hugging:
            lines = _loop(mesh, starts, (ear, temple, jaw), rng)
        else:
            lines = _taut(mesh, starts, (ear, temple, jaw), slack, rng, bands=bands)
        for line in lines:
            if rng.random() < 0.9:
                points = np.round(line * 2**SUB).astype(np.int32)
                thick = max(1, round(width))
                cv2.polylines(plane, [points], False, 255, thick, cv2.LINE_AA, SUB)
    return plane.astype(np.float32) / 255.0


def _taut(
    mesh: Points,
    starts: Points,
    side: tuple[int, int, int],
    slack: float,
    rng: np.random.Generator,
    *,
    bands: bool,
) -> list[Points]:
    """Both straps of a side on their way behind the ear or the head, seen against what is there."""
    ear, temple, jaw = side
    out = (mesh[ear] - mesh[454 if ear == 234 else 234]) * 0.1 * rng.uniform(0.1, 1.8)
    if bands:
        attach = mesh[ear] * 0.55 + mesh[temple] * 0.45 + out
        neck = mesh[ear] + out * 2 + (0, rng.uniform(5, 60))
        ends = (attach + (0, -rng.uniform(5, 30)), neck)
    else:
        high, low = rng.uniform(0.1, 1.5), rng.uniform(0.0, 0.7)
        top = mesh[ear] + (mesh[temple] - mesh[ear]) * high + out
        ends = (top, mesh[ear] + (mesh[jaw] - mesh[ear]) * low + out)
    lines = []
    for start, end in zip(starts, ends, strict=True):
        bend = (start + end) / 2 + rng.normal(0, slack, 2) * np.linalg.norm(end - start)
        lines.append(_bezier(np.array([start, (start + 2 * bend) / 3, (end + 2 * bend) / 3, end])))
    return lines


def _loop(
    mesh: Points, starts: Points, side: tuple[int, int, int], rng: np.random.Generator
) -> list[Points]:
    """A loop that hugs the ear: up the edge of the face and over it, and back from below."""
    ear, temple, jaw = (mesh[i] for i in side)
    across = mesh[side[0]] - mesh[454 if side[0] == 234 else 234]
    up = mesh[10] - mesh[152]
    up = up / max(float(np.linalg.norm(up)), 1.0)
    edge = across * rng.uniform(-0.04, 0.05)
    top = ear + (temple - ear) * rng.uniform(0.3, 2.6) + edge
    lobe = ear + (jaw - ear) * rng.uniform(-0.2, 0.7) + edge + across * rng.uniform(-0.02, 0.02)
    lines = []
    for start, end, rise in ((starts[0], top, 1.0), (starts[1], lobe, rng.uniform(-0.4, 0.8))):
        length = float(np.linalg.norm(end - start))
        leave = start + (end - start) * rng.uniform(0.15, 0.45) + across * rng.normal(0, 0.015)
        arrive = end - up * length * rise * rng.uniform(0.2, 0.6)
        lines.append(_bezier(np.array([start, leave, arrive, end])))
    return lines


def _bezier(points: Points, count: int = 14) -> Points:
    """Points along the cubic of four control points."""
    t = np.linspace(0, 1, count)[:, None]
    a, b, c, d = points
    return np.asarray(
        (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d, np.float32
    )


def coordinates(alpha: Plane, nose_x: float) -> tuple[Plane, Plane]:
    """Across and down the cloth, (S, S) in [0, 1] each, from the columns and rows that it spans.

    Args:
        alpha: (S, S) float32 in [0, 1], where the cloth is.
        nose_x: the column of the nose, which is in its middle, px.
    """
    size = alpha.shape[0]
    inside = alpha > 0.3
    columns = inside.any(0)
    u, v = np.zeros_like(alpha), np.zeros_like(alpha)
    if not columns.any():
        return u, v
    top = inside.argmax(0).astype(np.float32)
    bottom = size - 1 - inside[::-1].argmax(0).astype(np.float32)
    x = np.arange(size, dtype=np.float32)
    known = np.flatnonzero(columns)
    top, bottom = (np.interp(x, known, edge[known]) for edge in (top, bottom))
    rows = np.arange(size, dtype=np.float32)[:, None]
    v = np.clip((rows - top) / np.maximum(bottom - top, 1.0), 0, 1).astype(np.float32)
    left, right = float(known[0]), float(known[-1])
    centre = float(np.clip(nose_x, left + 1, right - 1))
    u_row = np.interp(x, [left, centre, right], [0, 0.5, 1]).astype(np.float32)
    return np.broadcast_to(u_row, alpha.shape).copy(), v
