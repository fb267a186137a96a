"""Things before a face that are not masks: hands, cups, microphones, beards, glasses."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.shape import SUB, Plane, Points

Picture = NDArray[np.float32]


def occlude(
    image: Picture, mesh: Points, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Put a hand, a cup or a microphone before the lower face.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1].
        mesh: (478, 2) float32, crop px.

    Returns:
        The picture and (S, S) float32, where the thing is.
    """
    draw = (_hand, _hand, _cup, _microphone)[rng.integers(4)]
    thing, alpha = draw(image, mesh, rng)
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
    cheek = mesh[[50, 280, 151]]
    samples = image[np.clip(cheek[:, 1].astype(int), 0, size - 1),
                    np.clip(cheek[:, 0].astype(int), 0, size - 1)]  # fmt: skip
    skin = np.clip(samples.mean(0) * rng.uniform(0.7, 1.1), 0.05, 0.95)
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


def _cup(image: Picture, mesh: Points, rng: np.random.Generator) -> tuple[Picture, Plane]:
    size = image.shape[0]
    top = mesh[0] + rng.normal(0, 8, 2) * size / 256
    half, height = rng.uniform(22, 45) * size / 256, rng.uniform(60, 120) * size / 256
    taper, tilt = rng.uniform(0.6, 1.05), rng.normal(0, 0.3)
    axis = np.array([np.sin(tilt), np.cos(tilt)])
    across = np.array([axis[1], -axis[0]])
    corners = np.array([top - across * half, top + across * half,
                        top + axis * height + across * half * taper,
                        top + axis * height - across * half * taper])  # fmt: skip
    plane = np.zeros((size, size), np.uint8)
    cv2.fillPoly(plane, [_fixed_all(corners.astype(np.float32))], 255, cv2.LINE_AA, SUB)
    lean = float(np.degrees(np.arctan2(across[1], across[0])))
    cv2.ellipse(plane, _fixed(top), _fixed((half, half * 0.25)), lean, 0, 360, 255, -1, 16, SUB)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    side = ((x - top[0]) * across[0] + (y - top[1]) * across[1]) / half
    colour = np.clip(rng.choice([0.1, 0.5, 0.9]) + rng.normal(0, 0.15, 3), 0.02, 1)
    light = 1 - 0.4 * np.clip(np.abs(side), 0, 1.2) ** 2 + rng.normal(0, 0.2) * side
    return (colour * light[..., None]).astype(np.float32), plane.astype(np.float32) / 255.0


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
