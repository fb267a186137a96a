"""What masks are made of: colours and prints, computed, not photographed."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from training.unseen.cut import Cut, Kind, cloud
from training.unseen.head import Array

_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ0123456789.&-"
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX,
          cv2.FONT_HERSHEY_SCRIPT_COMPLEX)  # fmt: skip
# Medical colours (albedo), from white over the usual blues to the coloured ones.
_MEDICAL = (
    (0.86, 0.87, 0.88), (0.50, 0.70, 0.84), (0.62, 0.80, 0.88), (0.45, 0.74, 0.72),
    (0.86, 0.66, 0.74), (0.68, 0.62, 0.82), (0.16, 0.16, 0.17), (0.60, 0.62, 0.64),
)  # fmt: skip
_MEDICAL_SHARES = (0.2, 0.26, 0.2, 0.08, 0.08, 0.04, 0.1, 0.04)


def colour(rng: np.random.Generator) -> Array:
    """(3,) any albedo: the dark, the pale and the muted are commoner than the loud."""
    value = rng.choice([rng.uniform(0.09, 0.25), rng.uniform(0.3, 0.7), rng.uniform(0.7, 0.92)])
    saturation = rng.beta(1.2, 2.2)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value))


def albedo(mask: Cut, rng: np.random.Generator) -> Array:
    """(h, w, 3) the share of light that each cell of a cut gives back, 0..1, in display values."""
    base = _ground(mask.kind, rng)
    plane = np.broadcast_to(base, (*mask.angle.shape, 3)).copy()
    if mask.kind in ("cloth", "bandana", "gaiter") and rng.random() < 0.62:
        plane = _printed(plane, mask, rng)
    elif mask.kind in ("surgical", "kn95", "fashion") and rng.random() < 0.12:
        plane = _printed(plane, mask, rng)
    plane *= (1 + 0.02 * cloud(mask.angle.shape, rng, 4, 6))[..., None]
    plane *= (1 + rng.uniform(0.01, 0.06) * _weave(mask, rng))[..., None]
    if mask.kind in ("surgical", "kn95", "n95", "duckbill"):
        plane = _seams(plane, mask, rng)
    elif rng.random() < 0.6:
        plane = _hem(plane, mask, rng)
    if mask.kind in ("n95", "kn95") and rng.random() < (0.5 if mask.kind == "n95" else 0.12):
        plane = _valve(plane, mask, rng)
    if mask.kind in ("kn95", "n95", "cloth", "fashion") and rng.random() < 0.35:
        plane = _label(plane, mask, rng)
    return np.asarray(plane.clip(0.02, 0.96))


def _ground(kind: Kind, rng: np.random.Generator) -> Array:
    if kind == "surgical":
        return _near(np.array(_MEDICAL[rng.choice(len(_MEDICAL), p=_MEDICAL_SHARES)]), rng)
    if kind in ("kn95", "n95", "duckbill"):
        if rng.random() < 0.75:
            return _near(np.array((0.86, 0.86, 0.84)), rng)
        return _near(np.array((0.17, 0.17, 0.18)), rng) if rng.random() < 0.6 else colour(rng)
    if kind == "fashion":
        dark = np.full(3, rng.uniform(0.1, 0.24))
        return _near(dark, rng) if rng.random() < 0.6 else colour(rng)
    return colour(rng)


def _near(base: Array, rng: np.random.Generator) -> Array:
    return np.clip(base * rng.uniform(0.9, 1.06) + rng.normal(0, 0.015, 3), 0.02, 0.95)


def _weave(mask: Cut, rng: np.random.Generator) -> Array:
    """Threads, or the embossing of fleece: crossed waves, a little irregular."""
    pitch = rng.uniform(0.018, 0.05)
    bend = 0.02 * cloud(mask.angle.shape, rng, 3, 2)
    turn = rng.choice([0.0, np.pi / 4, rng.uniform(0, np.pi)])
    u = (mask.angle * np.cos(turn) + mask.y * np.sin(turn) + bend) / pitch
    v = (mask.y * np.cos(turn) - mask.angle * np.sin(turn) + bend) / pitch
    if rng.random() < 0.4:  # a knit: ribs one way
        return np.asarray(np.sin(2 * np.pi * u))
    return np.asarray(np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v))


def _printed(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    prints = (_stripes, _tartan, _dots, _cells, _marble, _fade, _words, _blossoms)
    return prints[int(rng.integers(len(prints)))](plane, mask, rng)


def _turned(mask: Cut, rng: np.random.Generator, pitch: float) -> tuple[Array, Array]:
    turn = rng.choice([0.0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)])
    bend = 0.03 * rng.random() * cloud(mask.angle.shape, rng, 2, 2)
    u = mask.angle * np.cos(turn) + mask.y * np.sin(turn) + bend
    v = mask.y * np.cos(turn) - mask.angle * np.sin(turn) + bend
    return u / pitch + rng.random(), v / pitch + rng.random()


def _mix(plane: Array, share: Array, other: Array) -> Array:
    return np.asarray(plane + (other - plane) * share.clip(0, 1)[..., None])


def _stripes(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    u, _ = _turned(mask, rng, rng.uniform(0.06, 0.35))
    for _ in range(int(rng.integers(1, 4))):
        at, width = rng.random(), rng.uniform(0.05, 0.3)
        share = np.abs((u - at) % 1 - 0.5) < width
        plane = _mix(plane, share.astype(np.float64), colour(rng))
    return plane


def _tartan(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    places = _turned(mask, rng, rng.uniform(0.12, 0.4))
    for _ in range(3):
        at, width, paint = rng.random(), rng.uniform(0.03, 0.28), colour(rng)
        for u in places:
            plane = _mix(plane, 0.5 * (np.abs((u - at) % 1 - 0.5) < width).astype(float), paint)
    return plane


def _dots(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    u, v = _turned(mask, rng, rng.uniform(0.06, 0.25))
    u = u + 0.5 * (np.floor(v) % 2)
    share = np.hypot(u % 1 - 0.5, v % 1 - 0.5) < rng.uniform(0.15, 0.4)
    return _mix(plane, share.astype(np.float64), colour(rng))


def _cells(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    """Voronoi cells: camouflage with few colours, a mosaic with many, or only their borders."""
    height, width = mask.angle.shape
    seeds = np.ones((height, width), np.uint8)
    count = int(rng.integers(15, 160))
    seeds[rng.integers(height, size=count), rng.integers(width, size=count)] = 0
    away, owner = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    bend = [(12 * cloud((height, width), rng, 6, 3)).astype(np.float32) for _ in range(2)]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    at = ((columns + bend[0]).astype(np.float32), (rows + bend[1]).astype(np.float32))
    owner = owner.astype(np.float32)
    owner = cv2.remap(owner, *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.3:
        border = cv2.morphologyEx(owner, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        return _mix(plane, border.astype(np.float64), colour(rng))
    shades = np.array([colour(rng) for _ in range(int(rng.integers(2, 6)))])
    picked = shades[rng.integers(len(shades), size=int(owner.max()) + 1)]
    return np.asarray(picked[owner.astype(int)] + 0.0005 * away[..., None])


def _marble(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    field = cloud(mask.angle.shape, rng, int(rng.integers(2, 9)), 5)
    for _ in range(int(rng.integers(1, 4))):
        share = 1 / (1 + np.exp(-(field - rng.normal(0, 0.7)) * rng.uniform(1.5, 14)))
        plane = _mix(plane, share, colour(rng))
        field = np.roll(field[::-1], int(rng.integers(200)), 1)
    return plane


def _fade(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    u, _ = _turned(mask, rng, rng.uniform(1.0, 2.5))
    return _mix(plane, (u - u.min()) / max(float(np.ptp(u)), 1e-6), colour(rng))


def _words(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    """Letters all over, or one large word."""
    height, width = mask.angle.shape
    page = np.zeros((height, width), np.uint8)
    many = rng.random() < 0.5
    for _ in range(int(rng.integers(12, 40)) if many else 1):
        size = rng.uniform(0.4, 1.0) if many else rng.uniform(1.0, 2.6)
        word = "".join(rng.choice(list(_LETTERS), int(rng.integers(2, 9))))
        at = (int(rng.uniform(0.05, 0.7) * width), int(rng.uniform(0.2, 0.9) * height))
        cv2.putText(page, word, at, int(rng.choice(_FONTS)), size, 255,
                    int(rng.integers(1, 5)), cv2.LINE_AA)  # fmt: skip
    return _mix(plane, page.astype(np.float64) / 255, colour(rng))


def _blossoms(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    """Rosettes of some petals, scattered."""
    for _ in range(int(rng.integers(15, 70))):
        a = rng.uniform(mask.angle.min(), mask.angle.max())
        y = rng.uniform(mask.y.min(), mask.y.max())
        size, petals = rng.uniform(0.04, 0.16), int(rng.integers(3, 8))
        away = np.hypot(mask.angle - a, mask.y - y) / size
        around = np.arctan2(mask.y - y, mask.angle - a) * petals + rng.uniform(0, 6)
        reach = 0.65 + 0.35 * np.cos(around)
        plane = _mix(plane, (away < reach).astype(np.float64), colour(rng))
        plane = _mix(plane, (away < 0.2).astype(np.float64), colour(rng))
    return plane


def _seams(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    """Welded edges: a pressed line or a row of points along the edge; and the nose wire."""
    inset = rng.uniform(0.02, 0.06)
    line = np.exp(-(((mask.inside - inset) / 0.01) ** 2))
    if rng.random() < 0.5:
        line = line * (np.sin((mask.angle + mask.y) * rng.uniform(60, 120)) > 0)
    plane = plane * (1 - rng.uniform(0.05, 0.2) * line)[..., None]
    wire = np.abs(mask.y - mask.y.min() - rng.uniform(0.1, 0.2)) < 0.025
    wire = wire & (np.abs(mask.angle) < rng.uniform(0.25, 0.45)) & (mask.inside > 0.015)
    shade = cv2.GaussianBlur(wire.astype(np.float64), (0, 0), 2)
    return np.asarray(plane * (1 + rng.uniform(-0.12, 0.1) * shade)[..., None])


def _hem(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    width = rng.uniform(0.02, 0.06)
    edge = np.exp(-(((mask.inside - width) / 0.008) ** 2))
    if rng.random() < 0.2:  # bound with another cloth
        return _mix(plane, (mask.inside < width).astype(np.float64), colour(rng))
    return np.asarray(plane * (1 - rng.uniform(0.1, 0.3) * edge)[..., None])


def _valve(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    a, y, size = rng.normal(0.25, 0.1), rng.normal(0.85, 0.06), rng.uniform(0.09, 0.15)
    if mask.kind == "n95":
        a *= 0.2
    across, down = np.abs(mask.angle - a), np.abs(mask.y - y)
    power = rng.choice([2.0, 5.0])
    away = (across**power + down**power) ** (1 / power) / size
    body = np.full(3, rng.uniform(0.7, 0.9)) if rng.random() < 0.6 else colour(rng)
    plane = _mix(plane, 1 / (1 + np.exp((away - 1) * 30)), body)
    slots = (np.abs(away - 0.85) < 0.06) | ((np.sin(mask.y * 130) > 0.5) & (away < 0.6))
    return np.asarray(plane * (1 - 0.35 * slots)[..., None])


def _label(plane: Array, mask: Cut, rng: np.random.Generator) -> Array:
    """A line or two of small print on one side."""
    height, width = mask.angle.shape
    page = np.zeros((height, width), np.uint8)
    left = int(rng.choice([0.12, 0.6]) * width)
    for line in range(int(rng.integers(1, 4))):
        word = "".join(rng.choice(list(_LETTERS), int(rng.integers(4, 10))))
        at = (left, int(height * 0.5) + 16 * line)
        cv2.putText(page, word, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1, cv2.LINE_AA)
    ink = np.full(3, 0.15) if plane.mean() > 0.45 else np.full(3, 0.85)
    return _mix(plane, 0.8 * page.astype(np.float64) / 255, ink)
