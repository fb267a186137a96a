"""One photo into a PNG file: read upright, through `process`, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_unmask.capture.images import Picture, read_picture
from realtime_unmask.sinks.images import write_map, write_picture
from realtime_unmask.types import Frame, FrameResult

Process = Callable[[Frame], FrameResult]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoReport:
    """What came of it.

    Attributes:
        picture: what was read.
        result: what was made of it.
        output, maps: the files; None: not asked for.
    """

    picture: Picture
    result: FrameResult
    output: Path | None
    maps: Path | None


def convert_photo(
    source: Path,
    output: Path | None,
    process: Process,
    maps: Path | None = None,
    *,
    replace: bool,
) -> PhotoReport:
    """Write `output` (a PNG): the photo `source` through `process`.

    Args:
        output: None: it is there already, and only the map is missing.
        process: called once, without any memory; its result's output has the frame's size.
        maps: also write what was painted here, 8-bit grey.
        replace: files that are there already; else they are left alone, and an error.

    Raises:
        MediaError: the source cannot be used.
        OutputError: a result cannot be written.
    """
    picture = read_picture(source)
    result = process(picture.frame)
    if maps is not None:  # first: once the picture is there, the photo is done
        untouched = np.zeros((picture.frame.height, picture.frame.width), np.uint8)
        write_map(maps, untouched if result.map is None else result.map, replace=replace)
    if output is not None:
        write_picture(
            output,
            result.output.image,
            alpha=picture.alpha,
            reconstructed=result.map is not None,
            replace=replace,
        )
    return PhotoReport(picture, result, output, maps)
