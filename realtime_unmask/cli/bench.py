"""`bench`: how fast this machine is, stage by stage, and against the networks before ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_unmask.cli.common import (
    Backend,
    ExitCode,
    Threads,
    check_report,
    say,
    tell,
    write_json,
)
from realtime_unmask.errors import UsageError, WindowError
from realtime_unmask.settings import Settings

if TYPE_CHECKING:
    from realtime_unmask.bench.figures import Spread
    from realtime_unmask.bench.live import Live, Show
    from realtime_unmask.bench.run import Report

_SIZE = re.compile(r"(\d{2,5})[xX](\d{2,5})")
_FACES = 4
_SMALLEST = 240


def bench(
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Also write the figures here, as JSON."),
    ] = None,
    backend: Backend = "auto",
    threads: Threads = 0,
    faces: Annotated[
        int, typer.Option("--faces", metavar="N", help="People before the camera, 1 to 4.")
    ] = 1,
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="The camera's picture.")
    ] = "1280x720",
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="For each of the longer parts.")
    ] = 10.0,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="ONNX", help="Time this network too; may be given again."
        ),
    ] = None,
) -> int:
    """Measure how fast this machine unmasks.

    Start-up, a camera of 30 frames a second with the window open, each stage at full throttle,
    `video`, and the networks against the published ones of the same task, in the same runtime.
    Takes about a minute. Close other programs first: they share the processor.
    """
    wide, high = parse_size(size)
    if not 1 <= faces <= _FACES:
        raise UsageError(f"--faces lies between 1 and {_FACES}, not {faces}.")
    if not 1 <= seconds <= 600:
        raise UsageError(f"--seconds lies between 1 and 600, not {seconds:g}.")
    check_report(json_file)
    settings = Settings(backend=backend, threads=threads)
    from realtime_unmask.bench.run import measure

    report = measure(
        settings, (wide, high), faces, seconds, against or [], _screen,
        lambda part: tell(f"measuring: {part}", err=True),
    )  # fmt: skip
    for line in lines(report):
        say(line)
    if json_file is not None:
        write_json(json_file, report.as_json())
    return ExitCode.DONE


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "1280x720".

    Raises:
        UsageError: it is not of this form, or a face in it would be too small.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--size takes WIDTHxHEIGHT, such as 1280x720, not '{text}'.")
    wide, high = int(match[1]), int(match[2])
    if min(wide, high) < _SMALLEST or max(wide, high) > 8192 or wide % 2 or high % 2:
        raise UsageError(f"--size takes even numbers from {_SMALLEST} to 8192, not '{text}'.")
    return wide, high


def lines(report: Report) -> Iterator[str]:
    """The report for people."""
    yield report.machine.line()
    yield (
        f"{report.backend} {report.precision}, {report.width} x {report.height}, "
        f"faces: {report.faces}"
    )
    throttle, live, video = report.full_throttle, report.live, report.video
    yield ""
    yield from _live(live, report.peak_rss_mb)
    yield ""
    yield f"{'stage, ms':<12}{'p50':>8}{'p95':>8}{'p99':>8}{'CPU':>8}{'share':>8}"
    for stage in throttle.stages:
        yield (
            f"  {stage.name:<10}{_spread(stage.ms)}{stage.cpu_ms:8.2f}{stage.cpu_share:8.0%}"
        )
    yield f"  {'frame':<10}{_spread(throttle.frame_ms)}"
    yield ""
    yield (
        f"full throttle   {throttle.frames_per_s:.1f} frames/s, "
        f"{throttle.painted_share:.1%} of them unmasked"
    )
    yield (
        f"video           {video.frames_per_s:.1f} frames/s, {video.share:.0%} of decoding and "
        f"encoding alone ({video.plain_frames_per_s:.1f})"
    )
    yield (
        f"start           import {report.start.import_s:.2f} s, "
        f"first unmasked frame {report.start.first_frame_s:.2f} s"
    )
    yield from _reference(report)


def _live(live: Live, peak_mb: float) -> Iterator[str]:
    where = f"window on {live.window}" if live.window else "no window"
    yield (
        f"camera at 30/s  {live.frames_per_s:.1f} frames/s shown ({where}), "
        f"age p50 {live.age_ms.p50:.0f} p95 {live.age_ms.p95:.0f} p99 {live.age_ms.p99:.0f} ms"
    )
    causes = ", ".join(f"{cause} {count}" for cause, count in live.drops.items())
    yield (
        f"                {sum(live.drops.values())} of {live.captured} dropped"
        f"{f' ({causes})' if causes else ''}, {live.missed_by_camera} missed by the camera"
    )
    first = "never" if live.first_unmasked_s is None else f"after {live.first_unmasked_s:.1f} s"
    yield (
        f"                {live.unmasked_share:.1%} unmasked, {live.top_share:.1%} at full "
        f"quality; the first {first}; {live.cores_busy:.2f} cores busy, peak {peak_mb:.0f} MB"
    )


def _screen() -> Show:
    """The program's window; where Qt cannot be loaded, none."""
    try:
        from realtime_unmask.ui.measured import MeasuredWindow

        return MeasuredWindow()
    except (ImportError, WindowError):
        from realtime_unmask.bench.live import without_window

        return without_window


def _reference(report: Report) -> Iterator[str]:
    reference = report.reference
    if reference is None:
        yield f"reference       not measured: {report.backend} runs only this program's networks"
        return
    yield (
        f"networks        ours {reference.ours_ms:.1f} ms ({reference.precision}); the seeds' "
        f"{reference.seeds_fp32_ms:.1f} ms in fp32: {reference.against_fp32:.1f} times as long"
    )
    if reference.against_same is not None:
        yield (
            f"                {reference.seeds_same_ms:.1f} ms in {reference.precision}: "
            f"{reference.against_same:.1f} times as long"
        )
    for name, spent in reference.others_ms.items():
        yield f"                {name} {spent:.1f} ms"


def _spread(values: Spread) -> str:
    return f"{values.p50:8.2f}{values.p95:8.2f}{values.p99:8.2f}"
