"""One frame after the other, as fast as it goes: what each stage takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

import cv2

from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.scene import Camera
from realtime_unmask.pipeline.ladder import RUNGS
from realtime_unmask.pipeline.overlap import ReadAhead
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.unmasker import State, Unmasker

ORDER = ("decode", "detect", "align", "map", "edit", "colour", "composite", "convert")
_WARM_UP = 10
_RATE = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Attributes:
    name: one of ORDER.
    ms: time on the clock; of the editor, that in which nothing else was done.
    cpu_ms: processor time of all threads, mean.
    cpu_share: its share of all stages' processor time, 0..1.
    """

    name: str
    ms: Spread
    cpu_ms: float
    cpu_share: float


@dataclass(frozen=True, slots=True)
class Throttle:
    """Attributes:
    frames_per_s: at full throttle, with decoding (beside it) and conversion, without a window.
    frame_ms: the sum of a frame's stages; the next frame overlaps it.
    painted_share: share of the frames in which every face was unmasked, 0..1.
    stages: in the order of the flow.
    """

    frames_per_s: float
    frame_ms: Spread
    painted_share: float
    stages: tuple[Stage, ...]


def full_throttle(
    unmasker: Unmasker, pictures: list[bytes], faces: int, seconds: float
) -> Throttle:
    """Run for about so many seconds by the clock, then a third of it by processor time.

    By the clock each frame is begun while the editor is at work at the one before, as live does.
    """
    walls, painted, elapsed = _run(unmasker, pictures, faces, seconds, time.perf_counter_ns)
    cpu = _run(unmasker, pictures, faces, seconds / 3, time.process_time_ns)[0]
    means = {name: sum(row.get(name, 0.0) for row in cpu) / len(cpu) for name in ORDER}
    total = sum(means.values()) or 1.0
    stages = tuple(
        Stage(
            name,
            Spread.of([row.get(name, 0.0) for row in walls]),
            round(means[name], 3),
            round(means[name] / total, 4),
        )
        for name in ORDER
    )
    frames = [sum(row.values()) for row in walls]
    return Throttle(
        round(len(walls) / elapsed, 2),
        Spread.of(frames),
        round(painted / len(walls), 4),
        stages,
    )


def _run(
    unmasker: Unmasker,
    pictures: list[bytes],
    faces: int,
    seconds: float,
    clock: Callable[[], int],
) -> tuple[list[dict[str, float]], int, float]:
    """Milliseconds by stage for each frame, frames with all faces unmasked, seconds."""
    state, unmasker.clock = State(RUNGS[0]), clock
    rows: list[dict[str, float]] = []
    painted, began, elapsed = 0, time.perf_counter(), 0.0
    # Processor time is the whole process's: there one frame comes after the other.
    overlap = clock is not time.process_time_ns
    before: tuple[Any, int] | None = None
    try:
        with _frames(pictures, clock) as frames:
            for frame, decoding in frames:
                if frame.index == _WARM_UP:
                    rows, painted, began = [], 0, time.perf_counter()
                now = unmasker.begin(frame, state), decoding
                before, done = (now, before) if overlap else (None, now)
                if done is None:
                    continue
                result, row = _finish(unmasker, done[0], done[1], clock)
                rows.append(row)
                painted += len(result.reconstructions) >= faces
                elapsed = time.perf_counter() - began
                if elapsed >= seconds and len(rows) > 1:
                    break
    finally:
        if before is not None:
            unmasker.finish(before[0])
        unmasker.clock = time.perf_counter_ns
    return rows, painted, elapsed


def _finish(
    unmasker: Unmasker, begun: Any, decoding: int, clock: Callable[[], int]
) -> tuple[FrameResult, dict[str, float]]:
    """One frame done and ready to be drawn, and its milliseconds by stage."""
    result = unmasker.finish(begun)
    done = clock()
    cv2.cvtColor(result.output.image, cv2.COLOR_RGB2BGRA)  # what a window draws
    spent = {name: ns / 1e6 for name, ns in result.timings.items()}
    return result, {"decode": decoding / 1e6, **spent, "convert": (clock() - done) / 1e6}


@contextmanager
def _frames(
    pictures: list[bytes], clock: Callable[[], int]
) -> Iterator[Iterable[tuple[Frame, int]]]:
    """Frames without end, each with what its decoding took.

    Decoded ahead in a thread, as a camera's are, unless processor time is measured: that is the
    whole process's.
    """
    frames = _decoded(Camera(pictures), clock)
    if clock is time.process_time_ns:
        yield frames
        return
    with ReadAhead(frames, 2) as ahead:
        yield ahead


def _decoded(camera: Camera, clock: Callable[[], int]) -> Iterator[tuple[Frame, int]]:
    for number in count():
        began = clock()
        image = camera.read()
        yield Frame(image, Fraction(number, _RATE), 0, number), clock() - began
