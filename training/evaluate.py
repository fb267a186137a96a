"""evaluate: what the shipped engines do on held-out faces with painted masks.

Everything runs as in the program: map, support, editor, colour match, blend; only the alignment
is the true one. Numbers are hole-only: inside the true mask, on the composited result, at the
crop's own resolution, the mean of per-picture values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32, UInt8
from realtime_unmask.unmask.compositor import feather, support
from realtime_unmask.unmask.editor import match_colour, paint, seam
from realtime_unmask.unmask.map import find_masks, is_worn, normalise
from training import data
from training.masks.cloth import paint as put_on
from training.masks.shape import random_shape
from training.shards import CROP, Faces

SEED = 2026
SETTINGS = Settings(precision="fp32")
THRESHOLD = SETTINGS.mask_threshold


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
    """Means over one group.

    Attributes:
        count: pictures.
        noop_psnr, psnr, ssim, l1: in the hole, of the masked picture and of the result; l1 of 255.
        full_psnr: of the whole composited crop.
        outside: the largest difference from the input outside the support, 0..255.
        map_iou, map_iou_5th: the map against the true mask.
        area_ratio: support / true mask.
        found: share of pictures in which a mask was found.
        false_area: share of the bare picture that was marked.
        seam: CIE76 delta-E across the edge of the support.
        true_seam: the same of the bare picture, the floor.
    """

    count: int
    noop_psnr: float
    psnr: float
    ssim: float
    l1: float
    full_psnr: float
    outside: float
    map_iou: float
    map_iou_5th: float
    area_ratio: float
    found: float
    false_area: float
    seam: float
    true_seam: float


NAMES = [field.name for field in fields(Scores)][1:]


def cases(faces: Faces, step: int = 1) -> Iterator[Case]:
    """The frozen evaluation set: each `step`th val face, with a mask that covers nose to chin."""
    held = data.validation_faces(faces)
    held = held.where(~np.isin(held.set, data.UNSEEN_SETS))
    for index in range(0, len(held), step):
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
    held = len(data.validation_faces(faces))
    step = max(1, held // limit) if limit else 1
    with (
        load_engine("map", SETTINGS, engines) as mapper,
        load_engine("editor", SETTINGS, engines) as editor,
    ):
        for case in cases(faces, step):
            digest.update(case.masked.tobytes())
            rows.setdefault(case.group, []).append(_score(case, mapper, editor))
    count = sum(len(values) for values in rows.values())
    print(f"evaluation set {digest.hexdigest()[:16]}, {count} faces")
    return {group: _summary(np.array(values)) for group, values in sorted(rows.items())}


def report(scores: dict[str, Scores], path: Path | None) -> str:
    """A Markdown table; also as JSON into `path`."""
    if path is not None:
        path.write_text(json.dumps({k: asdict(v) for k, v in scores.items()}, indent=2) + "\n")
    names = [field.name for field in fields(Scores)]
    lines = ["| set | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for group, row in scores.items():
        values = [f"{getattr(row, name):.4g}" for name in names]
        lines.append(f"| {group} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _score(case: Case, mapper: Engine, editor: Engine) -> tuple[float, ...]:
    planes = normalise(case.masked)[None]
    found = find_masks(mapper, planes, [None], THRESHOLD)[0]
    bare = find_masks(mapper, normalise(case.bare)[None], [None], THRESHOLD)[0]
    worn, valid = is_worn(found, None), case.valid > 0
    hole = support(found, THRESHOLD) if worn else np.zeros_like(case.valid)
    painted = paint(editor, planes, hole[None].astype(np.float32), [None])[0].rgb
    painted = match_colour(painted, case.masked, hole, case.valid)
    alpha = feather(hole, SETTINGS.feather_px)[..., None]
    blended = (case.masked * (1 - alpha) + painted * alpha) / 255.0
    result = _bytes(blended.astype(np.float32))
    marked, inside = found.values >= THRESHOLD, case.mask & valid
    change = np.abs(result.astype(int) - case.masked).max(2)
    error = np.abs(result.astype(int) - case.bare)
    return (
        _psnr(case.masked, case.bare, inside),
        _psnr(result, case.bare, inside),
        _ssim(result, case.bare, inside),
        float(error[inside].mean()),
        _psnr(result, case.bare, valid),
        float(change[hole == 0].max()),
        float((marked & inside).sum() / ((marked | case.mask) & valid).sum()),
        float(hole[valid].sum() / inside.sum()),
        float(worn),
        float((bare.values >= THRESHOLD).mean() if is_worn(bare, None) else 0.0),
        seam(result.astype(np.float32), case.masked, hole, case.valid),
        seam(case.bare.astype(np.float32), case.bare, hole, case.valid),
    )


def _summary(values: NDArray[np.float64]) -> Scores:
    """Means, but the lowest twentieth of the maps and the worst change outside."""
    mean = [float(v) for v in values.mean(0)]
    mean[5] = float(values[:, 5].max())
    mean.insert(7, float(np.percentile(values[:, 6], 5)))
    return Scores(len(values), **dict(zip(NAMES, mean, strict=True)))


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
