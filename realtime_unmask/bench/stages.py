"""One frame after the other, as fast as it goes: what each stage takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import cv2

from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.scene import Camera
from realtime_unmask.types import Frame
from realtime_unmask.unmask.unmasker import State, Unmasker

ORDER = ("decode", "detect", "align", "map", "edit", "colour", "composite", "convert")
_WARM_UP = 10
_RATE = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Attributes:
    name: one of ORDER.
    ms: time on the clock.
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
    frames_per_s: at full throttle, with decoding and conversion, without a window.
    frame_ms: a whole frame.
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
    """Run for about so many seconds by the clock, then a third of it by processor time."""
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
    camera, state, unmasker.clock = Camera(pictures), State(), clock
    rows: list[dict[str, float]] = []
    painted, number, began = 0, 0, time.perf_counter()
    try:
        while not rows or time.perf_counter() - began < seconds:
            if number == _WARM_UP:
                rows, painted, began = [], 0, time.perf_counter()
            start = clock()
            image = camera.read()
            decoded = clock()
            result = unmasker.process(Frame(image, Fraction(number, _RATE), 0, number), state)
            done = clock()
            cv2.cvtColor(result.output.image, cv2.COLOR_RGB2BGRA)  # what a window draws
            spent = {name: ns / 1e6 for name, ns in result.timings.items()}
            rows.append(
                {"decode": (decoded - start) / 1e6, **spent, "convert": (clock() - done) / 1e6}
            )
            painted += len(result.reconstructions) >= faces
            number += 1
    finally:
        unmasker.clock = time.perf_counter_ns
    return rows, painted, time.perf_counter() - began
