"""What a mask looks like: colour, print, folds, light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.camera import grain
from training.masks.shape import Plane, Shape

Picture = NDArray[np.float32]

# How often a kind of mask has a pattern.
PRINTED = {"cloth": 0.7, "scarf": 0.8, "fashion": 0.45, "surgical": 0.3}
STYLES = ("stripes", "dots", "checks", "blots", "veins")
STYLE_SHARES = (0.40, 0.12, 0.14, 0.22, 0.12)
# Colours as sold, RGB 0..1.
_SURGICAL = ((0.62, 0.78, 0.88), (0.55, 0.72, 0.86), (0.93, 0.94, 0.95), (0.12, 0.12, 0.13),
             (0.90, 0.72, 0.77), (0.62, 0.80, 0.74), (0.75, 0.84, 0.91))  # fmt: skip
_STIFF = ((0.95, 0.95, 0.94), (0.92, 0.93, 0.95), (0.13, 0.13, 0.14), (0.55, 0.56, 0.58),
          (0.90, 0.86, 0.80), (0.75, 0.80, 0.90))  # fmt: skip


def paint(
    image: Picture, shape: Shape, rng: np.random.Generator, printed: Picture | None = None
) -> Picture:
    """Put the mask on.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1].
        printed: any (h, w, 3) picture to print on the cloth; None for plain or drawn patterns.

    Returns:
        A new picture of the same form.
    """
    cloth = _base(image, shape, rng)
    if printed is not None:
        cloth = _photo_print(cloth, shape, printed, rng)
    light = _light(image, shape, rng)
    cloth = np.clip(cloth * light[..., None], 0, 1.1).astype(np.float32)
    opacity = 1.0 if rng.random() < 0.9 else float(rng.uniform(0.82, 0.97))
    result = shaded(image, shape.map, rng)
    straps = shape.straps[..., None]
    colour = strap_colour(cloth, shape.alpha, image, shape.straps, rng).astype(np.float32)
    bands = colour * (light * strap_relief(shape.straps, rng))[..., None]
    strapped = result * (1 - straps) + straps * bands
    alpha = shape.alpha[..., None] * opacity
    return np.asarray(np.clip(strapped * (1 - alpha) + alpha * cloth, 0, 1), np.float32)


def strap_colour(
    cloth: Picture, alpha: Plane, ground: Picture, straps: Plane, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(3,): that of the cloth, black, white, any, or nearly that of what the straps lie on.

    Args:
        cloth, ground: (S, S, 3) float32 RGB in [0, 1]; the latter without the straps.
        alpha, straps: (S, S) float32 in [0, 1], where cloth and straps are.
    """
    chance = rng.random()
    if chance < 0.25 and (inside := alpha > 0.5).any():
        return np.asarray(cloth[inside].mean(0), np.float64)
    if chance < 0.45:
        return np.asarray(_any_colour(rng), np.float64)
    if chance < 0.57 and (under := straps > 0.5).any():
        return np.asarray(ground[under].mean(0), np.float64) * rng.uniform(0.75, 1.35)
    return np.full(3, rng.choice([0.08, 0.6, 0.85, 0.95])) * rng.uniform(0.7, 1.0)


