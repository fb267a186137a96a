"""How a face moved since the frame before, by optical flow of its eyes, brows and nose bridge.

A tenth of the price of looking for the mesh anew, and steadier; it drifts, so that a look has to
follow every few frames. Sparse Lucas-Kanade (Bouguet 2001) at a fixed size of the face, then one
similarity for the whole mesh: what turns out of the picture's plane is left to the next look.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realtime_unmask.faces.alignment import POINTS
from realtime_unmask.types import Float32, Float64, UInt8

# The window is reduced until the eyes are this far apart, px.
EYES_PX = 56.0
# Room around the points, in eye distances: how far they may move in one frame.
ROOM = 0.6
# The patch that is sought, px of the reduced window, and its pyramid.
PATCH = (15, 15)
LEVELS = 2
TRIMMED_SHARE = 0.3
# Fewer points, or points that disagree by more eye distances: the flow is not believed.
MIN_POINTS = 16
MAX_RESIDUE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """The surroundings of a face's eyes in one frame, grey and reduced.

    Attributes:
        grey: (h, w) uint8.
        matrix: (2, 3) float64, frame px -> px of `grey`.
        scale: px of `grey` per frame px.
    """

    grey: UInt8
    matrix: Float64
    scale: float


def glimpse(image: UInt8, mesh: Float32) -> Glimpse | None:
    """What is remembered of a frame; None for a face that is too small to be followed so.

    Args:
        image: (H, W, 3) uint8 RGB.
        mesh: (478, 3) float32, px of the picture.
    """
    points = mesh[POINTS, :2]
    eyes = float(np.linalg.norm(mesh[263, :2] - mesh[33, :2]))
    if not eyes >= 8:  # also where it is not a number
        return None
    scale = min(1.0, EYES_PX / eyes)
    low, high = points.min(0) - ROOM * eyes, points.max(0) + ROOM * eyes
    width, height = np.ceil((high - low) * scale).astype(int)
    matrix = np.array([[scale, 0, -scale * low[0]], [0, scale, -scale * low[1]]])
    return Glimpse(_cut(image, matrix, (int(width), int(height))), matrix, scale)


def again(image: UInt8, before: Glimpse) -> Glimpse:
    """The same part of the next frame."""
    height, width = before.grey.shape
    return Glimpse(_cut(image, before.matrix, (width, height)), before.matrix, before.scale)


def follow(before: Glimpse, now: Glimpse, mesh: Float32) -> Float32 | None:
    """The mesh a frame later; None if the picture does not tell.

    Args:
        before, now: the same part of two frames.
        mesh: (478, 3) float32, frame px, where it was in `before`.
    """
    shift = before.matrix[:, 2]
    start = (mesh[POINTS, :2] * before.scale + shift).astype(np.float32)
    end, found, _ = cv2.calcOpticalFlowPyrLK(
        before.grey, now.grey, start[:, None], start[:, None].copy(),
        winSize=PATCH, maxLevel=LEVELS,
    )  # fmt: skip
    known = found.ravel() > 0
    if known.sum() < MIN_POINTS:
        return None
    fitted = _similarity(start[known].astype(np.float64), end[known, 0].astype(np.float64))
    eyes = EYES_PX if before.scale < 1 else float(np.linalg.norm(mesh[263] - mesh[33]))
    if fitted is None or fitted[1] > MAX_RESIDUE * eyes:
        return None
    linear = fitted[0][:, :2]
    moved = np.empty_like(mesh)
    moved[:, :2] = ((mesh[:, :2] * before.scale + shift) @ linear.T + fitted[0][:, 2] - shift) / (
        before.scale
    )
    moved[:, 2] = mesh[:, 2] * np.hypot(linear[0, 0], linear[1, 0])
    return moved


def _cut(image: UInt8, matrix: Float64, size: tuple[int, int]) -> UInt8:
    part, adjusted = image, matrix
    factor = int(1 / matrix[0, 0] + 0.25)
    if factor >= 2:  # every pixel has to count, or the patches flicker
        part, adjusted = _reduced(image, matrix, size, factor)
    cut = cv2.warpAffine(
        part, adjusted, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _reduced(
    image: UInt8, matrix: Float64, size: tuple[int, int], factor: int
) -> tuple[UInt8, Float64]:
    """The part that is needed, reduced by `factor`, and the matrix from there."""
    height, width = image.shape[:2]
    scale = matrix[0, 0]
    low = -matrix[:, 2] / scale
    most = (max(width - factor, 0), max(height - factor, 0))
    x0, y0 = np.clip(np.floor(low).astype(int), 0, most)
    high = np.ceil(low + np.array(size) / scale).astype(int)
    x1, y1 = np.clip(high, (x0 + factor, y0 + factor), (width, height))
    small = (max(int(x1 - x0) // factor, 1), max(int(y1 - y0) // factor, 1))
    part = image[y0 : min(y0 + small[1] * factor, y1), x0 : min(x0 + small[0] * factor, x1)]
    reduced = cv2.resize(part, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    origin = np.array([x0, y0]) + 0.5 * factor - 0.5
    return reduced, np.hstack([matrix[:, :2] * factor, (scale * origin + matrix[:, 2])[:, None]])


def _similarity(start: Float64, end: Float64) -> tuple[Float64, float] | None:
    """Least squares, then again without the worst: a lid that closes is no motion of the head.

    Returns:
        The (2, 3) matrix start -> end, and the median distance that is left, px.
    """
    matrix = _fit(start, end)
    if matrix is None:
        return None
    off = np.linalg.norm(start @ matrix[:, :2].T + matrix[:, 2] - end, axis=1)
    good = off <= np.quantile(off, 1 - TRIMMED_SHARE)
    matrix = _fit(start[good], end[good])
    if matrix is None:
        return None
    off = np.linalg.norm(start @ matrix[:, :2].T + matrix[:, 2] - end, axis=1)
    return matrix, float(np.median(off))


def _fit(start: Float64, end: Float64) -> Float64 | None:
    """The similarity that carries `start` to `end` best; None if it is not one."""
    mean, target = start.mean(0), end.mean(0)
    # As complex numbers a similarity is one factor.
    a = (start - mean) @ np.array([1, 1j])
    b = (end - target) @ np.array([1, 1j])
    size = float((np.abs(a) ** 2).sum())
    factor = complex((a.conj() @ b) / size) if size > 0 else 0j
    if not 0.5 < abs(factor) < 2:
        return None
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.hstack([linear, (target - linear @ mean)[:, None]])
