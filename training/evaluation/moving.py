"""A mask painted on the people of bare-faced clips, taken off again by the whole program.

Everything that a video meets has a part: tracking, alignment, the map's memory, the paint. What is
steady in time is judged along the motion of the bare clip, whose own figure is the floor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import MediaUnsupported
from realtime_unmask.faces.alignment import align, crop, to_crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.manifest import Manifest
from realtime_unmask.types import Alignment, Float32, Frame, Likeness, UInt8
from realtime_unmask.unmask.unmasker import State, Unmasker
from training import data, unseen
from training.evaluation import scores
from training.evaluation.cases import SEED, to_bytes
from training.evaluation.engines import SETTINGS
from training.evaluation.pool import spread
from training.evaluation.scores import Bool
from training.prepare import VIDEOS
from training.shards import CLIPS, CROP, Faces

# Seconds of each clip that are judged.
SECONDS = 4
TRUE, SINGLE, VIDEO = "true clip", "each frame by itself", "as a video"
LIKE = "as a video, with a bare face from its end"
# How far a mask's shade is carried over into the picture, crop px.
SHADE_PX = 12

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a clip.

    Attributes:
        bare: (H, W, 3) uint8 RGB.
        masked: the frame as the program meets it.
        mask: (H, W) bool, the true mask.
    """

    bare: UInt8
    masked: Frame
    mask: Bool


def evaluate(
    faces: Faces,
    clips: Path,
    engines: Path,
    *,
    seconds: float = SECONDS,
    workers: int | None = None,
) -> dict[str, Row]:
    """A table: the true clips, stills of them, as `video` and live do, videos with a likeness.

    The last row is of those clips whose end shows a face that can be enrolled. The measures: psnr,
    dB in the hole; sharp, the mean slope in the hole against the true clip's; flicker, by how
    much a pixel of the hole differs from what the motion made of it one frame before, of 255;
    flicker / true, that divided by the true clips'; painted, the share of frames in which a face
    was painted: the other measures are of those alone.

    Args:
        faces: all prepared faces; they tell which clips are held out.
        clips: the folder of videos that they were prepared from.
        engines: folder with the networks.
        seconds: of each clip, from its start.
        workers: processes; one for each core where None.

    Raises:
        ValueError: no held-out clip is there, or one shows no face.
    """
    chosen = held_out(faces, clips)
    answers = list(spread(partial(_Worker, engines, seconds), chosen, workers))
    table = {}
    for name in dict.fromkeys(name for answer in answers for name in answer):
        rows = [answer[name] for answer in answers if name in answer]
        table[name] = {
            measure: scores.mean_of_known([row[measure] for row in rows]) for measure in rows[0]
        }
    return {name: _against(row, table[TRUE]) for name, row in table.items()}


def _against(row: Row, true: Row) -> Row:
    """A row with its flicker in shares of the true clips' own."""
    ratio = row["flicker"] / true["flicker"] if true["flicker"] > 0 else np.nan
    return row | {"flicker / true": ratio}


def held_out(faces: Faces, clips: Path) -> list[Path]:
    """The videos of a folder that no network was trained on.

    Raises:
        ValueError: there is none.
    """
    kept = faces.where(data.held_out(faces) & (faces.set == CLIPS))
    names = sorted({name.partition("/")[2] for name in data.person(kept).tolist()})
    found = [p for p in sorted(clips.iterdir()) if p.suffix.lower() in VIDEOS and p.stem in names]
    if not found:
        which = f": {', '.join(names)}" if names else "; among the prepared faces there is none"
        raise ValueError(f"--clips: {clips} holds no clip that was kept for scoring{which}.")
    return found


class _Worker:
    """Judges one clip after the other; lives in one process."""

    def __init__(self, engines: Path, seconds: float) -> None:
        self._seconds = seconds
        self._unmasker = program(engines)
        self._can_follow = Manifest.load(engines).entry("editor").prior_supported

    def __call__(self, clip: Path) -> dict[str, Row]:
        states = {SINGLE: None, VIDEO: State()}
        likeness = self._likeness(clip)
        if likeness is not None:
            states[LIKE] = State()
        series = {name: _Series() for name in (TRUE, *states)}
        for moment in moments(clip, self._seconds):
            series[TRUE].add(moment, moment.bare, painted=True)
            for name, state in states.items():
                self._unmasker.likeness = likeness if name == LIKE else None
                result = self._unmasker.process(moment.masked, state)
                series[name].add(moment, result.output.image, painted=bool(result.reconstructions))
        if series[TRUE].empty:
            raise ValueError(f"--clips: no face was found in {clip}.")
        return {name: one.row() for name, one in series.items()}

    def _likeness(self, clip: Path) -> Likeness | None:
        """Of the clip's last frame; None if it shows none, or the editor follows none."""
        if not self._can_follow:
            return None
        try:
            return self._unmasker.enrol(last_frame(clip).image)
        except MediaUnsupported:
            return None


