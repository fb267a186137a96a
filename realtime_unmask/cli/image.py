"""`image`: unmask photos and folders of photos."""

from __future__ import annotations

import time
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
    follow,
    keep_clear,
    keep_or_replace,
    open_unmasker,
    say,
    stops_all,
)
from realtime_unmask.cli.image_plan import Plan, make_plan
from realtime_unmask.cli.image_report import (
    FileReport,
    read_report,
    summary,
    with_earlier,
    write_report,
)
from realtime_unmask.cli.jobs import Job
from realtime_unmask.errors import MediaError, MediaMissing, OutputError, UsageError
from realtime_unmask.settings import Settings

# A map that paints over so much of the eyes leaves the editor nothing to go by.
COVERED = 0.5

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime_unmask.types import Frame, FrameResult
    from realtime_unmask.unmask.unmasker import Unmasker


def image(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", readable=False, help="Photos, or folders of photos."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Results go here, as <stem>.png."),
    ],
    maps: Annotated[
        Path | None,
        typer.Option(
            "--maps", metavar="DIR", help="Write here what was painted: 8-bit grey, 0 = untouched."
        ),
    ] = None,
    use_maps: Annotated[
        Path | None,
        typer.Option(
            "--use-maps",
            metavar="DIR",
            help="Paint where these maps say (<stem>.png, in the photo's size).",
        ),
    ] = None,
    like: Like = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write a report on every file."),
    ] = None,
    force: Force = False,
    go_on: Continue = False,
    backend: Backend = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
) -> int:
    """Unmask photos and folders of photos.

    Each photo becomes DIR/<stem>.png, upright, in its size, 8-bit sRGB. Nothing but the mask's
    area changes; a photo without a face or a mask is written as it is, and the line about it
    says which. Folders are searched with their subfolders, which are mirrored; hidden files and
    files of other kinds than these are passed over:

    PNG, JPEG, WebP, BMP, TIFF and GIF, up to 100 million pixels. 16-bit pictures are
    reduced to 8, colour profiles and CMYK become sRGB, of an animation the first picture counts.

    With --like the largest masked face of each photo is painted after another photo of the same
    person. Use your own, or that of somebody who agreed.

    With --continue only what is missing is written: pictures that have their result, and with
    --maps their map, are passed over, and one of which the map alone is missing keeps its result.

    \b
    Examples:
      realtime-unmask image me.jpg -o unmasked
      realtime-unmask image holiday -o unmasked --maps maps --json report.json
      realtime-unmask image me-masked.jpg -o unmasked --like me-bare.jpg
      realtime-unmask image holiday -o again --use-maps maps      (after editing the maps)
    """
    keep_or_replace(go_on, force)
    started = time.monotonic()
    settings = Settings(backend=backend, threads=threads)
    plan = make_plan(
        inputs, output, maps=maps, use_maps=use_maps, report=json, force=force, go_on=go_on
    )
    earlier = read_report(json) if json is not None and go_on else []
    keep_clear(like, [json, *(path for job in plan.jobs for path in job.written)])
    files: list[FileReport] = []
    complete = False
    try:
        _pass_over(plan, files, quiet)
        if plan.jobs:
            with open_unmasker(settings) as unmasker:
                follow(unmasker, like)
                complete = _work(plan.jobs, unmasker, files, force=force, quiet=quiet)
        else:
            complete = True
    except UsageError:  # the photo of --like: nothing was begun, so there is nothing to report
        json = None
        raise
    finally:  # also when Ctrl-C or an engine ends the run: the report says what was done
        if json is not None:
            seconds = time.monotonic() - started
            write_report(json, with_earlier(files, earlier), complete=complete, seconds=seconds)
    if not quiet:
        say(summary(files))
    failed = any(file.status == "failed" for file in files)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _pass_over(plan: Plan, files: list[FileReport], quiet: bool) -> None:
    for path, message in plan.unlisted:
        fail(message)
        files.append(FileReport.not_done(path, "failed", message))
    skipped = [FileReport.not_done(path, "skipped", reason) for path, reason in plan.skipped]
    for file in (*skipped, *map(FileReport.kept, plan.kept)):
        if not quiet:
            say(f"{file.input}: {file.error}, passed over")
        files.append(file)


def _work(
    jobs: list[Job], unmasker: Unmasker, files: list[FileReport], *, force: bool, quiet: bool
) -> bool:
    """Do all `jobs`; False: a full disk ended it before the last one."""
    done = 0
    for number, job in enumerate(jobs, start=1):
        started = time.monotonic()
        try:
            file = _unmask_one(job, unmasker, force=force)
        except (MediaError, OutputError) as error:  # this picture's fault: the others go on
            fail(error)
            seconds = round(time.monotonic() - started, 3)
            files.append(FileReport.not_done(job.source, "failed", str(error), seconds))
            share = f"{done} of {count(len(jobs), 'picture')}"
            if stops_all(error, len(jobs) - number, share, force=force):
                return False
        else:
            done += 1
            files.append(file)
            if not quiet:
                say(f"[{number}/{len(jobs)}] {file.line(job.written[0])}")
    return True


def _unmask_one(job: Job, unmasker: Unmasker, *, force: bool) -> FileReport:
    from realtime_unmask.pipeline.photo import convert_photo

    started = time.monotonic()
    done = convert_photo(
        job.source,
        job.written_result,
        lambda frame: _process(frame, job, unmasker),
        job.written_map,
        replace=force,
    )
    painted, result = done.result.map is not None, done.result
    return FileReport(
        input=str(job.source),
        output=str(job.result),
        map=str(job.map) if job.map else None,
        status="unmasked" if painted else "no_mask" if result.faces else "no_face",
        faces=len(result.faces),
        masks=len(result.reconstructions) if painted else 0,
        seconds=round(time.monotonic() - started, 3),
        notes=(*done.picture.notes, *_on_given_map(job, result)),
        error=None,
    )


def _on_given_map(job: Job, result: FrameResult) -> Iterator[str]:
    """What is to be said of a map that was given in place of the network's."""
    if job.given_map is None or not result.faces:
        return
    if result.map is None:
        yield f"{job.given_map} is black wherever there is a face"
    for one in result.reconstructions:
        side = one.alignment.size  # the eyes lie at 0.4 of the crop's height
        eyes = one.alpha[round(0.36 * side) : round(0.44 * side), side // 3 : 2 * side // 3]
        if eyes.mean() > COVERED:
            yield f"{job.given_map} covers the eyes: no face can be guessed from so little"


def _process(frame: Frame, job: Job, unmasker: Unmasker) -> FrameResult:
    """Unmask `frame`, where its given map says if there is one."""
    from realtime_unmask.capture.images import read_map

    if job.given_map is None:
        return unmasker.process(frame)
    if not job.given_map.is_file():
        raise MediaMissing(f"There is no map {job.given_map} for {job.source}. Add it.")
    given = read_map(job.given_map, width=frame.width, height=frame.height)
    return unmasker.process(frame, given_map=given)
