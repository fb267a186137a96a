"""`demo`: unmask the clip that ships with the program, and show before and after in one picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realtime_unmask import resources
from realtime_unmask.cli.common import (
    Backend,
    ExitCode,
    Threads,
    open_unmasker,
    say,
    written_to_files,
)
from realtime_unmask.errors import MediaError, UsageError, refusing
from realtime_unmask.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime_unmask.pipeline.convert import ConvertReport
    from realtime_unmask.types import Frame, FrameResult, UInt8
    from realtime_unmask.unmask.state import State
    from realtime_unmask.unmask.unmasker import Unmasker

_MOMENTS = (0.1, 0.37, 0.63, 0.9)  # of the clip's duration
_CELL_HEIGHT = 300  # px
_GAP = 6  # px of white between the pictures and around them


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Results go here.")
    ] = Path("output"),
    backend: Backend = "auto",
    threads: Threads = 0,
) -> int:
    """Unmask the bundled clip and show before and after.

    Writes DIR/demo.mp4, and DIR/demo_before_after.png: moments of the clip, masked above and
    unmasked below. Results of an earlier demo are replaced.
    """
    settings = Settings(backend=backend, threads=threads)
    clip = resources.folder("assets") / "demo.mp4"
    video, picture = output / "demo.mp4", output / "demo_before_after.png"
    _keep_others(video)
    with open_unmasker(settings) as unmasker:
        moments, report = _unmask_clip(clip, video, unmasker)
    _write_before_after(picture, moments)
    speed = report.frames / report.seconds
    say(
        f"{report.frames_painted} of {report.frames} frames unmasked in {report.seconds:.1f} s: "
        f"{speed:.1f} frames/s."
    )
    say(f"The unmasked clip:  {video.resolve()}")
    say(f"Before and after:   {picture.resolve()}")
    say("The face under the mask is a plausible guess, not the person; not for identification.")
    return ExitCode.DONE


@refusing()
def _keep_others(video: Path) -> None:
    """Raises UsageError where `video` is no result of this program: the name is a likely one."""
    from realtime_unmask.capture.probe import probe
    from realtime_unmask.sinks.container import NOTICE

    written_to_files(video.parent)
    if not video.exists():
        return
    try:
        ours = NOTICE in probe(video).metadata.get("comment", "")
    except MediaError:
        ours = False
    if not ours:
        raise UsageError(
            f"{video} is there already and was not made by this program. "
            "Choose another folder with -o."
        )


def before_after(moments: Sequence[tuple[Frame, Frame]]) -> UInt8:
    """One picture of some moments side by side, as they were above and unmasked below.

    Args:
        moments: (before, after), at least one; all frames of one size.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    import cv2
    import numpy as np

    before = moments[0][0]
    width = max(1, round(before.width * _CELL_HEIGHT / before.height))
    step_x, step_y = width + _GAP, _CELL_HEIGHT + _GAP
    sheet = np.full((_GAP + 2 * step_y, _GAP + len(moments) * step_x, 3), 255, np.uint8)
    for column, pair in enumerate(moments):
        for row, frame in enumerate(pair):
            y, x = _GAP + row * step_y, _GAP + column * step_x
            cell = cv2.resize(frame.image, (width, _CELL_HEIGHT), interpolation=cv2.INTER_AREA)
            sheet[y : y + _CELL_HEIGHT, x : x + width] = cell
    return sheet


def _unmask_clip(
    clip: Path, video: Path, unmasker: Unmasker
) -> tuple[list[tuple[Frame, Frame]], ConvertReport]:
    """Write `video`; (the moments to show, what the conversion says)."""
    from realtime_unmask.capture.probe import probe
    from realtime_unmask.cli.video_progress import show_progress
    from realtime_unmask.pipeline.convert import ConvertOptions, convert_video

    watched = _Watched(unmasker, float(probe(clip).duration or 0))
    with show_progress(clip.name, quiet=False) as progress:
        report = convert_video(clip, video, watched, ConvertOptions(force=True), progress)
    return watched.moments, report


@dataclass
class _Watched:
    """An unmasker, and (before, after) of the moments to show of a clip of `duration_s`."""

    unmasker: Unmasker
    duration_s: float
    moments: list[tuple[Frame, Frame]] = field(default_factory=list)

    def on_head(self, frame: Frame) -> bool | None:
        return False

    def begin(self, frame: Frame, state: State) -> Any:
        return self.unmasker.begin(frame, state)

    def finish(self, begun: Any) -> FrameResult:
        result, number = self.unmasker.finish(begun), len(self.moments)
        at_s = result.frame.pts or 0
        if number < len(_MOMENTS) and at_s >= _MOMENTS[number] * self.duration_s:
            self.moments.append((result.frame, result.output))
        return result


def _write_before_after(path: Path, moments: Sequence[tuple[Frame, Frame]]) -> None:
    from realtime_unmask.sinks.images import write_picture

    write_picture(path, before_after(moments), reconstructed=True)
