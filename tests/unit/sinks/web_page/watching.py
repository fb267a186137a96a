"""Plain clients of the web page, and what they are to see."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from realtime_unmask.sinks.mjpeg import MjpegPage
from realtime_unmask.types import UInt8

Feed = Callable[[MjpegPage, UInt8], None]


def picture(width: int = 320, height: int = 180, shift: int = 0) -> UInt8:
    """Slopes in all three colours, and a patch; another `shift`, another picture."""
    y, x = np.mgrid[:height, :width]
    image = np.dstack([x * 255 // width, y * 255 // height, (x + y + 16 * shift) % 256])
    image[height // 4 : height // 2, width // 4 : width // 2] = (200, 30, 30)
    return image.astype(np.uint8)


class Watcher:
    """A plain client of the stream."""

    def __init__(self, page: MjpegPage) -> None:
        parts = urlsplit(page.address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        self._connection.request("GET", parts.path + "stream.mjpg")
        self.response = self._connection.getresponse()
        assert self.response.status == 200
        kind = self.response.headers["Content-Type"]
        self._boundary = b"--" + kind.partition("boundary=")[2].encode()
        assert self.response.readline().strip() == self._boundary

    def picture(self) -> UInt8:
        """The next one, (H, W, 3) RGB; the boundary after it was read as well."""
        headers = http.client.parse_headers(self.response)
        assert headers["Content-Type"] == "image/jpeg"
        data = self.response.read(int(headers["Content-Length"]))
        assert self.response.readline() == b"\r\n"
        assert self.response.readline().strip() == self._boundary
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert read is not None
        return read[..., ::-1].astype(np.uint8)

    def close(self) -> None:
        self.response.close()
        self._connection.close()


def ask(page: MjpegPage, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    """(status, body, headers) of one request."""
    parts = urlsplit(page.address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response.headers


def until(what: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def alike(one: UInt8, other: UInt8) -> bool:
    """Is it the same picture, but for what JPEG does to it?"""
    if one.shape != other.shape:
        return False
    apart = np.abs(one.astype(int) - other.astype(int))
    return bool(apart.mean() < 2.5 and np.percentile(apart, 98) < 16)
