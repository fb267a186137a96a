"""Frame -> FrameResult: detect, align, map, decide, edit, match the colour, composite."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType

import cv2
import numpy as np

from realtime_unmask.faces import tracker
from realtime_unmask.faces.alignment import align, crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.settings import Settings
from realtime_unmask.types import (
    Alignment,
    Face,
    Float32,
    Frame,
    FrameResult,
    MaskMap,
    Reconstruction,
    UInt8,
)
from realtime_unmask.unmask.compositor import Canvas, feather, known_region, support
from realtime_unmask.unmask.editor import Painted, match_colour, paint
from realtime_unmask.unmask.map import MapMemory, find_masks, is_worn, normalise

CROP = 256
# Faces are run through the networks in batches of at most this many.
BATCH = 4


@dataclass(slots=True)
class _Memory:
    """What is remembered of one face."""

    map: MapMemory = field(default_factory=MapMemory)
    painted: Float32 | None = None


class State:
    """All memory of one sequence: tracks, hysteresis, previous maps and outputs.

    Make a fresh one for each video or camera; a still needs none. The same sequence from a fresh
    State gives the same pixels.
    """

    def __init__(self) -> None:
        self.tracks = tracker.Tracks()
        self.faces: dict[int, _Memory] = {}


@dataclass(slots=True)
class _Job:
    """One face of one frame on its way through the stages."""

    face: Face
    alignment: Alignment
    crop: UInt8
    memory: _Memory | None
    map: MaskMap | None = None
    hole: UInt8 | None = None


class Unmasker:
    """Shows the people in a picture without their masks.

    Belongs to the thread that made it; use it as a context manager or call close().

    Args:
        map_engine, editor_engine: the two networks; see engines/manifest.json for their inputs.
        settings: how it works.
        use_prior: whether the editor's weights know what to do with a previous output.
    """

    def __init__(
        self,
        map_engine: Engine,
        editor_engine: Engine,
        settings: Settings = Settings(),  # noqa: B008  frozen, so one instance can serve all
        *,
        use_prior: bool = False,
    ) -> None:
        self._map_engine = map_engine
        self._editor_engine = editor_engine
        self._settings = settings
        self._use_prior = use_prior
        self._detector = Detector()

    @classmethod
    def default(cls, settings: Settings = Settings()) -> Unmasker:  # noqa: B008
        """An unmasker with the networks that ship with the program.

        Raises:
            EngineUnavailable: no backend works here, or not the one that was asked for.
            EngineDamaged: a network's file is not the one that its manifest names.
        """
        map_engine = load_engine("map", settings)
        editor_engine = load_engine("editor", settings)
        return cls(
            map_engine, editor_engine, settings, use_prior=editor_engine.spec.prior_supported
        )

    def process(
        self, frame: Frame | UInt8, state: State | None = None, *, given_map: UInt8 | None = None
    ) -> FrameResult:
        """Unmask one frame.

        Args:
            frame: a Frame, or an (H, W, 3) uint8 RGB array.
            state: the memory of the sequence that the frame belongs to, changed in place. None
                for a still: then every face is looked for, small ones too.
            given_map: (H, W) uint8, the share of each pixel to paint (255 = all of it), in place
                of the map network's; only faces under it are painted.

        Returns:
            The result; its `output` is `frame` itself where nothing was painted.

        Raises:
            TypeError, ValueError: the arrays are not of the form above.
            EngineError: a network failed.
        """
        frame = frame if isinstance(frame, Frame) else Frame(frame)
        clock = _Clock()
        given = _as_weight(given_map, frame)
        with clock.stage("detect"):
            faces = self._faces(frame, state)
        with clock.stage("align"):
            jobs = self._align(frame, faces, state)
        with clock.stage("map"):
            jobs = self._find_masks(jobs, given)
        canvas = Canvas(frame.image)
        made = [
            one
            for start in range(0, len(jobs), BATCH)
            for one in self._repaint(jobs[start : start + BATCH], frame, canvas, given, clock)
        ]
        done = canvas.result()
        if done is None:
            return FrameResult(frame, frame, None, tuple(faces), (), clock.spent)
        output, shown = done
        output.flags.writeable = shown.flags.writeable = False
        return FrameResult(
            frame, replace(frame, image=output), shown, tuple(faces), tuple(made), clock.spent
        )

    def close(self) -> None:
        """Free networks and landmarkers; safe to call again."""
        self._map_engine.close()
        self._editor_engine.close()
        self._detector.close()

    def __enter__(self) -> Unmasker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _faces(self, frame: Frame, state: State | None) -> list[Face]:
        if state is None:
            meshes = self._detector.find_all(frame.image)
            return [tracker.as_face(mesh, number) for number, mesh in enumerate(meshes)]
        return tracker.track(frame, self._detector, state.tracks, self._settings.max_faces)

    def _align(self, frame: Frame, faces: list[Face], state: State | None) -> list[_Job]:
        jobs = []
        for face in faces:
            try:
                alignment = align(face.landmarks, CROP)
            except ValueError:  # a degenerate mesh: no face after all
                continue
            memory = None
            if state is not None:
                memory = state.faces.setdefault(face.track_id, _Memory())
            jobs.append(_Job(face, alignment, crop(frame.image, alignment), memory))
        if state is not None:
            seen = {job.face.track_id for job in jobs}
            state.faces = {k: v for k, v in state.faces.items() if k in seen}
        return jobs

    def _find_masks(self, jobs: list[_Job], given: Float32 | None) -> list[_Job]:
        """Those jobs that wear a mask, with their maps and holes."""
        threshold = self._settings.mask_threshold
        masked = []
        for start in range(0, len(jobs), BATCH):
            part = jobs[start : start + BATCH]
            if given is not None:
                maps = [_given_map(given, job.alignment) for job in part]
            else:
                maps = find_masks(
                    self._map_engine,
                    normalise([job.crop for job in part]),
                    [job.memory.map if job.memory else None for job in part],
                    threshold,
                )
            for job, found in zip(part, maps, strict=True):
                if given is not None:
                    # Any share of paint counts, and the frame's own weight draws the edge.
                    job.map, job.hole = found, support(found, 1e-3)
                    worn = bool(job.hole.any())
                else:
                    job.map, job.hole = found, support(found, threshold)
                    worn = is_worn(found, job.memory.map if job.memory else None)
                if worn:
                    masked.append(job)
                elif job.memory is not None:
                    job.memory.painted = None
        return masked

    def _repaint(
        self,
        jobs: list[_Job],
        frame: Frame,
        canvas: Canvas,
        given: Float32 | None,
        clock: _Clock,
    ) -> list[Reconstruction]:
        with clock.stage("edit"):
            painted = paint(
                self._editor_engine,
                normalise([job.crop for job in jobs]),
                np.stack([job.hole for job in jobs]).astype(np.float32),
                [self._prior(job) for job in jobs],
            )
        made = []
        for job, one in zip(jobs, painted, strict=True):
            assert job.map is not None and job.hole is not None
            with clock.stage("colour"):
                rgb = self._coloured(job, one, frame)
            with clock.stage("composite"):
                alpha = feather(job.hole, self._settings.feather_px)
                canvas.put(rgb, alpha, job.alignment, given)
            made.append(
                Reconstruction(
                    job.face.track_id,
                    np.rint(rgb).astype(np.uint8),
                    job.map,
                    alpha,
                    job.alignment,
                    one.confidence,
                )
            )
        return made

    def _prior(self, job: _Job) -> Float32 | None:
        return job.memory.painted if self._use_prior and job.memory else None

    def _coloured(self, job: _Job, one: Painted, frame: Frame) -> Float32:
        assert job.hole is not None
        rgb = one.rgb
        if self._settings.colour_match:
            known = known_region(job.alignment, frame.width, frame.height)
            rgb = match_colour(rgb, job.crop, job.hole, known)
        if job.memory is not None:
            job.memory.painted = rgb
        return rgb


class _Clock:
    """Nanoseconds by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter_ns()
        yield
        self.spent[name] = self.spent.get(name, 0) + time.perf_counter_ns() - began


def _as_weight(given_map: UInt8 | None, frame: Frame) -> Float32 | None:
    if given_map is None:
        return None
    if given_map.dtype != np.uint8:
        raise TypeError(f"given_map must be uint8, not {given_map.dtype}.")
    if given_map.shape != (frame.height, frame.width):
        raise ValueError(
            f"given_map is {given_map.shape}, the frame {(frame.height, frame.width)}: "
            "they must be of one size."
        )
    return given_map.astype(np.float32) / np.float32(255)


def _given_map(given: Float32, alignment: Alignment) -> MaskMap:
    size = (alignment.size, alignment.size)
    values = cv2.warpAffine(given, alignment.matrix, size, flags=cv2.INTER_LINEAR)
    return MaskMap(values.astype(np.float32), float((values > 0).mean()))
