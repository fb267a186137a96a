"""Photos out: PNG files that are either complete or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from realtime_unmask import __version__
from realtime_unmask.errors import OutputError
from realtime_unmask.sinks.partial import make_folder, remove_empty, written_as
from realtime_unmask.types import UInt8

NOTICE = (
    "AI-reconstructed. The face under the mask is a plausible guess, not the person; "
    "not for identification."
)
_COMPRESSION = 3  # a third of the default's time for a few per cent more bytes


def write_picture(
    path: Path,
    image: UInt8,
    *,
    alpha: UInt8 | None = None,
    reconstructed: bool,
    replace: bool = True,
) -> None:
    """Write `image` as a PNG, whole or not at all; folders are made where needed.

    Args:
        path: the file.
        image: (H, W, 3) uint8 sRGB.
        alpha: (H, W) uint8, 255 = opaque; None writes a picture without alpha.
        reconstructed: something was painted; the file's metadata then say so.
        replace: one that is there already; else it is left alone, and an error.

    Raises:
        OutputError: it cannot be written.
    """
    pixels = image if alpha is None else np.dstack([image, alpha])
    info = PngInfo()
    if reconstructed:
        info.add_text("Software", f"Realtime Unmask {__version__}")
        info.add_text("Description", NOTICE)
        info.add_text("Comment", NOTICE)
    _write_png(path, pixels, info, replace=replace)


def write_map(path: Path, values: UInt8, *, replace: bool = True) -> None:
    """Write a map, (H, W) uint8, as an 8-bit grey PNG, whole or not at all.

    Args: as for `write_picture`.

    Raises:
        OutputError: it cannot be written.
    """
    _write_png(path, values, PngInfo(), replace=replace)


def write_whole(
    path: Path, write: Callable[[BinaryIO], object], *, replace: bool = True
) -> None:
    """Give `path` the content that `write` puts into the file it is handed, or leave it alone.

    A power cut or a full disk leaves the old file, or none; never half of the new one.

    Raises:
        OutputError: it cannot be written, or is there already and not to be replaced.
    """
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is not an ordinary file. Choose another name.")
        path = written_as(path)
        made = make_folder(path.parent)
        # A name of its own and of few bytes: any legal `path` has room for it in its folder.
        temporary = path.with_name(f".{secrets.token_hex(6)}.partial")
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                _give_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)  # gone already where all went well
            remove_empty(made)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). "
            "Check the folder, its permissions and the free space."
        ) from error


def _give_name(temporary: Path, path: Path) -> None:
    """Rename a file, but not onto another: two runs may have begun when `path` was free.

    Raises:
        OutputError: `path` is there by now.
    """
    try:
        if os.name == "nt":
            os.rename(temporary, path)  # never replaces there
            return
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a disk without links, as of cameras and sticks
            if path.exists():
                raise FileExistsError from None
            os.rename(temporary, path)
    except FileExistsError:
        raise OutputError(
            f"{path} was not there when this run began, and is now: does another run write into "
            "this folder? It was left alone. Choose another folder for one of them."
        ) from None


def _write_png(path: Path, pixels: UInt8, info: PngInfo, *, replace: bool) -> None:
    picture = Image.fromarray(pixels)
    write_whole(
        path,
        lambda file: picture.save(file, "PNG", pnginfo=info, compress_level=_COMPRESSION),
        replace=replace,
    )
