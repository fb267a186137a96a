"""Things before a face that are not masks: hands, cups, telephones, beards, glasses and more."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.camera import grain
from training.masks.shape import SUB, Plane, Points

Picture = NDArray[np.float32]


def occlude(
    image: Picture, mesh: Points, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Put a hand, a cup, a telephone or a microphone before the lower face.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1].
        mesh: (478, 2) float32, crop px.

    Returns:
        The picture and (S, S) float32, where the thing is.
    """
    draw = (_fist, _fist, _hand, _cup, _cup, _slab, _slab, _microphone)[rng.integers(8)]
    thing, alpha = draw(image, mesh, rng)
    if draw in (_cup, _slab) and rng.random() < 0.3:  # and the hand that holds it
        hand, over = _fist(image, mesh, rng)
        thing = thing + over[..., None] * (hand - thing)
        alpha = np.maximum(alpha, over)
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.0)).astype(np.float32)
    weight = alpha[..., None]
    shaded = image * (1 - 0.3 * cv2.GaussianBlur(alpha, (0, 0), 5)[..., None])
    return np.clip(shaded * (1 - weight) + weight * thing, 0, 1).astype(np.float32), alpha


def glasses(
    image: Picture, mesh: Points, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Draw spectacles; the same returns as `occlude`."""
    size = image.shape[0]
    frame = np.zeros((size, size), np.uint8)
    width = int(rng.integers(1, 5))
    eyes = [mesh[[33, 133]].mean(0), mesh[[362, 263]].mean(0)]
    reach = float(np.linalg.norm(eyes[1] - eyes[0]))
    axes = (reach * rng.uniform(0.32, 0.44), reach * rng.uniform(0.22, 0.4))
    drop = reach * rng.uniform(0.0, 0.12)
    for eye in eyes:
        centre = _fixed(eye + (0, drop))
        cv2.ellipse(frame, centre, _fixed(axes), 0, 0, 360, 255, width, cv2.LINE_AA, SUB)
    inner = [eyes[0] + (axes[0], drop), eyes[1] + (-axes[0], drop)]
    cv2.line(frame, _fixed(inner[0]), _fixed(inner[1]), 255, width, cv2.LINE_AA, SUB)
    for eye, ear, sign in ((eyes[0], mesh[127], -1), (eyes[1], mesh[356], 1)):
        start = eye + (sign * axes[0], drop)
        cv2.line(frame, _fixed(start), _fixed(ear), 255, width, cv2.LINE_AA, SUB)
    alpha = frame.astype(np.float32) / 255.0
    colour = np.clip(rng.choice([0.05, 0.1, 0.35, 0.7]) + rng.normal(0, 0.06, 3), 0, 1)
    weight = alpha[..., None]
    return (image * (1 - weight) + weight * colour).astype(np.float32), alpha


def beard(image: Picture, mesh: Points, rng: np.random.Generator) -> Picture:
    """A beard or stubble over chin, cheeks and lip."""
    size = image.shape[0]
    jaw = mesh[[132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361]]
    lip = mesh[[426, 164, 206]]
    centre = mesh[13]
    outline = np.concatenate([centre + (jaw - centre) * rng.uniform(0.98, 1.12), lip])
    region = np.zeros((size, size), np.uint8)
    cv2.fillPoly(region, [_fixed_all(outline)], 255, cv2.LINE_AA, SUB)
    cv2.fillPoly(region, [_fixed_all(mesh[[61, 37, 0, 267, 291, 405, 17, 181]])], 0, 16, SUB)
    soft = cv2.GaussianBlur(region.astype(np.float32) / 255.0, (0, 0), rng.uniform(2, 6))
    hair = cv2.GaussianBlur(
        rng.normal(size=(size, size)).astype(np.float32), (0, 0), rng.uniform(0.4, 0.8),
        sigmaY=rng.uniform(0.8, 2.5),
    )  # fmt: skip
    density = np.clip(soft * rng.uniform(0.4, 1.0) + 0.35 * soft * hair / hair.std(), 0, 1)
    colour = np.array([0.16, 0.11, 0.08]) * rng.uniform(0.3, 2.5)
    if rng.random() < 0.15:
        colour = np.full(3, rng.uniform(0.45, 0.8))
    weight = density[..., None]
    return np.asarray(np.clip(image * (1 - weight) + weight * colour, 0, 1), np.float32)


def _fixed(point: NDArray[np.floating] | tuple[float, float]) -> tuple[int, int]:
    return round(float(point[0]) * 2**SUB), round(float(point[1]) * 2**SUB)


def _fixed_all(points: Points) -> NDArray[np.int32]:
    return np.asarray(np.round(points * 2**SUB), np.int32)


def _hand(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    """Fingers and the back of a hand in the face's own skin, as shaded capsules."""
    size = image.shape[0]
    skin = _skin(image, mesh, rng)
    target = mesh[13] + rng.normal(0, 18, 2) * size / 256
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else rng.normal(np.pi / 2, 0.7)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    width = rng.uniform(15, 24) * size / 256
    alpha = np.zeros((size, size), np.float32)
    shade = np.ones((size, size), np.float32)
    count = int(rng.integers(1, 5))
    for finger in range(count):
        start = target + across * width * 1.02 * (finger - (count - 1) / 2)
        start = start - along * rng.uniform(0.2, 2.2) * width
        end = start + along * width * rng.uniform(6, 9)
        plane = np.zeros((size, size), np.uint8)
        cv2.line(plane, _fixed(start), _fixed(end), 255, int(width), cv2.LINE_AA, SUB)
        one = plane.astype(np.float32) / 255.0
        inward = cv2.distanceTransform((plane > 127).astype(np.uint8), cv2.DIST_L2, 3)
        round_light = 0.62 + 0.45 * np.sqrt(np.clip(inward / (width / 2), 0, 1))
        shade = np.where(one > 0.5, round_light, shade)
        alpha = np.maximum(alpha, one)
    texture = 1 + cv2.GaussianBlur(rng.normal(0, 0.1, (size, size)).astype(np.float32), (0, 0), 1)
    return (skin * (shade * texture)[..., None]).astype(np.float32), alpha


def _fist(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    """A hand with its back, fingers that taper, and a thumb, from any side, as a lit relief."""
    size = image.shape[0]
    unit = float(np.linalg.norm(mesh[10] - mesh[152])) / 8  # about two centimetres
    forearm = rng.normal(np.pi / 2, 0.8)  # mostly from below
    back = np.array([np.cos(forearm), np.sin(forearm)])
    across = np.array([-back[1], back[0]]) * rng.choice([-1, 1])
    tips = mesh[int(rng.choice([13, 4, 164, 199]))] + rng.normal(0, 0.9 * unit, 2)
    knuckles = tips + back * unit * rng.uniform(1.2, 3.4)
    height = np.zeros((size, size), np.float32)
    spread, lean = rng.uniform(0.8, 1.1), rng.normal(0, 0.25)
    for finger in range(int(rng.integers(2, 5))):
        away = across * unit * spread * (finger - 1.5)
        reach = (0.92, 1.0, 0.95, 0.75)[finger] * rng.uniform(0.9, 1.05)
        tip = knuckles + away * rng.uniform(0.9, 1.4) + (tips - knuckles) * reach + across * lean
        _rod(height, knuckles + away, tip, unit * 0.5)
    palm = knuckles + back * unit * rng.uniform(2.2, 3.2)
    for share in (-1.2, -0.4, 0.4, 1.2):
        _rod(height, knuckles + across * unit * share, palm + across * unit * share * 0.8, unit)
    _rod(height, palm, palm + back * unit * 14, unit * 1.5)
    if rng.random() < 0.7:
        root = palm - back * unit + across * unit * 1.6
        _rod(height, root, root - back * unit * rng.uniform(1, 2.5) + across * unit, unit * 0.55)
    return _lit(_skin(image, mesh, rng), height, unit, rng), (height > 0).astype(np.float32)


def _rod(height: Plane, start: Points, end: Points, radius: float) -> None:
    """Raise a relief by a round rod, in place."""
    plane = np.zeros(height.shape, np.uint8)
    cv2.line(plane, _fixed(start), _fixed(end), 1, max(1, round(2 * radius)), cv2.LINE_8, SUB)
    inward = cv2.distanceTransform(plane, cv2.DIST_L2, 3)
    rod = np.sqrt(inward * np.clip(2 * radius - inward, 0.1, None)) * plane
    np.maximum(height, rod, out=height)


def _lit(
    colour: NDArray[np.floating], height: Plane, unit: float, rng: np.random.Generator
) -> Picture:
    """A relief in one colour, lit from a random side."""
    smooth = cv2.GaussianBlur(height, (0, 0), max(0.6, 0.12 * unit))
    slope = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], -1)
    side = rng.normal(0, 0.09, 2)
    light = np.clip(1 + (slope @ side) - 0.05 * np.abs(slope).sum(-1), 0.45, 1.35)
    grainy = light + grain(height.shape[0], rng)[..., 0] * np.float32(rng.uniform(0.005, 0.05))
    return np.asarray(grainy[..., None] * colour, np.float32)