def program(engines: Path) -> Unmasker:
    """The whole program with the networks of a folder; the caller's, to be closed by it."""
    mapper = load_engine("map", SETTINGS, engines)
    return Unmasker(mapper, load_engine("editor", SETTINGS, engines), SETTINGS)


def last_frame(clip: Path) -> Frame:
    """The last frame of a clip."""
    with VideoSource(clip) as video:
        return deque(video, maxlen=1)[0]


def moments(clip: Path, seconds: float) -> Iterator[Moment]:
    """The first frames of a clip with the same mask painted on each."""
    with VideoSource(clip, end=Fraction(seconds)) as video, Detector() as detector:
        mesh: Float32 | None = None
        for frame in video:
            mesh = detector.follow(frame.image, mesh) if mesh is not None else None
            if mesh is None:
                mesh = next(iter(detector.find(frame.image, 1)), None)
            if mesh is not None:
                yield _masked(frame, mesh, clip.stem)


def _masked(frame: Frame, mesh: Float32, name: str) -> Moment:
    """The clip's mask on one frame; its seed is the clip's name."""
    alignment = align(mesh, CROP)
    rng = np.random.default_rng([SEED, *name.encode()])
    return masked(frame, alignment, to_crop(mesh, alignment), rng)


def masked(
    frame: Frame, alignment: Alignment, mesh: Float32, rng: np.random.Generator
) -> Moment:
    """The unseen painter's mask on a frame.

    Args:
        alignment: of the face to its crop.
        mesh: (478, 2) float32, px of that crop.
    """
    bare = frame.image
    seen = crop(bare, alignment).astype(np.float32) * np.float32(1 / 255)
    worn = unseen.wear(seen, mesh, rng, covering=True)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SHADE_PX + 1, 2 * SHADE_PX + 1))
    near = cv2.GaussianBlur(cv2.dilate(worn.map, kernel), (0, 0), SHADE_PX / 4)
    size = bare.shape[1::-1]
    image, share, mask = (
        _placed(plane, alignment, size)
        for plane in (worn.image, near.astype(np.float32), worn.map)
    )
    mixed = bare / np.float32(255) * (1 - share[..., None]) + image * share[..., None]
    return Moment(bare, replace(frame, image=to_bytes(mixed)), mask > 0.5)


def _placed(plane: Float32, alignment: Alignment, size: tuple[int, int]) -> Float32:
    """A plane or picture of the crop in the frame's places; 0 elsewhere."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(plane, alignment.matrix, size, flags=flags).astype(np.float32)


class _Series:
    """The measures of one clip, frame by frame."""

    def __init__(self) -> None:
        self._before: tuple[int, UInt8, UInt8, Bool] | None = None
        self._rows: list[Row] = []

    def add(self, moment: Moment, shown: UInt8, *, painted: bool) -> None:
        """Judge the next frame as it is shown."""
        x, y, width, height = cv2.boundingRect(moment.mask.astype(np.uint8))
        row = {"painted": float(painted), "flicker": np.nan, "psnr": np.nan, "sharp": np.nan}
        if painted and moment.mask.any():
            row["psnr"] = scores.psnr(shown, moment.bare, moment.mask)
            slopes = [scores.slope(image, moment.mask) for image in (shown, moment.bare)]
            row["sharp"] = slopes[0] / max(slopes[1], 1e-6)
        number = moment.masked.index
        if painted and self._before is not None and self._before[0] == number - 1:
            part = (slice(max(0, y - 32), y + height + 32), slice(max(0, x - 32), x + width + 32))
            row["flicker"] = _change(moment, shown, *self._before[1:], part)
        self._before = (number, moment.bare, shown, moment.mask) if painted else None
        self._rows.append(row)

    @property
    def empty(self) -> bool:
        """Whether there was no frame."""
        return not self._rows

    def row(self) -> Row:
        """Their means over the frames that were painted."""
        names = ("psnr", "sharp", "flicker", "painted")
        return {name: scores.mean_of_known([row[name] for row in self._rows]) for name in names}


def _change(
    moment: Moment,
    shown: UInt8,
    bare_before: UInt8,
    shown_before: UInt8,
    mask_before: Bool,
    part: tuple[slice, slice],
) -> float:
    """Mean difference, of 255, from the frame before, moved as the bare clip moved."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    now, then = (cv2.cvtColor(v[part], cv2.COLOR_RGB2GRAY) for v in (moment.bare, bare_before))
    motion = flow.calc(now, then, np.zeros((*now.shape, 2), np.float32))
    rows, columns = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
    x, y = columns + motion[..., 0], rows + motion[..., 1]
    moved = cv2.remap(shown_before[part], x, y, cv2.INTER_LINEAR)
    hidden = cv2.remap(mask_before[part].astype(np.float32), x, y, cv2.INTER_LINEAR) > 0.99
    where = moment.mask[part] & hidden
    return scores.l1(shown[part], moved.astype(np.uint8), where) if where.any() else np.nan
