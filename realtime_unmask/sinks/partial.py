"""Files in the making: NAME.partial.EXT, which plays up to where it was cut off."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from realtime_unmask.errors import UsageError

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_LONGEST_NAME = 255  # bytes, on the disks of Linux and macOS; Windows counts no more


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


def written_as(path: Path) -> Path:
    """The file that gets what is written to `path`: where it is a link, the one it leads to."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def partial_of(path: Path) -> Path:
    """The name of `path` while it is being written: NAME.partial.EXT, on the same disk.

    Of a NAME that leaves no room for that, the beginning, and what tells it from others.
    """
    file = written_as(path)
    stem, ending = file.stem, f".partial{path.suffix}"
    if len(os.fsencode(stem + ending)) > _LONGEST_NAME:
        ending = f"~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}{ending}"
        while len(os.fsencode(stem + ending)) > _LONGEST_NAME:
            stem = stem[:-1]
    return file.with_name(stem + ending)


def identity(path: Path) -> object:
    """Equal for two names of one file, also through links, and where case does not count."""
    try:
        status = path.stat()
        return status.st_dev, status.st_ino
    except OSError:
        return same_name(Path(os.path.realpath(path)))


def same_name(path: Path) -> str:
    """Equal for two names of which a disk may make one file."""
    # These systems take names that differ in case for one and the same.
    return str(path).casefold() if sys.platform in ("win32", "darwin") else str(path)


def name_of_now(folder: Path, suffix: str) -> Path:
    """A name in `folder` that says when, and is not taken."""
    stem, number = f"unmasked {datetime.now():%Y-%m-%d %H-%M-%S}", 2
    path = folder / f"{stem}{suffix}"
    while path.exists():
        path, number = folder / f"{stem} {number}{suffix}", number + 1
    return path


def make_folder(folder: Path) -> list[Path]:
    """Make `folder`, and those above it that are missing; all that were made, the innermost first.

    Raises:
        OSError: it cannot be made; then none was.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    with ExitStack() as undo:
        undo.callback(remove_empty, missing)
        folder.mkdir(parents=True, exist_ok=True)
        undo.pop_all()
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of `folders`, the innermost first, that are empty."""
    for one in folders:
        with suppress(OSError):  # there is something in it
            one.rmdir()


class OutputFile(io.FileIO):
    """A file that, once a write failed, takes no more: what it holds then stays playable.

    Its folder is made where needed. Two runs cannot write the same one: it is locked until
    `release`.

    Attributes:
        error: the first failure; None while all is well.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._path = path
        with ExitStack() as undo:
            self._made = make_folder(path.parent)
            undo.callback(remove_empty, self._made)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            super().__init__(handle, "r+")
            undo.callback(self.close)
            self._lock = _locked(handle, path)
            self.truncate()
            undo.pop_all()

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

    def discard(self) -> None:
        """Remove the closed file, and the folders that were made for it if they are empty."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        remove_empty(self._made)

    def release(self) -> None:
        """Let other runs have the name; safe to call again."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(handle: int, path: Path) -> int | None:
    """Lock the open file; what is to be closed to unlock it, None where the system has no locks.

    Raises:
        UsageError: another run has it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    lock = os.dup(handle)  # of the same lock: it outlives the file's own handle
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.path.samestat(os.fstat(lock), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        there = False
    except OSError:  # some network folders have no locks
        os.close(lock)
        return None
    if not there:
        os.close(lock)
        raise UsageError(f"{path} is being written by another run. Choose another name.")
    return lock


def sync_folder(folder: Path) -> None:
    """Bring a change of names to the disk, where the system has a way."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
