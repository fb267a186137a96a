"""The measures. Pictures are (S, S, 3) uint8 RGB, `where` and masks (S, S) bool."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Float64, UInt8

Bool = NDArray[np.bool_]
# Width of each side of a seam, and how far a boundary may be off, crop px.
SEAM_PX = 2
BOUNDARY_PX = 2


def psnr(a: UInt8, b: UInt8, where: Bool) -> float:
    """dB, over the pixels of `where`."""
    error = ((a[where].astype(np.float64) - b[where]) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def l1(a: UInt8, b: UInt8, where: Bool) -> float:
    """Mean absolute difference, of 255."""
    return float(np.abs(a[where].astype(np.float64) - b[where]).mean())


def slope(image: UInt8, where: Bool) -> float:
    """Mean slope of grey values over the pixels of `where`: how sharp a picture is."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(steep[where].mean())


def ssim_map(a: UInt8, b: UInt8) -> Float64:
    """(S, S) SSIM of grey values (Wang et al. 2004; Gaussian window, sigma 1.5)."""
    x, y = (cv2.cvtColor(v, cv2.COLOR_RGB2GRAY).astype(np.float32) for v in (a, b))

    def blur(v: NDArray[np.float32]) -> Float64:
        return cv2.GaussianBlur(v, (11, 11), 1.5).astype(np.float64)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.asarray(
        ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    )


def iou(a: Bool, b: Bool) -> float:
    """Shared area / joint area; 1 where both are empty."""
    joint = int((a | b).sum())
    return float((a & b).sum() / joint) if joint else 1.0


def boundary_f(a: Bool, b: Bool, reach: int = BOUNDARY_PX) -> float:
    """F measure of the two outlines, a point of one being found within `reach` px of the other's.

    1 where neither has an outline, 0 where only one has.
    """
    edges = [_outline(plane) for plane in (a, b)]
    if not edges[0].any() or not edges[1].any():
        return float(edges[0].any() == edges[1].any())
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = [cv2.dilate(edge.astype(np.uint8), disc) > 0 for edge in edges]
    precision = float(near[1][edges[0]].mean())
    recall = float(near[0][edges[1]].mean())
    return 2 * precision * recall / max(precision + recall, 1e-9)


def _outline(plane: Bool) -> Bool:
    """The innermost pixels along the edge; the picture's own border is none."""
    solid = plane.astype(np.uint8)
    inner = cv2.erode(solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return (solid - inner) > 0


def seam(image: UInt8, hole: UInt8, valid: Bool) -> float:
    """Mean CIEDE2000 between the 2 px inside and the 2 px outside of a hole's edge.

    Both sides are local means in the same picture, so a true picture gives the floor. 0 where
    there is no edge.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SEAM_PX + 1, 2 * SEAM_PX + 1))
    inner = ((hole - cv2.erode(hole, disc)) * valid).astype(np.float32)
    outer = ((cv2.dilate(hole, disc) - hole) * valid).astype(np.float32)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    means, shares = [], []
    for side in (inner, outer):
        share = _window(side)
        means.append(_window(lab * side[..., None]) / np.maximum(share, 1e-6)[..., None])
        shares.append(share)
    where = (inner + outer > 0) & (shares[0] > 1e-6) & (shares[1] > 1e-6)
    if not where.any():
        return 0.0
    return float(ciede2000(means[0][where], means[1][where]).mean())


def edge_error(image: UInt8, true: UInt8, hole: UInt8, valid: Bool) -> float:
    """Mean CIEDE2000 between a picture and the true one, in the 4 px along a hole's edge.

    2 px of them lie inside; outside the picture differs too, by the shade that a mask casts. NaN
    where there is no edge.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SEAM_PX + 1, 2 * SEAM_PX + 1))
    band = (cv2.dilate(hole, disc) > cv2.erode(hole, disc)) & valid
    if not band.any():
        return float("nan")
    ours, theirs = (
        cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[band].astype(np.float64)
        for one in (image, true)
    )
    return float(ciede2000(ours, theirs).mean())


def brightness(a: UInt8, b: UInt8, where: Bool) -> float:
    """How much brighter `a` is than `b` in the mean of all colours, of 255."""
    return float((a[where].astype(np.float64) - b[where]).mean())


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error, without those that are no number; NaN of fewer than two."""
    known = np.array([value for value in values if not np.isnan(value)])
    if len(known) < 2:
        return float("nan"), float("nan")
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))


def _window(plane: NDArray[np.float32]) -> Float64:
    side = 2 * SEAM_PX + 1
    return cv2.blur(plane, (side, side)).astype(np.float64)


def ciede2000(a: Float64, b: Float64) -> Float64:
    """(n,) colour differences of (n, 3) CIE Lab values (Sharma, Wu and Dalal 2005)."""
    light = (a[:, 0] + b[:, 0]) / 2
    chroma = (np.hypot(a[:, 1], a[:, 2]) + np.hypot(b[:, 1], b[:, 2])) / 2
    grey = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    reds = [v[:, 1] * (1 + grey) for v in (a, b)]
    chromas = [np.hypot(r, v[:, 2]) for r, v in zip(reds, (a, b), strict=True)]
    hues = [np.degrees(np.arctan2(v[:, 2], r)) % 360 for r, v in zip(reds, (a, b), strict=True)]
    product = chromas[0] * chromas[1]
    turn = (hues[1] - hues[0] + 180) % 360 - 180
    turn = np.where(product == 0, 0, np.where(turn == -180, 180, turn))
    d_hue = 2 * np.sqrt(product) * np.sin(np.radians(turn) / 2)
    hue = np.where(product == 0, hues[0] + hues[1], _mean_hue(hues[0], hues[1]))
    mean = (chromas[0] + chromas[1]) / 2
    weight = (
        1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue)
        + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    )  # fmt: skip
    off = (light - 50) ** 2
    d_light = (b[:, 0] - a[:, 0]) / (1 + 0.015 * off / np.sqrt(20 + off))
    d_chroma = (chromas[1] - chromas[0]) / (1 + 0.045 * mean)
    d_hue = d_hue / (1 + 0.015 * mean * weight)
    bent = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    cross = -np.sin(np.radians(bent)) * 2 * np.sqrt(mean**7 / (mean**7 + 25.0**7))
    return np.asarray(np.sqrt(d_light**2 + d_chroma**2 + d_hue**2 + cross * d_chroma * d_hue))


def _mean_hue(a: Float64, b: Float64) -> Float64:
    total = a + b
    apart = np.abs(a - b) > 180
    return np.asarray(np.where(apart, np.where(total < 360, total + 360, total - 360), total) / 2)


def _cos(degrees: Float64) -> Float64:
    return np.asarray(np.cos(np.radians(degrees)))


def mean_of_known(values: Sequence[float]) -> float:
    """Without those that are no number; NaN where none is left."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def auc(positive: Float64, negative: Float64) -> float:
    """Area under the ROC curve: how often a positive is above a negative, ties half."""
    both = np.concatenate([positive, negative])
    _, rank, counts = np.unique(both, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    total = mean_rank[rank[: len(positive)]].sum()
    wins = total - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


def frechet(a: Float64, b: Float64) -> float:
    """Fréchet distance of two clouds of features (n, d), taken as Gaussian (Heusel et al. 2017)."""
    gap = a.mean(0) - b.mean(0)
    first, second = (np.cov(v, rowvar=False) + 1e-6 * np.eye(v.shape[1]) for v in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared)
