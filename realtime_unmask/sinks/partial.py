"""Files in the making: NAME.partial.EXT, which plays up to where it was cut off."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from realtime_unmask.errors import UsageError

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


def check_target(path: Path, *, force: bool) -> None:
    """May `path` be written?

    Raises:
        UsageError: it exists already (even with `force` where it is no ordinary file), or its
            ending is not one of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path} has no ending that this program writes. Name it {', '.join(SUFFIXES)}."
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give the name of a file.")
    for one in (path, partial_of(path)):
        if one.exists() and not one.is_file():
            raise UsageError(f"{one} is a device or a pipe, not a file. Choose another name.")
    if force:
        return
    if path.exists():
        raise UsageError(f"{path} exists already. Choose another name, or use --force.")
    if partial_of(path).exists():
        raise UsageError(
            f"{partial_of(path)} is left from a run that was cut short (or is still going on). "
            "Move it away, or use --force to replace it."
        )


def partial_of(path: Path) -> Path:
    """The name of `path` while it is being written: NAME.partial.EXT."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


class OutputFile(io.FileIO):
    """A file that, once a write failed, takes no more: what it holds then stays playable.

    Attributes:
        error: the first failure; None while all is well.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data` (FileIO alone may stop halfway)."""
        if self.error is not None:
            raise OSError(self.error.errno, self.error.strerror)
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.error = error
            raise
        return done

    def finish(self) -> None:
        """Bring everything to the disk and close; what fails is in `error`."""
        if self.closed:
            return
        try:
            os.fsync(self.fileno())
        except OSError as error:
            self.error = self.error or error
        try:
            self.close()
        except OSError as error:
            self.error = self.error or error


def sync_folder(folder: Path) -> None:
    """Bring a change of names to the disk, where the system has a way."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
