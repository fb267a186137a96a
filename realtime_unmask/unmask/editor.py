"""The editing module: paints the hole, and fits its colour to what is around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realtime_unmask.inference.engine import Engine
from realtime_unmask.types import Float32, Float64, UInt8

# How far a previous output is trusted as a guess for the next frame.
PRIOR_WEIGHT = 0.6
# The band around the hole in which painted and real colour are compared, crop px: the network
# was trained to paint a rim of 6 px as well.
BAND_PX = (1, 6)
# Width of each side of the seam, crop px.
SEAM_PX = 2
TRIMMED_SHARE = 0.3
MIN_BAND_PIXELS = 200


@dataclass(frozen=True, slots=True)
class Painted:
    """What the editor made of one crop.

    Attributes:
        rgb: (S, S, 3) float32 in [0, 255].
        confidence: (S, S) float32 in [0, 1].
    """

    rgb: Float32
    confidence: Float32


def paint(
    engine: Engine, batch: Float32, holes: Float32, priors: list[Float32 | None]
) -> list[Painted]:
    """Paint the holes.

    Args:
        engine: the editor network.
        batch: (N, 3, S, S) float32 RGB in [-1, 1].
        holes: (N, S, S) float32, 1 in the hole, else 0.
        priors: a guess for each crop, (S, S, 3) float32 in [0, 255]; None where there is none.
    """
    hole = holes[:, None]
    prior = np.zeros_like(batch)
    weight = np.zeros_like(hole)
    for number, guess in enumerate(priors):
        if guess is not None:
            prior[number] = (guess.transpose(2, 0, 1) / 127.5 - 1) * hole[number]
            weight[number] = PRIOR_WEIGHT * hole[number]
    made = engine.infer(
        {"image": batch * (1 - hole), "map": hole, "prior": prior, "prior_weight": weight}
    )
    rgb = (made["rgb"].transpose(0, 2, 3, 1) + 1) * 127.5
    return [
        Painted(np.ascontiguousarray(one), sure[0])
        for one, sure in zip(rgb, made["confidence"], strict=True)
    ]


def match_colour(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8) -> Float32:
    """Carry the difference along the hole's edge inward, as a plane in x and y.

    Fitted on what the network made of the rim around the hole, where the truth is known, and kept
    only if the seam gets smaller. Nothing is learnt from lips or beard: they lie inside.

    Args:
        painted: (S, S, 3) float32 in [0, 255], the editor's output for the whole crop.
        crop: (S, S, 3) uint8, the real picture.
        hole: (S, S) uint8, 1 in the hole.
        known: (S, S) uint8, 1 where the crop is inside the picture.

    Returns:
        (S, S, 3) float32 in [0, 255].
    """
    inner, outer = (cv2.dilate(hole, _disc(reach)) for reach in BAND_PX)
    rows, columns = np.nonzero((outer > inner) & (known > 0))
    if rows.size < MIN_BAND_PIXELS:
        return painted
    size = hole.shape[0]
    terms = np.stack([np.ones(rows.size), columns / size - 0.5, rows / size - 0.5], 1)
    plane = _trimmed_fit(terms, crop[rows, columns].astype(np.float64) - painted[rows, columns])
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    change = plane[0] + x[..., None] * plane[1] + y[..., None] * plane[2]
    matched: Float32 = np.clip(painted + change, 0, 255).astype(np.float32)
    nearer = seam(matched, crop, hole, known) < seam(painted, crop, hole, known)
    return matched if nearer else painted


def seam(painted: Float32, crop: UInt8, hole: UInt8, known: UInt8) -> float:
    """How much the colour jumps across the hole's edge: mean CIE76 delta-E.

    Compares the means of what is within SEAM_PX inside and outside of each point of the edge.
    """
    x, y, width, height = cv2.boundingRect(cv2.dilate(hole, _disc(3 * SEAM_PX)))
    part = (slice(y, y + height), slice(x, x + width))
    inside, known = hole[part] > 0, known[part]
    mixed = np.where(inside[..., None], painted[part], crop[part].astype(np.float32))
    lab = cv2.cvtColor(mixed / np.float32(255), cv2.COLOR_RGB2LAB)
    disc = _disc(SEAM_PX)
    inner = inside & (cv2.erode(hole[part], disc) == 0) & (known > 0)
    outer = ~inside & (cv2.dilate(hole[part], disc) > 0) & (known > 0)
    means, weights = [], []
    for side in (inner, outer):
        weights.append(cv2.blur(side.astype(np.float32), (2 * SEAM_PX + 1,) * 2))
        total = cv2.blur(lab * side[..., None], (2 * SEAM_PX + 1,) * 2)
        means.append(total / np.maximum(weights[-1], 1e-6)[..., None])
    edge = (inner | outer) & (weights[0] > 0) & (weights[1] > 0)
    if not edge.any():
        return 0.0
    return float(np.linalg.norm(means[0] - means[1], axis=2)[edge].mean())


def _trimmed_fit(terms: Float64, gap: Float64) -> Float64:
    """Least squares, then again without the worst: hair and collars are no skin."""
    plane = np.linalg.lstsq(terms, gap, rcond=None)[0]
    off = np.abs(gap - terms @ plane).sum(1)
    good = off <= np.quantile(off, 1 - TRIMMED_SHARE)
    # Ridge on the slopes keeps a one-sided band from tilting the whole mouth.
    ridge = np.diag([0.0, 0.02, 0.02]) * good.sum()
    a = terms[good]
    return np.asarray(np.linalg.solve(a.T @ a + ridge, a.T @ gap[good]))


def _disc(radius: int) -> UInt8:
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