def strap_relief(straps: Plane, rng: np.random.Generator) -> Plane:
    """How bright straps are: flat or round, twisted, and darker or brighter towards the ear.

    Args:
        straps: (S, S) float32 in [0, 1].

    Returns:
        (S, S) float32, about 1; only meaningful under `straps`.
    """
    size = straps.shape[0]
    inward = cv2.distanceTransform((straps > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    rim = 1 - np.minimum(inward / max(float(inward.max()), 1.0), 1)
    across = 1 - rng.uniform(-0.1, 0.5) * rim**2
    twist = 1 + _noise(size, rng.uniform(6, 30), rng) * rng.uniform(0.0, 0.12)
    upwards = 1 + rng.uniform(-0.5, 0.5) * np.linspace(0.5, -0.5, size, dtype=np.float32)[:, None]
    return np.asarray(across * twist * upwards, np.float32)


def _base(image: Picture, shape: Shape, rng: np.random.Generator) -> Picture:
    """(S, S, 3): colour and print, before light."""
    if rng.random() < 0.26:  # whatever the kind, and often in the colour of the skin
        colour = _skin(image, shape, rng) if rng.random() < 0.6 else _any_colour(rng)
    elif shape.kind == "surgical":
        colour = np.array(_SURGICAL[rng.integers(len(_SURGICAL))])
    elif shape.kind in ("kn95", "n95", "duckbill"):
        colour = np.array(_STIFF[rng.integers(len(_STIFF))])
    elif shape.kind == "fashion" and rng.random() < 0.7:
        colour = np.full(3, rng.uniform(0.03, 0.18))
    else:
        colour = _any_colour(rng)
    colour = np.clip(colour + rng.normal(0, 0.04, 3), 0.01, 0.98).astype(np.float32)
    base = np.broadcast_to(colour, (*shape.alpha.shape, 3)).astype(np.float32)
    if rng.random() < PRINTED.get(shape.kind, 0.2):
        base = pattern_on(base, shape.u, shape.v, rng)
    if rng.random() < 0.12:
        base = _logo(base, shape, rng)
    if shape.kind in ("kn95", "n95") and rng.random() < 0.35:
        base = _valve(base, shape, rng)
    weave = grain(shape.alpha.shape[0], rng)[..., :1] * np.float32(rng.uniform(0.002, 0.025))
    return (base + weave).astype(np.float32)


def _any_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    hsv = np.array([[[rng.uniform(0, 360), rng.beta(1.2, 1.6), rng.uniform(0.08, 0.95)]]])
    return np.asarray(cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def _skin(image: Picture, shape: Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    """The mean colour of what the mask will hide, or paler: a white one on pale skin."""
    hidden = shape.alpha > 0.5
    if not hidden.any():
        return np.full(3, 0.6)
    colour = np.asarray(image[hidden].mean(0), np.float64)
    return colour + (1 - colour) * max(0.0, rng.uniform(-0.5, 0.8))


def _noise(size: int, cells: float, rng: np.random.Generator) -> Plane:
    """Smooth noise, mean 0, deviation about 1."""
    n = max(2, round(cells))
    field = rng.normal(size=(n, n)).astype(np.float32)
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def pattern_on(base: Picture, u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """One of STYLES, in one colour or two.

    Args:
        base: (S, S, 3) float32 RGB in [0, 1], the cloth.
        u, v: (S, S) float32, 0..1 across and down it.

    Returns:
        A new picture of the same form.
    """
    style = str(rng.choice(STYLES, p=STYLE_SHARES))
    count = float(np.exp(rng.uniform(np.log(2), np.log(20))))
    result = base
    for _ in range(1 + int(rng.random() < 0.4)):
        weight = _pattern(style, u, v, count, rng)[..., None]
        result = result + weight * (_any_colour(rng).astype(np.float32) - result)
    return result


def _pattern(style: str, u: Plane, v: Plane, count: float, rng: np.random.Generator) -> Plane:
    """(S, S) float32 in [0, 1]: where the colour is; `count` times across the cloth."""
    if style == "stripes":
        return _stripes(u, v, count, rng)
    across, down = (np.sin(6.28 * (count * way + rng.random())) for way in (u, v))
    if style == "dots":
        pattern = across * down - 0.35
    elif style == "checks":
        pattern = np.maximum(across, down) - 0.4
    elif style == "veins":
        # Where noise changes its sign it draws lines that run on, as in marble.
        field = _noise(u.shape[0], rng.uniform(4, 24), rng)
        pattern = rng.uniform(0.05, 0.3) - np.abs(field)
    else:
        pattern = _noise(u.shape[0], rng.uniform(6, 60), rng) - rng.uniform(-0.5, 0.9)
    return np.asarray(np.clip(0.5 + pattern * rng.uniform(3, 12), 0, 1), np.float32)


def _stripes(u: Plane, v: Plane, count: float, rng: np.random.Generator) -> Plane:
    """(S, S) in [0, 1]: about `count` stripes, bowed and wavy, often across, with sharp edges."""
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else np.pi / 2 + rng.normal(0, 0.1)
    bow = rng.normal(0, 0.12) * (2 * u - 1) ** 2
    waves = _noise(u.shape[0], rng.uniform(3, 12), rng) * rng.uniform(0, 0.2) / count
    place = u * np.cos(angle) + (v + bow) * np.sin(angle) + waves
    swing = np.sin(6.28 * (count * place + rng.random())) - rng.uniform(-0.7, 0.7)
    sharp = np.clip(0.5 + swing * rng.uniform(20, 80) / count, 0, 1)
    return np.asarray(sharp, np.float32)


def _photo_print(
    base: Picture, shape: Shape, printed: Picture, rng: np.random.Generator
) -> Picture:
    """A picture wrapped over the cloth: stands for every print that nobody thought of."""
    height, width = printed.shape[:2]
    count = rng.choice([0.5, 1.0, 2.0, 4.0]) * rng.uniform(0.7, 1.4)
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.5 else 0.0
    across = (shape.u - 0.5) * np.cos(angle) - (shape.v - 0.5) * np.sin(angle)
    down = (shape.u - 0.5) * np.sin(angle) + (shape.v - 0.5) * np.cos(angle)
    x = ((across * count + rng.random()) * width).astype(np.float32)
    y = ((down * count + rng.random()) * height).astype(np.float32)
    picture = cv2.remap(printed, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:
        picture = picture[..., rng.permutation(3)]
    contrast = rng.uniform(0.5, 1.8)
    picture = np.clip((picture - 0.5) * contrast + 0.5, 0.01, 1)
    share = rng.uniform(0.6, 1.0)
    return np.asarray(base * (1 - share) + share * picture, np.float32)


def _logo(base: Picture, shape: Shape, rng: np.random.Generator) -> Picture:
    size = base.shape[0]
    spot = np.flatnonzero(shape.alpha > 0.9)
    if spot.size == 0:
        return base
    y, x = divmod(int(rng.choice(spot)), size)
    ink = np.zeros((size, size), np.uint8)
    if rng.random() < 0.6:
        letters = "".join(rng.choice(list("ABCDEKLMNORSTUX0123489"), rng.integers(1, 6)))
        font = int(rng.integers(0, 8))
        scale = rng.uniform(0.3, 1.0) * size / 256
        cv2.putText(ink, letters, (x - 10, y), font, scale, 255, int(rng.integers(1, 3)), 16)
    else:
        axes = tuple(int(v) for v in rng.integers(3, 16, 2))
        fill = int(rng.choice([-1, 1, 2]))
        cv2.ellipse(ink, (x, y), axes, rng.uniform(0, 180), 0, 360, 255, fill, 16)
    weight = (ink.astype(np.float32) / 255.0)[..., None]
    return np.asarray(base * (1 - weight) + weight * _any_colour(rng), np.float32)


def _valve(base: Picture, shape: Shape, rng: np.random.Generator) -> Picture:
    centre_u, centre_v = rng.choice([0.3, 0.5, 0.7]), rng.uniform(0.45, 0.65)
    radius = rng.uniform(0.09, 0.16)
    distance = np.hypot(shape.u - centre_u, (shape.v - centre_v) * 0.9) / radius
    disc = np.clip((1 - distance) * 8, 0, 1)[..., None]
    ring = 0.12 * np.sin(np.clip(distance, 0, 1) * rng.uniform(6, 18))[..., None]
    colour = np.clip(rng.choice([0.15, 0.55, 0.8, 0.95]) + ring, 0, 1)
    return np.asarray(base * (1 - disc) + disc * colour, np.float32)


def _light(image: Picture, shape: Shape, rng: np.random.Generator) -> Plane:
    """The face's own light carried onto the cloth, its roundness, and its folds."""
    u, v, size = shape.u, shape.v, image.shape[0]
    grey = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).mean(2)
    lower = grey[10:30, 6:26]
    level = float(np.clip(lower.mean() / 0.55, 0.25, 1.25))
    field = cv2.resize(
        cv2.GaussianBlur(grey, (0, 0), 3), (size, size), interpolation=cv2.INTER_LINEAR
    )
    own = (np.maximum(field, 0.02) / max(float(lower.mean()), 0.02)) ** rng.uniform(0.2, 0.9)
    side = 2 * u - 1
    light = own * (1 - rng.uniform(0.02, 0.35) * side**2 + rng.normal(0, 0.12) * side)
    light = light * (1 + rng.uniform(0, 0.2) * (0.4 - v))
    light = light * (1 + _folds(shape, rng))
    return np.asarray(light * level ** rng.uniform(0.4, 1.0), np.float32)


def _folds(shape: Shape, rng: np.random.Generator) -> Plane:
    """Relative brightness of pleats, creases, nose wire, ridge and hem."""
    u, v, size = shape.u, shape.v, shape.alpha.shape[0]
    result = _noise(size, rng.uniform(4, 9), rng) * rng.uniform(0.01, 0.06)
    creases = cv2.resize(_noise(48, rng.uniform(6, 20), rng)[: int(rng.integers(6, 48))],
                         (size, size), interpolation=cv2.INTER_CUBIC)  # fmt: skip
    result = result + creases * rng.uniform(0.0, 0.05)
    side = 2 * u - 1
    if shape.kind == "surgical":
        bow = rng.normal(0.0, 0.07) * (1 - side**2)
        for place in np.linspace(0.3, 0.75, int(rng.integers(2, 5))) + rng.normal(0, 0.02):
            across = (v + bow - place) / rng.uniform(0.008, 0.022)
            fade = 1 - 0.6 * np.abs(side) ** 2
            result = result - fade * rng.uniform(0.05, 0.22) * across * np.exp(-(across**2))
    if shape.kind in ("kn95", "fashion", "duckbill"):
        steep = np.tanh(side * rng.uniform(4, 20)) * rng.uniform(-0.12, 0.12)
        line = np.exp(-((side / 0.03) ** 2)) * rng.uniform(-0.15, 0.12)
        result = result + steep + line
    if rng.random() < 0.5:
        wire = np.exp(-(((v - rng.uniform(0.04, 0.1)) / 0.02) ** 2)) * np.exp(-((side / 0.4) ** 2))
        result = result + wire * rng.uniform(-0.1, 0.12)
    if rng.random() < 0.6:
        inward = cv2.distanceTransform((shape.alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        hem = np.exp(-(((inward - rng.uniform(2, 7)) / rng.uniform(0.6, 1.5)) ** 2))
        result = result + hem * rng.uniform(-0.2, 0.08)
    return np.asarray(np.clip(result, -0.6, 0.6), np.float32)


def shaded(
    image: Picture, alpha: Plane, rng: np.random.Generator, deepest: float = 0.45
) -> Picture:
    """A picture with the shade that a mask casts on the skin around it."""
    if rng.random() < 0.25:
        return image
    move = np.array([[1, 0, rng.normal(0, 2.0)], [0, 1, rng.uniform(-1.0, 4.0)]])
    blurred = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(1.0, 5.0))
    soft = cv2.warpAffine(blurred, move, alpha.shape[::-1])
    return np.asarray(image * (1 - rng.uniform(0.05, deepest) * soft[..., None]), np.float32)
