"""evaluate: what the shipped engines do on held-out faces with painted masks.

Everything runs as in the program: map, support, editor, colour match, blend; only the alignment
is the true one. Numbers are hole-only: inside the true mask, on the composited result, at the
crop's own resolution, the mean of per-picture values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32, UInt8
from realtime_unmask.unmask.compositor import feather, support
from realtime_unmask.unmask.editor import match_colour, paint
from realtime_unmask.unmask.map import find_masks, is_worn, normalise
from training import data
from training.masks.cloth import paint as put_on
from training.masks.shape import random_shape
from training.shards import CROP, Faces

SEED = 2026
SETTINGS = Settings(precision="fp32")


@dataclass(frozen=True, slots=True)
class Case:
    """One masked face of the evaluation set, 256 px.

    Attributes:
        group: "studio" (webmorph) or "other".
        bare, masked: (256, 256, 3) uint8 RGB.
        mask: (256, 256) bool, the true mask.
        valid: (256, 256) uint8, 1 where the picture is known.
    """

    group: str
    bare: UInt8
    masked: UInt8
    mask: NDArray[np.bool_]
    valid: UInt8


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over one group; dB, shares, and for `seam` CIE76 delta-E in a 4 px band."""

    count: int
    noop_psnr: float
    psnr: float
    ssim: float
    map_iou: float
    map_iou_5th: float
    area_ratio: float
    found: float
    false_area: float
    seam: float


def cases(faces: Faces) -> Iterator[Case]:
    """The frozen evaluation set: each val face with one mask that covers nose to chin."""
    held = data.validation_faces(faces)
    held = held.where(~np.isin(held.set, data.UNSEEN_SETS))
    for index in range(len(held)):
        rng = np.random.default_rng([SEED, index])
        seen = data.view(held, index, None)
        shape = random_shape(seen.mesh, CROP, rng, covering=True)
        masked = put_on(seen.image, shape, rng)
        yield Case(
            "studio" if held.set[index] == "webmorph" else "other",
            _bytes(seen.image),
            _bytes(masked),
            shape.map > 0.5,
            seen.valid.astype(np.uint8),
        )


def evaluate(faces: Faces, engines: Path, limit: int | None = None) -> dict[str, Scores]:
    """Scores by group. `limit` takes every n-th face, so that a look takes less time."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    digest = hashlib.sha256()
    every = list(cases(faces))
    step = max(1, len(every) // limit) if limit else 1
    with (
        load_engine("map", SETTINGS, engines) as mapper,
        load_engine("editor", SETTINGS, engines) as editor,
    ):
        for case in every[::step]:
            digest.update(case.masked.tobytes())
            rows.setdefault(case.group, []).append(_score(case, mapper, editor))
    print(f"evaluation set {digest.hexdigest()[:16]}, {len(every[::step])} faces")
    return {group: _summary(np.array(values)) for group, values in sorted(rows.items())}


def report(scores: dict[str, Scores], path: Path | None) -> str:
    """A Markdown table; also as JSON into `path`."""
    if path is not None:
        path.write_text(json.dumps({k: asdict(v) for k, v in scores.items()}, indent=2) + "\n")
    head = ("set", "n", "no-op dB", "hole-only dB", "SSIM", "map IoU", "5th pct",
            "support / mask", "found", "false area, bare", "seam delta-E")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, s in scores.items():
        lines.append(
            f"| {name} | {s.count} | {s.noop_psnr:.2f} | {s.psnr:.2f} | {s.ssim:.3f} | "
            f"{s.map_iou:.3f} | {s.map_iou_5th:.3f} | {s.area_ratio:.3f} | {s.found:.1%} | "
            f"{s.false_area:.2%} | {s.seam:.2f} |"
        )
    return "\n".join(lines)


def _score(case: Case, mapper: Engine, editor: Engine) -> tuple[float, ...]:
    found = find_masks(mapper, normalise([case.masked]), [None], 0.5)[0]
    bare = find_masks(mapper, normalise([case.bare]), [None], 0.5)[0]
    marked = found.values >= 0.5
    valid = case.valid > 0
    iou = (marked & case.mask & valid).sum() / ((marked | case.mask) & valid).sum()
    hole = support(found, 0.5)
    painted = paint(
        editor, normalise([case.masked]), hole[None].astype(np.float32), [None]
    )[0].rgb
    painted = match_colour(painted, case.masked, hole, case.valid)
    alpha = feather(hole, SETTINGS.feather_px)[..., None]
    blended = (case.masked * (1 - alpha) + painted * alpha) / 255.0
    result = _bytes(blended.astype(np.float32))
    inside = case.mask & valid
    return (
        _psnr(case.masked, case.bare, inside),
        _psnr(result, case.bare, inside),
        _ssim(result, case.bare, inside),
        float(iou),
        float(hole[valid].sum() / case.mask[valid].sum()),
        float(is_worn(found, None)),
        float((bare.values >= 0.5).mean()),
        _seam(result, hole),
    )


def _summary(values: NDArray[np.float64]) -> Scores:
    mean = values.mean(0)
    return Scores(
        count=len(values),
        noop_psnr=mean[0],
        psnr=mean[1],
        ssim=mean[2],
        map_iou=mean[3],
        map_iou_5th=float(np.percentile(values[:, 3], 5)),
        area_ratio=mean[4],
        found=mean[5],
        false_area=mean[6],
        seam=mean[7],
    )


def _bytes(image: Float32) -> UInt8:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def _psnr(a: UInt8, b: UInt8, where: NDArray[np.bool_]) -> float:
    error = ((a[where].astype(np.float64) - b[where]) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def _ssim(a: UInt8, b: UInt8, where: NDArray[np.bool_]) -> float:
    """Mean SSIM (Gaussian window, sigma 1.5) of grey values inside `where`."""
    x, y = (cv2.cvtColor(v, cv2.COLOR_RGB2GRAY).astype(np.float64) for v in (a, b))

    def blur(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.GaussianBlur(v, (11, 11), 1.5).astype(np.float64)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(value[where].mean())


def _seam(image: UInt8, hole: UInt8) -> float:
    """How much the colour jumps across the edge: mean delta-E of 2 px inside to 2 px outside."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    inner = (hole > 0) & (cv2.erode(hole, disc) == 0)
    outer = (hole == 0) & (cv2.dilate(hole, disc) > 0)
    means = []
    for part in (inner, outer):
        weight = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 2)
        total = cv2.GaussianBlur(lab * part[..., None], (0, 0), 2)
        means.append(total / np.maximum(weight, 1e-6)[..., None])
    edge = inner | outer
    return float(np.linalg.norm(means[0] - means[1], axis=2)[edge].mean())
