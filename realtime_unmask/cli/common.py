"""What all commands share: exit codes, one-line output, options with one meaning everywhere."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from realtime_unmask.errors import MediaError, UsageError, refusing
from realtime_unmask.settings import BACKENDS, Settings
from realtime_unmask.sinks.partial import identity

if TYPE_CHECKING:
    from realtime_unmask.unmask.unmasker import Unmasker


class ExitCode(IntEnum):
    """What the program tells the shell."""

    DONE = 0
    FAILED = 1  # some inputs failed, or the program itself could not go on
    USAGE = 2
    STOPPED = 130  # Ctrl-C, as shells count it: 128 + SIGINT


Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help=f"What runs the networks: {', '.join(BACKENDS)}. See `realtime-unmask doctor`.",
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads", metavar="N", help="CPU threads for the networks; 0 lets the backend choose."
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="PHOTO",
        help="A photo of the person's bare face, from the front: the paint follows it.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print failures and warnings only.")]
Force = Annotated[
    bool, typer.Option("--force", "-f", help="Replace results that are there already.")
]
Continue = Annotated[
    bool,
    typer.Option(
        "--continue",
        help="Go on after a run that was cut short: pass over what has all of its results.",
    ),
]


_FILE_ENDINGS = frozenset(
    ".png .jpg .jpeg .webp .bmp .tif .tiff .gif .heic .avif "
    ".mp4 .m4v .mov .mkv .webm .avi .wmv .flv .mpg .mpeg .ts .mts .m2ts .3gp .ogv".split()
)


def looks_like_file(folder: Path) -> bool:
    """Has `folder`, which is not there yet, the name of a picture or a video?"""
    return folder.suffix.lower() in _FILE_ENDINGS and not folder.exists()


# Any but a Windows drive's letter; a Path has lost one of the two strokes.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/(?!/)", re.IGNORECASE)


def _address(path: Path) -> str:
    """`path` as it was given if that is an address, "http://host/talk.mp4" say; else ""."""
    name = path.as_posix()
    is_one = _SCHEME.match(name) is not None and not path.exists()
    return name.replace(":/", "://", 1) if is_one else ""


def files_only(inputs: Iterable[Path]) -> None:
    """Raises UsageError where one of `inputs` is an address."""
    for address in filter(None, map(_address, inputs)):
        raise UsageError(
            f"{address} is an address, and this command takes files only. Save it as a file "
            "first; streams are shown by `realtime-unmask live --source ADDRESS`."
        )


def written_to_files(*targets: Path | None) -> None:
    """Raises UsageError where one of `targets` is "-" or an address."""
    for target in targets:
        if target is None:
            continue
        if str(target) == "-":
            raise UsageError(
                "Results are files: they cannot go to standard output, which - stands for. "
                "Give the name of a file or a folder."
            )
        if address := _address(target):
            raise UsageError(
                f"{address} is an address, and results are files. "
                "Give the name of a file or a folder."
            )


def printable(text: object) -> str:
    """`text` on one line: control characters and undecodable bytes of file names are escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)
    )


# Why standard output took no more; it is said at the end, since the results matter more.
_unprinted: list[OSError] = []


def tell(text: str, *, err: bool = False) -> None:
    """One line on standard output or error; where it cannot be written the work goes on."""
    try:
        typer.echo(text, err=err)
    except OSError as error:
        if err:
            _silence(sys.stderr)
        else:
            print_no_more(error)


def print_no_more(error: OSError) -> None:
    """Standard output failed: nothing more goes there, and `unprinted` tells."""
    if not isinstance(error, BrokenPipeError):  # who reads no more, misses nothing
        _unprinted.append(error)
    _silence(sys.stdout)


def unprinted() -> str:
    """What is said at the end where standard output did not take all; "" where it did."""
    try:
        if sys.stdout is not None:  # it is where it was closed from the beginning
            sys.stdout.flush()
    except OSError as error:
        print_no_more(error)
    if not _unprinted:
        return ""
    first = _unprinted[0]
    _unprinted.clear()
    why = "the disk is full" if first.errno == errno.ENOSPC else first.strerror
    return f"What is to be printed cannot be written: {why}."


