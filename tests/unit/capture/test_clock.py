"""The times that pictures get: what the file says, mended so that they can be written."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from realtime_unmask.capture.clock import PictureClock
from realtime_unmask.capture.probe import probe
from realtime_unmask.media import VideoInfo
from tests.media.make import TICK, Video, write


@pytest.fixture
def info(tmp_path: Path) -> VideoInfo:
    """Of a video of 30 frames a second whose clock begins between two ticks."""
    found = probe(write(tmp_path / "a.mp4", Video(frames=2, width=32, height=32)))
    return replace(found, origin=TICK / 2, duration=None)


def _times(info: VideoInfo, stamps: list[int | None]) -> list[Fraction]:
    clock, times = PictureClock(info, []), []
    for stamp in stamps:
        picture = av.VideoFrame.from_ndarray(np.zeros((2, 2, 3), np.uint8))
        picture.pts, picture.time_base = stamp, info.time_base
        times.append(clock.time(picture)[0] / info.time_base)
    return times


def test_times_are_whole_ticks_that_rise_where_the_file_repeats_or_turns_back(
    info: VideoInfo,
) -> None:
    times = _times(info, [3064, 3064, 3064, 3063, 3065, 4000])
    assert all(time.denominator == 1 for time in times)
    assert all(a < b for a, b in pairwise(times))
    assert times[-1] == 4000  # the file's own again, as soon as they are later


def test_steps_between_two_ticks_do_not_add_up(info: VideoInfo) -> None:
    info = replace(info, time_base=Fraction(1, 1000), origin=Fraction(0))
    times = _times(info, [0] + [None] * 300)
    assert times[-1] == 10_000
    assert {b - a for a, b in pairwise(times)} == {33, 34}
