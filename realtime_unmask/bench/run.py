"""All of the benchmark, in the order in which one part does not disturb the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from realtime_unmask.bench import networks, recorded, scene, start
from realtime_unmask.bench.live import Live, Show, at_camera_pace
from realtime_unmask.bench.machine import Machine, this_machine
from realtime_unmask.bench.stages import Throttle, full_throttle
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.memory import peak_mb
from realtime_unmask.settings import Settings
from realtime_unmask.unmask.unmasker import Unmasker

# Of the JSON; rises when a key changes its meaning or goes away, not when one is added.
SCHEMA = 2
_CLIP = 120
_VIDEO_FRAMES_A_SECOND = 15


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured; `as_json` is documented in docs/performance.md.

    Attributes:
        peak_rss_mb: of the live run, with its window; nothing else was loaded before it.
        reference: None on a backend that does not run them.
    """

    machine: Machine
    backend: str
    precision: str
    threads: int
    width: int
    height: int
    faces: int
    start: start.Start
    full_throttle: Throttle
    live: Live
    peak_rss_mb: float
    video: recorded.Recorded
    reference: networks.Reference | None

    def as_json(self) -> dict[str, Any]:
        """Plain tables and numbers."""
        return {"schema": SCHEMA, **asdict(self)}


def measure(
    settings: Settings,
    size: tuple[int, int],
    faces: int,
    seconds: float,
    against: Sequence[Path],
    show: Callable[[], Show],
    tell: Callable[[str], None],
) -> Report:
    """Measure this machine.

    Args:
        settings: backend and threads are used.
        size: width and height of the camera's picture, px.
        faces: people before it.
        seconds: for each of the longer parts.
        against: ONNX files to be timed beside the seeds' networks.
        show: opens what the live session's frames are shown on.
        tell: is told what is under way.

    Raises:
        EngineError: no backend can run the networks.
        UsageError: one of `against` cannot be run.
    """
    if against:  # before a minute is spent on what would then not be told
        networks.try_out(against, settings)
    tell("start-up")
    started = start.launch(settings)
    pictures = scene.jpegs(*size, faces, _CLIP)
    tell(f"a camera of {scene.RATE} frames a second, {seconds:.0f} s")
    live = at_camera_pace(settings, pictures, faces, seconds, show())
    peak = peak_mb()
    map_engine = load_engine("map", settings)
    editor_engine = load_engine("editor", settings)
    with Unmasker(map_engine, editor_engine, settings) as unmasker:
        tell(f"full throttle, {seconds * 4 / 3:.0f} s")
        throttle = full_throttle(unmasker, pictures, faces, seconds)
        frames = max(30, round(seconds * _VIDEO_FRAMES_A_SECOND))
        tell(f"video, {frames} frames")
        video = recorded.convert(unmasker, pictures, frames)
        tell("the networks against the seeds'")
        reference = networks.compare(map_engine, editor_engine, settings.threads, against)
        return Report(
            this_machine(),
            editor_engine.backend,
            editor_engine.spec.precision,
            settings.threads,
            *size,
            faces,
            started,
            throttle,
            live,
            round(peak, 1),
            video,
            reference,
        )
