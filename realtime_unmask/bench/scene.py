"""What the benchmark looks at: the demo clip as an MJPEG camera of any size would deliver it."""

from __future__ import annotations

from itertools import cycle

import av
import cv2
import numpy as np

from realtime_unmask import resources
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.types import UInt8

_QUALITY = 90
# The face is some three tenths of the picture's height, as before a laptop.
_GREY = 118


def jpegs(width: int, height: int, faces: int, count: int) -> list[bytes]:
    """`count` pictures of `faces` people in masks, side by side, each with another moment."""
    with VideoSource(resources.folder("assets") / "demo.mp4") as source:
        pictures = [frame.image for frame, _ in zip(source, range(count), strict=False)]
    made = []
    for number in range(len(pictures)):
        people = [
            pictures[(number + shift * len(pictures) // faces) % len(pictures)]
            for shift in range(faces)
        ]
        picture = cv2.cvtColor(_side_by_side(people, width, height), cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        made.append(data.tobytes())
    return made


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


def _side_by_side(people: list[UInt8], width: int, height: int) -> UInt8:
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    column = width // len(people)
    for number, person in enumerate(people):
        scale = min(column / person.shape[1], height / person.shape[0])
        size = (round(person.shape[1] * scale), round(person.shape[0] * scale))
        small = cv2.resize(person, size, interpolation=cv2.INTER_AREA)
        x, y = number * column + (column - size[0]) // 2, (height - size[1]) // 2
        canvas[y : y + size[1], x : x + size[0]] = small
    return canvas
