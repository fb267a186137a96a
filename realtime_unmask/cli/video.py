"""`video`: unmask recorded videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_unmask.cli.common import (
    Backend,
    Continue,
    ExitCode,
    Force,
    Like,
    Quiet,
    Threads,
    count,
    fail,
    files_only,
    follow,
    keep_clear,
    keep_or_replace,
    looks_like_file,
    open_unmasker,
    say,
    stops_all,
    warn,
    written_to_files,
)
from realtime_unmask.cli.jobs import Job
from realtime_unmask.errors import UnmaskError, UsageError, refusing
from realtime_unmask.settings import Settings
from realtime_unmask.sinks.targets import check_folders

if TYPE_CHECKING:
    from realtime_unmask.pipeline.convert import ConvertOptions, ConvertReport
    from realtime_unmask.unmask.unmasker import Unmasker

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


def video(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", readable=False, help="Video files.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="The result (.mp4, .m4v, .mov or .mkv), or a folder for one or several.",
        ),
    ],
    maps: Annotated[
        Path | None,
        typer.Option(
            "--maps",
            metavar="FILE|DIR",
            help="Also write what was painted, as a grey video: black = untouched.",
        ),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Before and after in one picture.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="T", help="Begin here: seconds, or [H:]MM:SS[.mmm]."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="T", help="Stop here; see --start.")
    ] = None,
    codec: Annotated[
        str,
        typer.Option(
            "--codec",
            metavar="NAME",
            help="h264, hevc, or auto: hevc for videos with more than 8 bits, else h264.",
        ),
    ] = "auto",
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            metavar="CRF",
            help="0 (largest) to 51 (worst); unless told, 18 for h264 and 20 for hevc. Some "
            "hardware players refuse h264 of quality 0.",
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", help="ultrafast to veryslow: slower makes smaller files."
        ),
    ] = "medium",
    max_faces: Annotated[
        int,
        typer.Option("--max-faces", metavar="N", help="How many faces are followed at once."),
    ] = 4,
    like: Like = None,
    force: Force = False,
    go_on: Continue = False,
    backend: Backend = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
) -> int:
    """Unmask recorded videos.

    Every frame is kept, with its time, and so are size, frame rate, sound, subtitles, chapters
    and colour tags; sound and subtitles are copied, not recoded. Sound that the new file cannot
    hold as it is, of WMV say, becomes FLAC or ALAC. Pictures are written upright.

    With --like the largest masked face is painted after a photo of the same person. Use your own,
    or that of somebody who agreed.

    While it works, the result is called NAME.partial.EXT and can be played; Ctrl-C removes it,
    a power cut or a full disk leaves it. With --continue only what is missing is written: videos
    that have their result, and with --maps their maps, are passed over, and one of which the maps
    alone are missing keeps its result.

    \b
    Examples:
      realtime-unmask video talk.mp4 -o talk-unmasked.mp4
      realtime-unmask video talk.mp4 -o talk-unmasked.mp4 --like me-bare.jpg
      realtime-unmask video *.mp4 -o unmasked --codec hevc
      realtime-unmask video talk.mp4 -o part.mp4 --start 1:30 --end 2:00 --side-by-side
    """
    from realtime_unmask.pipeline.convert import ConvertOptions, check_outputs
    from realtime_unmask.sinks.encoding import Encoding

    keep_or_replace(go_on, force)
    settings = Settings(backend=backend, threads=threads, max_faces=max_faces)
    options = ConvertOptions(
        Encoding(codec, quality, preset),
        start=parse_time("--start", start),
        end=parse_time("--end", end),
        side_by_side=side_by_side,
        force=force or go_on,
    )
    if options.end is not None and options.end <= (options.start or 0):
        raise UsageError("--end must be later than --start.")
    jobs = make_jobs(inputs, output, maps)
    check_outputs([one for job in jobs for one in job.targets], force=options.force)
    if go_on:
        jobs = _unfinished(jobs, quiet)
        if not jobs:
            return ExitCode.DONE
    keep_clear(like, [path for job in jobs for path in job.written])
    with open_unmasker(settings) as unmasker:
        follow(unmasker, like)
        done, failed = _work(jobs, options, unmasker, force=force, quiet=quiet)
    if len(jobs) > 1 and not quiet:
        failures = f", {failed} failed" if failed else ""
        say(f"{count(len(jobs), 'video')}: {done} done{failures}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def parse_time(option: str, text: str | None) -> Fraction | None:
    """Seconds of "90", "90.5", "1:30" or "0:01:30.5"; None for None.

    Raises:
        UsageError: it is none of these.
    """
    if text is None:
        return None
    match = _TIME.fullmatch(text.strip())
    if match is None or (match[2] is not None and Fraction(match[3]) >= 60):
        raise UsageError(f"{option} takes seconds or [H:]MM:SS[.mmm], not '{text}'.")
    hours, minutes, seconds = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + Fraction(seconds)


@refusing()
def make_jobs(inputs: list[Path], output: Path, maps: Path | None) -> list[Job]:
    """What each input becomes; one that is named twice is done once.

    Raises:
        UsageError: one file was named for several inputs, or one folder for results and maps.
    """
    files_only(inputs)
    written_to_files(output, maps)
    inputs = list(dict.fromkeys(inputs))
    results = targets(inputs, output)
    if maps is None:
        return [Job(*pair) for pair in zip(inputs, results, strict=True)]
    if results[0] != output:
        check_folders(output, maps)
    return [Job(*three) for three in zip(inputs, results, targets(inputs, maps), strict=True)]


def targets(inputs: list[Path], output: Path) -> list[Path]:
    """The file that each input becomes; in a folder it keeps its name.

    Raises:
        UsageError: one file was named for several inputs.
    """
    from realtime_unmask.pipeline.convert import suffix_for
    from realtime_unmask.sinks.partial import SUFFIXES

    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        if len(inputs) > 1:
            raise UsageError(f"{output} is one file for {len(inputs)} inputs. Name a folder.")
        return [output]
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file, and no video. Name a folder or a .mp4 file.")
    if looks_like_file(output):
        raise UsageError(
            f"{output} has no ending that this program writes. "
            f"Name it {', '.join(SUFFIXES)}, or name a folder."
        )
    # The current folder has no name; what is wrong with it is said when its turn comes.
    return [output / ((path.stem or ".") + suffix_for(path)) for path in inputs]


def _unfinished(jobs: list[Job], quiet: bool) -> list[Job]:
    """Those of which a result, or its maps, is missing; what there is of them is kept."""
    left: list[Job] = []
    for job in (one.keeping() for one in jobs):
        if job.written:
            left.append(job)
        elif not quiet:
            say(f"{job.source}: has a result, passed over")
    return left


def _work(
    jobs: list[Job], options: ConvertOptions, unmasker: Unmasker, *, force: bool, quiet: bool
) -> tuple[int, int]:
    """Do all `jobs`, or up to where the disk is full: how many were done, and how many failed."""
    done = failed = 0
    for job in jobs:
        try:
            report = _convert(job, options, unmasker, quiet)
        except UnmaskError as error:  # this video's fault: the others go on
            if len(jobs) == 1 and isinstance(error, UsageError):
                raise
            fail(error)
            failed += 1
            share = f"{done} of {count(len(jobs), 'video')}"
            if stops_all(error, len(jobs) - done - failed, share, force=force):
                break
        else:
            done += 1
            for note in report.notes:
                warn(f"{job.source}: {note}")
            if not quiet:
                say(line(report, job.kept))
    return done, failed


def _convert(job: Job, options: ConvertOptions, unmasker: Unmasker, quiet: bool) -> ConvertReport:
    from dataclasses import replace

    from realtime_unmask.cli.video_progress import show_progress
    from realtime_unmask.pipeline.convert import convert_video

    options = replace(options, maps=job.written_map)
    with show_progress(job.source.name, quiet=quiet) as progress:
        return convert_video(job.source, job.written_result, unmasker, options, progress)


def line(report: ConvertReport, kept: Sequence[Path] = ()) -> str:
    """What a person wants to know about a video that was done; `kept`: files it had already."""
    if report.frames_painted:
        found = f"{report.frames_painted} with a mask"
    elif report.frames_with_face:
        found = "no mask found, nothing painted"
    else:
        found = "no face found, nothing painted"
    result = f" -> {report.output}" if report.output else ""
    maps = f", maps -> {report.maps}" if report.maps else ""
    stays = "".join(f", {path} kept" for path in kept)
    speed = report.frames / max(report.seconds, 1e-9)
    return (
        f"{report.source}: {count(report.frames, 'frame')}, {found}, "
        f"{speed:.1f} frames/s{result}{maps}{stays}"
    )
