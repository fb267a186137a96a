"""How far a video is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from realtime_unmask.cli.common import printable
from realtime_unmask.cli.common import tell as tell_line

if TYPE_CHECKING:
    from realtime_unmask.pipeline.convert import Progress

_LINE_EVERY_S = 10.0


@contextmanager
def show_progress(name: str, *, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Show on standard error how far the video `name` is; yields what is to be told of it."""
    if quiet or sys.stderr is None:  # None: it was closed by whoever started the program
        yield None
    elif sys.stderr.isatty():
        with _bar(printable(name)) as tell:
            yield tell
    else:
        yield _lines(printable(name))


@contextmanager
def _bar(name: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None, pace="")

        def tell(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.total_s,
                completed=progress.position_s,
                pace=pace(progress),
            )

        yield tell


def _lines(name: str) -> Callable[[Progress], None]:
    due = _LINE_EVERY_S

    def tell(progress: Progress) -> None:
        nonlocal due
        if progress.elapsed_s >= due:
            due = progress.elapsed_s + _LINE_EVERY_S
            tell_line(f"{name}: {pace(progress)}", err=True)

    return tell


def pace(progress: Progress) -> str:
    """ "120 frames, 24.0 frames/s, 1:05 left"; without the last where the length is unknown."""
    speed = progress.frames / max(progress.elapsed_s, 1e-9)
    text = f"{progress.frames} frames, {speed:.1f} frames/s"
    if progress.total_s is None or progress.position_s <= 0:
        return text
    left = max(0.0, progress.total_s - progress.position_s)
    seconds = round(left * progress.elapsed_s / progress.position_s)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{text}, {clock} left"
