"""A random camera: exposure, white balance, blur, low resolution, noise, JPEG."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

# How far a head may move while it is exposed, in shares of the crop: quick ones in a dim room do.
MOTION = (0.01, 0.09)


@cache
def _bank() -> Picture:
    """Noise is drawn once and then cut at random places: drawing it anew would take longer than
    everything else here."""
    return np.random.default_rng(0).standard_normal((768, 768, 3)).astype(np.float32)


def grain(size: int, rng: np.random.Generator) -> Picture:
    """(size, size, 3) float32 white noise, mean 0, deviation 1; size at most 512."""
    x, y = rng.integers(0, 768 - size, 2)
    return _bank()[y : y + size, x : x + size]


def frame_edge(
    image: Picture, inside: tuple[int, int, int, int]
) -> tuple[Picture, NDArray[np.float32]]:
    """The picture as if it ended at x0, y0, x1, y1: beyond, its edge is repeated.

    Returns:
        The picture, and (S, S) float32: 1 where it is known.
    """
    x0, y0, x1, y1 = inside
    size = image.shape[0]
    known = np.zeros((size, size), np.float32)
    known[y0:y1, x0:x1] = 1
    around = (y0, size - y1, x0, size - x1)
    cut = cv2.copyMakeBorder(image[y0:y1, x0:x1], *around, cv2.BORDER_REPLICATE)
    return cut.astype(np.float32), known


def tight(
    mesh: NDArray[np.float32], size: int, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a picture that ends close to the face, or cuts it a little."""
    low, high = mesh.min(0), mesh.max(0)
    reach = (high - low) * rng.uniform(-0.15, 0.45, (2, 2))
    reach[rng.random((2, 2)) < 0.4] = size  # that side is far away
    x0, y0 = np.clip(low - reach[0], 0, size * 0.35).astype(int)
    x1, y1 = np.clip(high + reach[1], size * 0.65, size).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def grade(image: Picture, rng: np.random.Generator) -> Picture:
    """Exposure, contrast, white balance and saturation; float32 RGB in [0, 1]."""
    gain = np.exp(rng.normal(0, 0.16) + rng.normal(0, 0.05, 3)).astype(np.float32)
    gamma = float(np.exp(rng.normal(0, 0.14)))
    image = cv2.pow(np.clip(image, 0, 1), gamma) * gain
    if rng.random() < 0.35:
        grey = (image[..., :1] + image[..., 1:2] + image[..., 2:]) / 3
        kept = rng.uniform(0.3 if rng.random() < 0.8 else 0.0, 1.3)
        image = np.asarray(grey + (image - grey) * kept, np.float32)
    return np.clip(image, 0, 1).astype(np.float32)


def reduced(image: Picture, rng: np.random.Generator) -> Picture:
    """As if the face had been small in its photograph, and enlarged; the same form."""
    size = image.shape[0]
    low = max(24, round(size * rng.uniform(0.2, 0.8)))
    small = cv2.resize(image, (low, low), interpolation=cv2.INTER_AREA)
    how = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(small, (size, size), interpolation=how).astype(np.float32)


def harsh(image: Picture, rng: np.random.Generator) -> Picture:
    """In grey, in coloured light, overexposed, in the dark, or lit unevenly; float32 in [0, 1]."""
    kind = rng.random()
    if kind < 0.25:
        weights = rng.dirichlet((3.0, 6.0, 2.0))
        return np.repeat((image @ weights)[..., None], 3, 2).astype(np.float32)
    if kind < 0.45:
        light = np.exp(rng.normal(0, 0.25, 3))
    elif kind < 0.65:
        light = np.exp(rng.uniform(0.2, 0.8)) * np.exp(rng.normal(0, 0.05, 3))
    elif kind < 0.8:
        light = np.exp(rng.uniform(-2.2, -0.5)) * np.exp(rng.normal(0, 0.05, 3))
    else:
        field = smooth_field(image.shape[0], (2, 3, 1), rng) * rng.uniform(0.1, 0.4)
        light = np.exp(field + field * rng.normal(0, 0.15, 3))
    return np.clip(image * light, 0, 1).astype(np.float32)


def smooth_field(size: int, knots: tuple[int, int, int], rng: np.random.Generator) -> Picture:
    """(size, size, c) smooth noise of deviation about 1, from (rows, columns, c) knots."""
    noise = rng.normal(size=knots).astype(np.float32)
    field = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return field.reshape(size, size, knots[2]).astype(np.float32, copy=False)


def moved(planes: list[Picture], rng: np.random.Generator) -> list[Picture]:
    """All planes, (S, S) or (S, S, C), blurred alike by a head that moved while it was exposed."""
    length = rng.uniform(*MOTION) * planes[0].shape[0]
    angle = rng.normal(0, 0.35) if rng.random() < 0.7 else rng.uniform(0, np.pi)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    reach = int(np.ceil(np.abs(half).max())) + 1
    path = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    ends = [tuple(np.rint((reach + sign * half) * 16).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(path, ends[0], ends[1], (255,), 1, cv2.LINE_AA, 4)
    weight = path.astype(np.float32) / path.sum()
    return [
        cv2.filter2D(p, -1, weight, borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
        for p in planes
    ]


def degrade(image: Picture, rng: np.random.Generator) -> Picture:
    """Blur, low resolution, noise and JPEG; float32 RGB in [0, 1]."""
    size = image.shape[0]
    if rng.random() < 0.4:
        image = reduced(image, rng)
    elif rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0)).astype(np.float32)
    if rng.random() < 0.6:
        level = abs(rng.normal(0, 0.025))
        image = image + grain(size, rng) * np.float32(level)
    image = np.clip(image, 0, 1)
    if rng.random() < 0.45:
        byte = (image * 255).astype(np.uint8)
        quality = int(rng.integers(25, 95))
        coded = cv2.imencode(".jpg", byte, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.float32) / np.float32(255)
    return np.asarray(image, np.float32)
