"""convert_video, cut short by a kill or a full disk: what is left plays from its first picture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media.look import playable
from tests.media.make import Video, write

_ROOT = Path(__file__).resolve().parents[3]

_CHILD = """
import os, resource, signal, sys
from pathlib import Path
from realtime_unmask.errors import OutputError
from realtime_unmask.pipeline.convert import ConvertOptions, convert_video
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.types import FrameResult
source, out, limit, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
class Unmasker(AtOnce):
    def process(self, frame, state):
        if frame.index == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return FrameResult(frame, frame, None)
try:
    convert_video(source, out, Unmasker(), ConvertOptions(Encoding(preset=sys.argv[5])))
except OutputError as error:
    print(error)
    sys.exit(7)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def child(
    source: Path, out: Path, limit: int = 0, last: int = -1, preset: str = "ultrafast"
) -> subprocess.CompletedProcess[str]:
    """Convert in another process: files of `limit` bytes at most, killed at frame `last`."""
    arguments = [str(source), str(out), str(limit), str(last), preset]
    return subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


def noisy(path: Path, frames: int, sound: int = 1) -> Path:
    """A video that does not compress well, so that its file grows quickly."""
    from tests.media import make

    grain = np.random.default_rng(0).integers(0, 60, (8, 120, 160, 3), np.uint8)
    plain: Callable[[int, int, int], np.ndarray] = make.picture
    make.picture = lambda index, width, height: grain[index % 8] + 60
    try:
        return write(path, Video(frames=frames, width=160, height=120, sound=sound))
    finally:
        make.picture = plain


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("sound", [0, 1])
@pytest.mark.parametrize(("preset", "last"), [("ultrafast", 140), ("medium", 140), ("medium", 95)])
def test_a_killed_program_leaves_a_video_that_plays_from_its_first_picture(
    tmp_path: Path, ending: str, sound: int, preset: str, last: int
) -> None:
    source = noisy(tmp_path / "in.mp4", 150, sound)
    out = tmp_path / f"out.{ending}"
    assert child(source, out, last=last, preset=preset).returncode == -signal.SIGKILL
    assert not out.exists()
    times = playable(tmp_path / f"out.partial.{ending}")
    assert times[0] == 0
    # At most a second is lost, at 30 frames/s.
    assert len(times) >= last - 30
    assert times == [Fraction(index, 30) for index in range(len(times))] or ending == "mkv"


@pytest.mark.skipif(os.name != "posix", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_leaves_what_plays_and_says_where(tmp_path: Path) -> None:
    source = noisy(tmp_path / "in.mp4", 120)
    whole = tmp_path / "whole.mp4"
    assert child(source, whole).returncode == 0
    size = whole.stat().st_size
    kept = []
    for share in (0.001, 0.2, 0.5, 0.8, 0.97, 0.995):
        out = tmp_path / f"{share}.mp4"
        partial = out.with_name(f"{share}.partial.mp4")
        process = child(source, out, int(size * share))
        message = process.stdout
        assert process.returncode == 7, message
        assert not out.exists()
        times = playable(partial) if partial.exists() else []
        kept.append(len(times))
        if kept[-1]:
            assert f"The first {kept[-1]} frames are in {partial}, which plays" in message
            assert times[0] == 0
        else:
            assert "cannot be written" in message and not partial.exists()
    assert kept[0] == 0
    assert kept[2] > 30 and kept[3] > 70 and kept[-1] > 100
    assert kept == sorted(kept)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    for frames in (300, 3000):
        source = write(tmp_path / f"{frames}.mp4", Video(frames=frames, sound=1))
        done = child(source, tmp_path / f"{frames}-out.mp4")
        peaks.append(int(done.stdout))  # kB
    assert peaks[1] < peaks[0] * 1.1 + 5000
