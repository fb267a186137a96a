"""What the benchmark looks at: the demo clip as an MJPEG camera of any size would deliver it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import av
import cv2
import numpy as np

from realtime_unmask import resources
from realtime_unmask.capture.camera_process import ProcessSource, Shot
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.types import UInt8

RATE = 30
_QUALITY = 90
_GREY = 118


def jpegs(width: int, height: int, faces: int, count: int) -> list[bytes]:
    """`count` pictures of `faces` people in masks, side by side, each with another moment."""
    column = width // faces
    with VideoSource(resources.folder("assets") / "demo.mp4") as source:
        # Compressed at once: the pictures themselves would be most of the memory measured later.
        people = [
            _coded(_on_grey(frame.image, column, height))
            for frame, _ in zip(source, range(count), strict=False)
        ]
    if faces == 1:
        return people
    made = []
    for number in range(len(people)):
        moments = [(number + shift * len(people) // faces) % len(people) for shift in range(faces)]
        row = np.hstack([_decoded(people[m]) for m in moments])
        rest = width - row.shape[1]
        whole = cv2.copyMakeBorder(row, 0, 0, 0, rest, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)
        made.append(_coded(whole.astype(np.uint8, copy=False)))
    return made


def _coded(image: UInt8) -> bytes:
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _decoded(data: bytes) -> UInt8:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None  # written a moment ago
    return picture.astype(np.uint8, copy=False)


class Camera:
    """Decodes the pictures as PyAV does those of a camera, over and over."""

    def __init__(self, pictures: list[bytes]) -> None:
        self._packets = cycle(pictures)
        self._decoder = av.CodecContext.create("mjpeg", "r")

    def read(self) -> UInt8:
        """(H, W, 3) uint8 RGB."""
        (picture,) = self._decoder.decode(av.Packet(next(self._packets)))
        assert isinstance(picture, av.VideoFrame)
        return picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class LoopSpec:
    """A camera of RATE pictures a second, in a process of its own as all cameras are.

    Attributes:
        folder: holds its pictures; see `write`.
    """

    folder: Path
    name: str = "The benchmark's camera"
    opens_in_s: float = 8.0

    def open(self) -> ProcessSource:
        """From the first picture on."""
        return ProcessSource(read_loop, (str(self.folder),))


def write(pictures: list[bytes], folder: Path) -> LoopSpec:
    """Put the pictures into an empty folder, for the camera's process."""
    for number, data in enumerate(pictures):
        (folder / f"{number:04}.jpg").write_bytes(data)
    return LoopSpec(folder)


def read_loop(folder: str) -> Iterator[Shot]:
    """The pictures of a folder over and over, at their times; what comes too late is left out."""
    camera = Camera([path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))])
    due = time.monotonic()
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        arrived = time.perf_counter_ns()
        yield Shot(arrived, camera.read())
        due = max(due + 1 / RATE, time.monotonic())


def _on_grey(person: UInt8, width: int, height: int) -> UInt8:
    """A picture as large as it can be in the middle of a grey one."""
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    scale = min(width / person.shape[1], height / person.shape[0])
    size = (round(person.shape[1] * scale), round(person.shape[0] * scale))
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    small = cv2.resize(person, size, interpolation=cv2.INTER_AREA)
    canvas[y : y + size[1], x : x + size[0]] = small
    return canvas
