"""Which picture goes where: everything that can be refused is refused before work starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from realtime_unmask.cli.common import (
    check_report,
    files_only,
    looks_like_file,
    written_to_files,
)
from realtime_unmask.cli.jobs import Job
from realtime_unmask.errors import UsageError, refusing
from realtime_unmask.sinks.targets import Target, check_apart, check_folders


@dataclass(slots=True)
class Plan:
    """All jobs in order; what was passed over in folders; folders that could not be listed.

    `kept` are jobs that are done already, and stay so.
    """

    jobs: list[Job] = field(default_factory=list)
    kept: list[Job] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    unlisted: list[tuple[Path, str]] = field(default_factory=list)


@refusing()
def make_plan(
    inputs: Sequence[Path],
    output: Path,
    *,
    maps: Path | None = None,
    use_maps: Path | None = None,
    report: Path | None = None,
    force: bool = False,
    go_on: bool = False,
) -> Plan:
    """Pair every picture in `inputs` with `output`/<subfolders>/<stem>.png.

    Folders are searched with their subfolders; `output`, `maps` and `use_maps` are left out of
    the search, so that results inside an input folder are never taken for inputs. To `go_on` is
    to keep every file that is there, and to pass over pictures of which none is missing.

    Raises:
        UsageError: two results would land on one name (where several would, each further pair
            is a note of the error), a result would replace an input or (without `force` or
            `go_on`) an existing file, or a folder is not what it has to be.
    """
    files_only(inputs)
    written_to_files(output, maps)
    _check_folders(inputs, output, maps, use_maps, report)
    own = {folder.resolve() for folder in (output, maps, use_maps) if folder is not None}
    plan = Plan()
    seen: set[tuple[Path, Path]] = set()
    for source, name in _pictures(inputs, own, plan):
        target = name.with_name(name.stem + ".png")
        if (source.resolve(), target) in seen:
            continue
        seen.add((source.resolve(), target))
        plan.jobs.append(
            Job(
                source,
                output / target,
                maps / target if maps else None,
                use_maps / target if use_maps else None,
            )
        )
    if not plan.jobs and not plan.unlisted:
        from realtime_unmask.capture.images import FORMATS

        raise UsageError(
            f"There is no picture in {', '.join(map(str, inputs))} that this program reads: "
            f"{', '.join(FORMATS)}. "
            "Give a folder that has some, or save others as JPEG or PNG first."
        )
    _check_targets(plan.jobs, report, force or go_on)
    if go_on:
        jobs = [job.keeping() for job in plan.jobs]
        plan.kept = [job for job in jobs if not job.written]
        plan.jobs = [job for job in jobs if job.written]
    return plan


def _check_folders(
    inputs: Sequence[Path],
    output: Path,
    maps: Path | None,
    use_maps: Path | None,
    report: Path | None,
) -> None:
    for folder in (output, maps):
        if folder is None:
            continue
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file. Results need a folder; choose another name.")
        if looks_like_file(folder):
            raise UsageError(f"{folder} looks like a file. Name a folder for the results.")
        for given in inputs:
            if os.path.isdir(given) and given.resolve() == folder.resolve():
                raise UsageError(
                    f"The folder {folder} holds the inputs, and results would land among them. "
                    f"Choose another one; one inside it, such as {given / 'unmasked'}, will do."
                )
    check_folders(output, maps)
    if use_maps is not None and not use_maps.is_dir():
        raise UsageError(f"There is no folder {use_maps} to take maps from.")
    check_report(report)


def _pictures(inputs: Sequence[Path], own: set[Path], plan: Plan) -> Iterator[tuple[Path, Path]]:
    """(picture, its name below the output folder); files given by name are taken as they are."""
    for given in inputs:
        if not os.path.isdir(given):  # False also where it cannot be known: reading it says why
            yield given, Path(given.name)
            continue
        for picture in _search(given, own, plan):
            yield picture, picture.relative_to(given)


def _search(folder: Path, own: set[Path], plan: Plan) -> Iterator[Path]:
    # Pillow, and numpy with it, are imported with this module: only when there is work to do.
    from realtime_unmask.capture.images import SUFFIXES

    def unlisted(error: OSError) -> None:
        place = Path(os.fsdecode(error.filename))
        said = f"The folder {place} cannot be listed ({error.strerror}). Check its permissions."
        plan.unlisted.append((place, said))

    for place, folders, files in os.walk(folder, onerror=unlisted):
        here = Path(place)
        for name in sorted(folders):
            path = here / name
            if path.is_symlink():  # followed, it could lead round in circles
                plan.skipped.append((path, "a link to a folder"))
            elif name.startswith("."):
                plan.skipped.append((path, "a hidden folder"))
            elif path.resolve() not in own:
                continue
            folders.remove(name)
        folders.sort()
        for name in sorted(files):
            path = here / name
            if name.startswith("."):
                plan.skipped.append((path, "a hidden file"))
            elif path.suffix.lower() not in SUFFIXES:
                plan.skipped.append((path, "not a picture that this program reads"))
            else:
                yield path


def _check_targets(jobs: Sequence[Job], report: Path | None, force: bool) -> None:
    targets = [target for job in jobs for target in job.targets]
    if report is not None:
        targets.append(Target(report, report, "The report"))
    read = [path for job in jobs for path in (job.source, job.given_map) if path is not None]
    check_apart(targets, read)
    existing = [target.path for target in targets if target.path.exists()]
    for path in existing:
        if not path.is_file():
            raise UsageError(f"{path} is not an ordinary file. Choose another name.")
    if existing and not force:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise UsageError(
            f"{existing[0]}{more} exist{'' if more else 's'} already. "
            "Choose another folder, or add --continue to do only those that lack a result "
            "(or a map, with --maps), or --force to do all anew."
        )
