"""The two networks of one folder, run on crops as the program runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_unmask.closing import Closing
from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32, MaskMap, UInt8
from realtime_unmask.unmask.colour import match_colour
from realtime_unmask.unmask.compositor import Canvas, feather, support
from realtime_unmask.unmask.editor import Prior, painted, start_painting
from realtime_unmask.unmask.map import find_masks, is_worn, normalise
from training.evaluation import cases
from training.evaluation.cases import Case
from training.evaluation.scores import Bool
from training.shards import CROP

# One thread, since the work is spread over processes; one fixed backend, so that two runs agree.
SETTINGS = Settings(backend="onnxruntime", precision="fp32", threads=1)
THRESHOLD = SETTINGS.mask_threshold
# Of a pixel: true maps are cut at the same share.
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What the map network said of one crop.

    Attributes:
        map: after the program's own clean-up.
        marked: (S, S) bool, the pixels of which at least half is mask.
        worn: whether that is enough for a mask.
        hole: (S, S) uint8, the support: 1 where it would be painted, which is from a lower
            threshold on, and a little beyond; all 0 if not worn.
    """

    map: MaskMap
    marked: Bool
    worn: bool
    hole: UInt8


class Engines(Closing):
    """Map and editor of `folder`; use as a context manager or call close()."""

    def __init__(self, folder: Path) -> None:
        self._mapper = load_engine("map", SETTINGS, folder)
        try:
            self._editor: Engine = load_engine("editor", SETTINGS, folder)
        except BaseException:
            self._mapper.close()
            raise

    def find(self, crop: UInt8) -> Found:
        """The mask in a (S, S, 3) uint8 RGB crop."""
        return found(self._mapper, crop)

    def paint(self, masked: UInt8, hole: UInt8, prior: Prior | None = None) -> Float32:
        """(S, S, 3) float32 in [0, 255]: the painted crop, as that of a still.

        Args:
            prior: a guess.
        """
        planes = normalise(masked)[None]
        holes = hole[None].astype(np.float32)
        start_painting(self._editor, planes, holes, [prior], "both")
        return painted(self._editor, "both")[0].rgb

    def unmask(self, case: Case, hole: UInt8, prior: Prior | None = None) -> UInt8:
        """(S, S, 3) uint8: the case with its hole painted; arguments as of `paint`."""
        if not hole.any():
            return case.masked
        return laid_in(self.paint(case.masked, hole, prior), case, hole)

    def close(self) -> None:
        """Free the networks; safe to call again."""
        self._mapper.close()
        self._editor.close()


def found(mapper: Engine, crop: UInt8) -> Found:
    """Run the map network on one crop, (S, S, 3) uint8 RGB."""
    mask = find_masks(mapper, normalise(crop)[None], [None], THRESHOLD)[0]
    worn = is_worn(mask, None)
    hole = support(mask, THRESHOLD) if worn else np.zeros(crop.shape[:2], np.uint8)
    return Found(mask, mask.values >= HALF, worn, hole)


def laid_in(painted: Float32, case: Case, hole: UInt8) -> UInt8:
    """A painted crop, (S, S, 3) float32 in [0, 255], in the case's picture, cut out again.

    With its colour matched, blended, and as coarse as that picture: what the program shows.
    """
    if not hole.any():
        return case.masked
    matched = match_colour(painted, case.masked, hole, case.valid.astype(np.uint8))
    if case.frame.shape[0] == CROP:
        return blended(matched, case.masked, hole)
    canvas = Canvas(case.frame)
    canvas.put(
        matched, feather(hole, SETTINGS.feather_px), cases.alignment(case.frame.shape[0])
    )
    done = canvas.result()
    return case.masked if done is None else cases.enlarged(done[0])


def blended(painted: Float32, masked: UInt8, hole: UInt8) -> UInt8:
    """A matched crop, (S, S, 3) float32 in [0, 255], laid into the picture."""
    alpha = feather(hole, SETTINGS.feather_px)[..., None]
    return np.clip(np.rint(masked * (1 - alpha) + painted * alpha), 0, 255).astype(np.uint8)
