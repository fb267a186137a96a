"""The memory of `video` does not grow with the length of the file, the networks included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest

ROOT = Path(__file__).resolve().parents[3]
RATE = 30
# Runs the command, then says what it took at most, in kB.
COMMAND = """
import resource, sys
from realtime_unmask.cli import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def loop_of_the_demo(path: Path, seconds: int) -> Path:
    """The demo clip forwards and backwards, 320 x 240, until `seconds` are full."""
    with av.open(str(ROOT / "assets" / "demo.mp4")) as container:
        frames = [
            cv2.resize(frame.to_ndarray(format="rgb24"), (320, 240), interpolation=cv2.INTER_AREA)
            for frame in container.decode(video=0)
        ]
    frames += frames[::-1]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(seconds * RATE):
            picture = av.VideoFrame.from_ndarray(frames[number % len(frames)], format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs getrusage")
def test_five_minutes_take_no_more_memory_than_ten_seconds(tmp_path: Path) -> None:
    peaks = []
    for seconds in (10, 300):
        source = loop_of_the_demo(tmp_path / f"{seconds}.mp4", seconds)
        arguments = ["video", str(source), "-o", str(tmp_path / f"{seconds}-out.mp4"), "-q",
                     "--preset", "ultrafast"]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout.split()[-1]))
    print(f"peak: {peaks[0] / 1024:.0f} MB at 10 s, {peaks[1] / 1024:.0f} MB at 5 min")
    assert peaks[1] < peaks[0] * 1.1
