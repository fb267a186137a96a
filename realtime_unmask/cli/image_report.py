"""What happened to each picture, for people (one line) and for programs (--json).

The JSON file, format 1, is written at the end, also after failures and after Ctrl-C:

    format      1
    program     "realtime-unmask 0.1.0"
    complete    true if every input was dealt with, false if the run was cut short
    seconds     this run's time, start-up of the networks included
    counts      {"unmasked": n, "no_mask": n, "no_face": n, "failed": n, "skipped": n}
    files       one object an input, in the order of work:
      input     path as given or found
      output    path of the result, null if there is none
      map       path of the map, null if there is none
      status    "unmasked" (something was painted), "no_mask" or "no_face" (written unchanged),
                "failed" (see error), "skipped" (in a folder, of another kind; with
                --continue, has a result of which the file that was here said nothing)
      faces     number of faces found, null if nobody looked
      masks     number of masks painted over, null if nobody looked
      seconds   time from reading to writing, null if it was not read
      notes     list of strings: what reading changed (16 bits reduced, colours converted, ...)
      error     the sentence on why it failed or was skipped, else null

With --continue the file may be there already: what it says of an input whose result is kept stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from realtime_unmask import __version__
from realtime_unmask.cli.common import count, write_json
from realtime_unmask.cli.jobs import Job
from realtime_unmask.errors import UsageError, refusing

Status = Literal["unmasked", "no_mask", "no_face", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("unmasked", "no_mask", "no_face", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class FileReport:
    """One input; the fields are those of the JSON file, described above."""

    input: str
    output: str | None
    map: str | None
    status: Status
    faces: int | None
    masks: int | None
    seconds: float | None
    notes: tuple[str, ...]
    error: str | None

    @classmethod
    def not_done(
        cls, path: Path, status: Status, error: str, seconds: float | None = None
    ) -> FileReport:
        """One that failed or was skipped, with the sentence that says why."""
        return cls(str(path), None, None, status, None, None, seconds, (), error)

    @classmethod
    def kept(cls, job: Job) -> FileReport:
        """One that has all of its files, of which this run knows no more."""
        maps = str(job.map) if job.map else None
        return cls(
            str(job.source), str(job.result), maps, "skipped", None, None, None, (), "has a result"
        )

    def line(self, written: Path) -> str:
        """What a person wants to know about a picture that was done, which is now in `written`."""
        if self.status == "no_face":
            found = "no face found, written unchanged"
        elif self.status == "no_mask":
            found = f"{count(self.faces or 0, 'face')}, no mask found, written unchanged"
        else:
            found = f"{count(self.faces or 0, 'face')}, {count(self.masks or 0, 'mask')}"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{self.input}: {found}{notes} -> {written}"


def summary(files: Sequence[FileReport]) -> str:
    """All of them in one line: "3 pictures: 1 unmasked, 1 without a mask, 1 failed"."""
    counts = Counter(file.status for file in files)
    if counts["skipped"] == len(files):  # with --continue, after a run that did all
        return f"nothing was left to do; {count(len(files), 'file')} passed over"
    words: dict[Status, str] = {
        "unmasked": "unmasked",
        "no_mask": "without a mask",
        "no_face": "without a face",
        "failed": "failed",
    }
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    pictures = count(len(files) - counts["skipped"], "picture")
    passed_over = f"; {count(counts['skipped'], 'other file')} passed over"
    return f"{pictures}: {', '.join(parts)}{passed_over if counts['skipped'] else ''}"


@refusing()
def read_report(path: Path) -> list[FileReport]:
    """The pictures that were done, by the report `path` of an earlier run; none if it is not there.

    Raises:
        UsageError: it is no report: who goes on after a run does not mean to replace it.
    """
    try:
        with path.open(encoding="ascii") as file:
            files = [FileReport(**one) for one in json.load(file)["files"]]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(
            f"{path} is there already and is no report of `image`, so --continue cannot add to it. "
            "Choose another name for the report."
        ) from error
    return [one for one in files if one.status in ("unmasked", "no_mask", "no_face")]


def with_earlier(files: Sequence[FileReport], earlier: Sequence[FileReport]) -> list[FileReport]:
    """`files`; in place of those whose result was kept, what was said of them `earlier`."""
    known = {(one.input, one.output): one for one in earlier}
    return [
        known.get((one.input, one.output), one) if one.status == "skipped" else one
        for one in files
    ]


def write_report(
    path: Path, files: Sequence[FileReport], *, complete: bool, seconds: float
) -> None:
    """Write the JSON file described above, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    counts = Counter(file.status for file in files)
    content = {
        "format": 1,
        "program": f"realtime-unmask {__version__}",
        "complete": complete,
        "seconds": round(seconds, 3),
        "counts": {status: counts[status] for status in STATUSES},
        "files": [asdict(file) for file in files],
    }
    write_json(path, content)