def _skin(image: Picture, mesh: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    """The colour of forehead or cheeks, (3,), a little off."""
    where = mesh[[151, 9] if rng.random() < 0.6 else [50, 280]]
    column, row = np.clip(where.astype(int), 2, image.shape[0] - 3).T
    around = [
        image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
        for y, x in zip(row, column, strict=True)
    ]
    skin = np.median(np.concatenate(around), 0) * rng.uniform(0.7, 1.15)
    return np.asarray(np.clip(skin * np.exp(rng.normal(0, 0.05, 3)), 0.03, 0.97), np.float64)


def _slab(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    """A telephone, card or book, plain or with something on it."""
    size = image.shape[0]
    unit = float(np.linalg.norm(mesh[10] - mesh[152])) / 8
    centre = mesh[13] + rng.normal(0, 1.6 * unit, 2) + (0, unit)
    half = np.array([rng.uniform(1.2, 3.5), rng.uniform(2.0, 4.5)]) * unit
    turn = rng.normal(0, 0.5) if rng.random() < 0.8 else rng.uniform(0, np.pi)
    corner = rng.uniform(0.05, 0.6) * half.min()
    along, down = _turned(size, centre, turn)
    beyond = np.hypot(np.clip(np.abs(along) - half[0] + corner, 0, None),
                      np.clip(np.abs(down) - half[1] + corner, 0, None))  # fmt: skip
    thing = _paint(size, rng)
    for _ in range(int(rng.integers(0, 5))):  # lenses, logos, stripes, pictures
        at, reach = rng.uniform(-0.8, 0.8, 2) * half, rng.uniform(0.06, 0.6, 2) * half
        spot = (np.abs(along - at[0]) < reach[0]) & (np.abs(down - at[1]) < reach[1])
        if rng.random() < 0.5:
            spot = np.hypot(along - at[0], down - at[1]) < reach.min()
        thing[spot] = rng.uniform(0, 1, 3) if rng.random() < 0.5 else 0.04
    sheen = 1 + rng.normal(0, 0.25) * (along / half[0] + down / half[1]) * np.float32(0.5)
    thing = thing * np.clip(sheen, 0.4, 1.5)[..., None]
    return thing.astype(np.float32), _solid(beyond - corner)


def _cup(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    """A cup, mug, can or bottle: a round body, perhaps with bands, a print, a lid, a handle."""
    size = image.shape[0]
    unit = float(np.linalg.norm(mesh[10] - mesh[152])) / 8
    rim = mesh[int(rng.choice([2, 0, 13, 17]))] + rng.normal(0, 0.7 * unit, 2)
    tall, wide = rng.uniform(2.5, 6.5) * unit, rng.uniform(1.0, 2.8) * unit
    across, down = _turned(size, rim, rng.normal(0, 0.25))
    depth = down / np.float32(tall)
    half = wide * (1 - rng.uniform(-0.1, 0.35) * depth.clip(0, 1))
    if rng.random() < 0.2:  # the neck of a bottle
        half = half * (0.35 + 0.65 * np.clip((depth - 0.1) / 0.3, 0, 1))
    side = across / half
    dip = rng.uniform(0.04, 0.3) * half * np.sqrt(np.clip(1 - side**2, 0, None))
    beyond = np.maximum(np.maximum(np.abs(across) - half, -down - dip), down - tall - dip)
    colour = _paint(size, rng)
    for _ in range(int(rng.integers(0, 4))):
        colour[np.abs(depth - rng.random()) < rng.uniform(0.01, 0.25)] = _plain(rng)
    for _ in range(int(rng.integers(0, 3))):
        at = side - rng.uniform(-0.6, 0.6), depth - rng.uniform(0.2, 0.9)
        colour[np.hypot(at[0] / rng.uniform(0.1, 0.6), at[1] / rng.uniform(0.05, 0.3)) < 1] = (
            _plain(rng)
        )
    if rng.random() < 0.4:  # a lid
        colour[depth < rng.uniform(0.04, 0.15)] = rng.choice([0.05, 0.3, 0.9])
    else:  # the opening
        colour[down < dip] *= np.float32(rng.uniform(0.3, 1.2))
    if rng.random() < 0.25:
        ring = np.hypot(np.abs(across) - 1.1 * half, down - 0.5 * tall) - 0.28 * tall
        on_one_side = across * rng.choice([-1, 1]) > 0
        beyond = np.minimum(beyond, np.where(on_one_side, np.abs(ring) - 0.2 * unit, size))
    gleam = rng.uniform(0, 0.5) * np.exp(-(((side - rng.uniform(-0.7, 0.7)) / 0.15) ** 2))
    light = 1 - rng.uniform(0.1, 0.5) * np.clip(side, -1.2, 1.2) ** 2 + rng.normal(0, 0.2) * side
    light = (light + gleam).clip(0.3, 1.6) + grain(size, rng)[..., 0] * rng.uniform(0.0, 0.03)
    return (colour * light[..., None]).astype(np.float32), _solid(beyond)


def _turned(
    size: int, centre: NDArray[np.floating], turn: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(size, size) px to the right of and below a point, in axes turned by so many radians."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x - np.float32(centre[0]), y - np.float32(centre[1])
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return x * cos + y * sin, y * cos - x * sin


def _solid(beyond: NDArray[np.floating]) -> Plane:
    """What lies inside of an edge, from the distance beyond it in px."""
    inside: Plane = np.clip(0.5 - beyond, 0, 1).astype(np.float32)
    return inside


def _plain(rng: np.random.Generator) -> NDArray[np.float64]:
    """One colour (3,): half of the time a grey, black and white above all."""
    grey = np.full(3, rng.beta(0.5, 0.5)) + rng.normal(0, 0.02, 3)
    return np.asarray(rng.uniform(0.02, 0.95, 3) if rng.random() < 0.5 else grey.clip(0, 1))


def _paint(size: int, rng: np.random.Generator) -> Picture:
    """(size, size, 3) in one colour."""
    return np.broadcast_to(_plain(rng), (size, size, 3)).astype(np.float32).copy()


def _microphone(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    size = image.shape[0]
    head = mesh[17] + rng.normal(0, 14, 2) * size / 256
    radius = rng.uniform(12, 26) * size / 256
    end = head + np.array([rng.normal(0, 60), rng.uniform(60, 160)]) * size / 256
    plane = np.zeros((size, size), np.uint8)
    cv2.line(plane, _fixed(head), _fixed(end), 255, max(2, int(radius)), cv2.LINE_AA, SUB)
    cv2.circle(plane, _fixed(head), round(radius * 2**SUB), 255, -1, cv2.LINE_AA, SUB)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    mesh_light = 1 + 0.3 * np.sin(x * rng.uniform(0.8, 2)) * np.sin(y * rng.uniform(0.8, 2))
    glow = 1 - 0.3 * np.hypot(x - head[0] + radius / 2, y - head[1] + radius / 2) / (2 * radius)
    colour = np.full(3, rng.choice([0.08, 0.15, 0.5]))
    thing = colour * np.clip(mesh_light * np.clip(glow, 0.4, 1), 0, 2)[..., None]
    return thing.astype(np.float32), plane.astype(np.float32) / 255.0