def _silence(stream: TextIO) -> None:
    """Let `stream` lead nowhere, so that what it still holds fails no more, also not at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def say(text: object) -> None:
    """One line for the person, on standard output."""
    tell(printable(text))


def fail(text: object) -> None:
    """One line about something that went wrong, on standard error."""
    tell(f"error: {printable(text)}", err=True)


def warn(text: object) -> None:
    """One line about something worth knowing that stops nothing, on standard error."""
    tell(f"note: {printable(text)}", err=True)


def count(number: int, one: str) -> str:
    """`number` and its noun: "1 face", "2 faces"."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def stops_all(error: BaseException, left: int, done: str, *, force: bool) -> bool:
    """Would those that are `left` fail like this one, since the disk is full? It is said so.

    Args:
        error: why this one failed; what the system said of it is among its causes.
        left: how many are to follow.
        done: "3 of 10 videos".
        force: --force was given: --continue would pass over the old results.
    """
    cause: BaseException | None = error
    while cause is not None and getattr(cause, "errno", None) not in (errno.ENOSPC, errno.EDQUOT):
        cause = cause.__cause__
    if cause is None or not left:
        return False
    again = "start again" if force else "give the same command with --continue for the rest"
    fail(f"The disk is full, so this ends here: {done} are done. Free some space, then {again}.")
    return True


def keep_or_replace(go_on: bool, force: bool) -> None:
    """Raises UsageError where results are both to be kept and to be replaced."""
    if go_on and force:
        raise UsageError("--continue keeps what is done and --force replaces it: give one of them.")


@refusing()
def check_report(report: Path | None) -> None:
    """Could `report` be written? It is asked before the work, of which it comes last.

    Nothing is left behind, and what is there stays as it is.

    Raises:
        UsageError: it could not.
    """
    if report is None:
        return
    written_to_files(report)
    if report.is_dir():
        raise UsageError(f"{report} is a folder. The report needs a file name.")
    if report.exists() and not report.is_file():
        raise UsageError(f"{report} is not an ordinary file. Choose another name.")
    folder = Path(os.path.realpath(report)).parent
    while not folder.exists():  # the report's turn makes it
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(
            f"{report} cannot be written ({error.strerror}). "
            "Check the folder and its permissions, or choose another place."
        ) from error


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from realtime_unmask.sinks.images import write_whole

    # ASCII, since file names need not be valid Unicode.
    text = (json.dumps(content, indent=2) + "\n").encode("ascii")
    write_whole(path, lambda file: file.write(text))


def open_unmasker(settings: Settings) -> Unmasker:
    """The unmasker of this installation; its imports take a second, so they wait until here.

    Raises:
        AssetError: a file of this installation is missing or altered.
        EngineError: no backend can run the networks.
    """
    from realtime_unmask.unmask.unmasker import Unmasker

    return Unmasker.default(settings)


def keep_clear(like: Path | None, targets: Iterable[Path | None]) -> None:
    """Nothing that is to be written may replace the photo `like`.

    Raises:
        UsageError: one would.
    """
    if like is None:
        return
    for target in targets:
        if target is not None and identity(target) == identity(like):
            raise UsageError(f"{target} is the photo of --like: it would be overwritten. "
                             "Choose another name or folder.")  # fmt: skip


def follow(unmasker: Unmasker, like: Path | None) -> None:
    """Let the paint follow the bare face in the photo `like`; None: nobody's.

    A blurred one is followed as well, and said to be so.

    Raises:
        UsageError: the photo cannot be used.
    """
    if like is None:
        return
    from realtime_unmask.capture.images import read_picture

    try:
        picture = read_picture(like)
    except MediaError as error:  # which names the file
        raise UsageError(f"--like: {error}") from error
    try:
        unmasker.likeness = found = unmasker.enrol(picture.frame.image)
    except MediaError as error:
        raise UsageError(f"--like {like}: {error}") from error
    if found.blurred:
        warn(f"--like {like}: the face in it is blurred, and the paint that follows it will be "
             "soft. Take a sharper photo if there is one.")  # fmt: skip
