"""Recorded videos that stand on their heads and do not say so: turned over to be unmasked.

A photo is looked at every way up. A video's faces are followed from frame to frame, so it is
decided once, from its first second, and then all of it goes through the networks upright.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import MediaError
from realtime_unmask.faces import quarters
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.state import State

# So many frames are looked at, at this distance, until one says that people stand upright.
LOOKS, EVERY = 4, 8
# So many have to say that they do not.
AGREED = 2


class FileUnmasker(Protocol):
    """What a conversion needs of an Unmasker."""

    def on_head(self, frame: Frame) -> bool | None:
        """Whether the people in a frame stand on their heads; None: it does not show."""
        ...

    def begin(self, frame: Frame, state: State) -> Any:
        """Begin with one frame; the frame before need not be finished yet."""
        ...

    def finish(self, begun: Any) -> FrameResult:
        """What became of a frame that was begun, in their order."""
        ...


def stands_on_head(
    path: Path, unmasker: FileUnmasker, start: Fraction | None = None, end: Fraction | None = None
) -> bool:
    """Whether a video, or its part from `start` to `end`, is better looked at upside down.

    Raises:
        UsageError: start and end leave nothing.
        EngineError: a network failed.
    """
    with suppress(MediaError), VideoSource(path, start, end) as source:  # said when it is converted
        return _agreed(unmasker.on_head(frame) for frame in islice(source, 0, LOOKS * EVERY, EVERY))
    return False


def _agreed(said: Iterable[bool | None]) -> bool:
    upside_down = 0
    for on_head in said:
        upside_down += on_head is True
        if on_head is False or upside_down == AGREED:
            break
    return upside_down == AGREED


class Overturned:
    """Gives each frame to an unmasker upside down, and the result back as the frame was.

    Its faces and reconstructions stay those of the overturned frame.
    """

    def __init__(self, unmasker: FileUnmasker) -> None:
        self._unmasker = unmasker

    def on_head(self, frame: Frame) -> bool | None:
        """See FileUnmasker."""
        return self._unmasker.on_head(frame)

    def begin(self, frame: Frame, state: State) -> Any:
        """See FileUnmasker."""
        return frame, self._unmasker.begin(_overturned(frame), state)

    def finish(self, begun: Any) -> FrameResult:
        """See FileUnmasker."""
        frame, inner = begun
        result = self._unmasker.finish(inner)
        if result.map is None:
            return replace(result, frame=frame, output=frame)
        shown = quarters.turned(result.map[..., None], 2)[..., 0]
        return replace(result, frame=frame, output=_overturned(result.output), map=shown)


def _overturned(frame: Frame) -> Frame:
    return replace(frame, image=quarters.turned(frame.image, 2))
