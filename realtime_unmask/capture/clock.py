"""The times of a video's pictures, where those in the file may be missing or go back."""

from __future__ import annotations

from fractions import Fraction

import av

from realtime_unmask.media import VideoInfo, leaps, whole_ticks

# A longer wait for the next picture is a gap.
_GAP_STEPS = Fraction(5, 2)


class PictureClock:
    """Gives each picture a time in whole ticks of info.time_base that rises strictly.

    Args:
        info: the video.
        notes: takes sentence parts on what was met.

    Attributes:
        jumps: how far times are shifted, seconds, after each jump of the file's clock so far.
    """

    def __init__(self, info: VideoInfo, notes: list[str]) -> None:
        self._info = info
        self._notes = notes
        self._last: Fraction | None = None  # not rounded: steps between ticks must not add up
        self._ticks: int | None = None  # the time given last
        self._latest_end = Fraction(0)
        self._shift = Fraction(0)
        self.jumps: list[Fraction] = []
        self._gaps = 0
        self._first_gap: tuple[Fraction, Fraction] | None = None  # when, how long

    def time(self, picture: av.VideoFrame) -> tuple[Fraction, Fraction]:
        """(when it is shown, when it ends), seconds from the origin."""
        info = self._info
        base = picture.time_base or info.time_base
        stamp = (picture.pts if picture.pts is not None else picture.dts) if info.timed else None
        step = picture.duration * base if picture.duration and info.timed else info.step
        if stamp is None:
            last = self._last
            pts = last + step if last is not None else -info.origin
        else:
            pts = stamp * base - info.origin + self._shift
        if self._last is not None and leaps(pts, self._last, info):
            self._note(f"the clock jumps at {float(self._last):.2f} s: time goes on from there")
            self._shift += self._last + step - pts
            self.jumps.append(self._shift)
            pts = self._last + step
        elif self._last is not None and pts <= self._last:
            pts = self._last + info.time_base
        elif self._last is not None and 0 <= self._last < pts - _GAP_STEPS * info.step:
            self._gaps += 1
            self._first_gap = self._first_gap or (self._last, pts - self._last)
        self._last = pts
        ticks = whole_ticks(pts, info.time_base)
        if self._ticks is not None:
            ticks = max(ticks, self._ticks + 1)
        self._ticks = ticks
        given = ticks * info.time_base
        return given, self._end(given, given + step)

    def _end(self, pts: Fraction, end: Fraction) -> Fraction:
        """`end`, but not after that of the file, nor of the wanted part.

        FFmpeg takes lengths from decoding times: they may be too long, and that of the last picture
        may be with one that is shown before it. And one may last far beyond what is wanted.
        """
        info = self._info
        if info.exact_index:
            end = self._latest_end = max(end, self._latest_end)
        limits = [end]
        if info.declares_video_end and info.duration is not None:
            limits.append(info.duration)
        if info.until is not None:
            limits.append(info.until - info.origin)
        return min(limit for limit in limits if limit > pts)

    def note_gaps(self, frames: int) -> None:
        """Note pauses, where they are so rare that they look like a loss and not like a habit."""
        info = self._info
        if info.exact_index or self._first_gap is None or self._gaps * 100 > max(frames, 100):
            return
        when, length = map(float, self._first_gap)
        self._note(
            f"the pictures pause for {length:.2f} s at {when:.2f} s "
            f"({self._gaps} such pauses): something may be missing there"
        )

    def _note(self, note: str) -> None:
        if len(self._notes) < 20:
            self._notes.append(note)
