"""Files as live sources: a video or photos, at their own pace, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from realtime_unmask.capture.images import SUFFIXES, read_picture
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import MediaDamaged, MediaError, MediaMissing, MediaUnsupported
from realtime_unmask.media import unreadable
from realtime_unmask.types import Frame

PICTURES = SUFFIXES - {".gif"}  # those may move
# How often a photo is given, and for how long each of a folder is shown.
PHOTO_FPS, PHOTO_S = 10, 3
# A picture that stays longer is given again so often: else its source would seem to have stalled.
_AGAIN_S = Fraction(3, 10)
# After a pause (a suspended machine, a slow disk) time goes on from now.
_LATE_S = 0.5


class LoopingSource:
    """See LiveSource; for a video, a photo, or a folder of photos.

    Args:
        path: the file or folder; nothing is opened before read().
    """

    def __init__(self, path: Path) -> None:
        self.missed = 0
        self._path = path
        self._stop = threading.Event()
        self._frames = _for_ever(path)
        self._next: Frame | None = None
        self._last: Frame | None = None
        self._gave = 0.0  # when the last one was given
        self._began: float | None = None  # when a frame with pts 0 would be due
        self._index = 0

    def read(self, timeout_s: float) -> Frame | None:
        """See LiveSource.

        Raises:
            MediaError: nothing of it can be shown.
        """
        if self._stop.is_set():
            return None
        if self._next is None:
            self._next = next(self._frames)
        pts = float(self._next.pts or 0)
        now = time.monotonic()
        if self._began is None or now - (self._began + pts) > _LATE_S:
            self._began = now - pts
        wait = self._began + pts - now
        again = max(0.0, self._gave + float(_AGAIN_S) - now)
        last = self._last if again < wait else None  # it is to be given once more
        if last is not None:
            wait = again
        if wait > timeout_s:
            self._stop.wait(timeout_s)
            return None
        if wait > 0 and self._stop.wait(wait):
            return None
        if last is not None:
            frame = replace(last, pts=(last.pts or 0) + _AGAIN_S)
        else:
            frame, self._next = self._next, None
        self._last, self._gave = frame, time.monotonic()
        self._index += 1
        return replace(frame, captured_ns=time.perf_counter_ns(), index=self._index - 1)

    def interrupt(self) -> None:
        """See LiveSource."""
        self._stop.set()

    def close(self) -> None:
        """See LiveSource."""
        self._stop.set()
        self._frames.close()


def _for_ever(path: Path) -> Generator[Frame, None, None]:
    """The frames of `path` from the beginning to the end and again; `pts` go on rising."""
    start = Fraction(0)
    while True:
        end = start
        for frame, until in _once(path):
            end = start + until
            yield replace(frame, pts=start + (frame.pts or 0))
        if end == start:
            raise MediaUnsupported(f"{path} holds no picture that could be shown.")
        start = end


def _once(path: Path) -> Iterator[tuple[Frame, Fraction]]:
    """(frame, when it ends) from the beginning to the end, seconds from 0."""
    try:
        if not path.exists():
            raise MediaMissing(f"There is no file or folder {path}. Check the name.")
        files = sorted(path.iterdir()) if path.is_dir() else None
    except OSError as error:
        raise unreadable(path, error) from error
    if files is not None:
        yield from _folder(files)
    elif path.suffix.lower() in PICTURES:
        yield from _photo(path, Fraction(0))
    else:
        yield from _video(path)


def _video(path: Path) -> Iterator[tuple[Frame, Fraction]]:
    any_frame = False
    with VideoSource(path) as source:
        try:
            for frame in source:
                any_frame = True
                yield frame, source.end_pts
        except MediaDamaged:
            if not any_frame:
                raise


def _folder(paths: list[Path]) -> Iterator[tuple[Frame, Fraction]]:
    start, problem = Fraction(0), None
    for one in paths:
        if one.suffix.lower() not in PICTURES:
            continue
        try:
            yield from _photo(one, start)
        except MediaError as error:  # the other photos can be shown all the same
            problem = error
            continue
        start += PHOTO_S
    if start == 0 and problem is not None:
        raise problem


def _photo(path: Path, start: Fraction) -> Iterator[tuple[Frame, Fraction]]:
    frame = read_picture(path).frame
    for number in range(PHOTO_FPS * PHOTO_S):
        pts = start + Fraction(number, PHOTO_FPS)
        yield replace(frame, pts=pts), pts + Fraction(1, PHOTO_FPS)
