"""Devices that run in the child process of a ProcessSource; steered by files in a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from realtime_unmask.capture.camera import read_device
from realtime_unmask.capture.camera_process import Shot
from realtime_unmask.capture.devices import CameraInfo
from realtime_unmask.errors import CameraError


def steered(folder: str, fps: float = 50.0) -> Iterator[Shot]:
    """Pictures of grey 0, 1, 2, ...; `gone`: unplugged; `hang`: blocks; `small`: 32 x 24."""
    here = Path(folder)
    number = 0
    while True:
        if (here / "gone").exists():
            raise CameraError("The camera “steered” is not connected.", "no_camera")
        while (here / "hang").exists():
            time.sleep(3600)
        size = (24, 32) if (here / "small").exists() else (48, 64)
        yield Shot(time.perf_counter_ns(), np.full((*size, 3), number % 251, np.uint8))
        number += 1
        time.sleep(1 / fps)


def pattern(seconds: float) -> Iterator[Shot]:
    """FFmpeg's own test pattern, through the code that reads cameras."""
    source = f"testsrc=size=320x240:rate=30:duration={seconds}"
    return read_device(CameraInfo("camera:x@y", "Pattern", source, "lavfi"), {})


def counted(frames: int) -> Iterator[Shot]:
    """So many pictures as fast as it goes, then the end."""
    for number in range(frames):
        yield Shot(time.perf_counter_ns(), np.full((48, 64, 3), number % 251, np.uint8))


def crash() -> Iterator[Shot]:
    """A fault of the driver's own."""
    yield Shot(time.perf_counter_ns(), np.zeros((48, 64, 3), np.uint8))
    raise RuntimeError("driver bug")
