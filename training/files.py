"""Data files that the training reads: one that is damaged, or another, is a sentence."""

from __future__ import annotations

import csv
import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.errors import UsageError


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """While a file is read and looked through.

    Args:
        kind: what it should be, for the sentence: "a shard of `prepare`".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: in place of whatever shows that it is no `kind`, or damaged.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no file {path}.") from error
    except (
        ValueError, KeyError, TypeError, IndexError, OSError, EOFError, NotImplementedError,
        BadZipFile, zlib.error, csv.Error,
    ) as error:  # fmt: skip
        what = f"no '{error.args[0]}' in it" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged, or not {kind} ({what}).") from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While nobody else works in a folder, which is made; where the system has locks.

    Raises:
        UsageError: another run does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network folders have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"Another run works in {folder}. Wait for it, or choose another --folder."
                ) from None
        yield
    finally:
        os.close(handle)


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz; to be called under `reading`."""
    # Opened here, since numpy leaves it open where it is no zip.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file that has at least these columns.

    Raises:
        FileNotFoundError, ValueError: as of `reading`.
    """
    with reading(path, f"a CSV file with the columns {', '.join(columns)}"):
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            found = list(reader)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"no column {', '.join(missing)}")
        for number, row in enumerate(found, 2):
            if None in row or None in row.values():
                raise ValueError(f"row {number} has not as many cells as the first")
    return found


def lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        FileNotFoundError, ValueError: as of `reading`.
    """
    with reading(path, "a text of UTF-8"):
        return path.read_text(encoding="utf-8").splitlines()


def json_table(path: Path) -> dict[str, Any]:
    """The table that a JSON file holds.

    Raises:
        FileNotFoundError, ValueError: as of `reading`.
    """
    with reading(path, "a JSON file with one table, as of `evaluate --json`"):
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise TypeError(f"it holds a {type(table).__name__}")
        return table
