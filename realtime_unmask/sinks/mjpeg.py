"""The picture as a web page that programs on this computer can read."""

from __future__ import annotations

import cv2

from realtime_unmask.errors import WebPageError
from realtime_unmask.sinks.card import waiting_card
from realtime_unmask.sinks.mjpeg_server import Server
from realtime_unmask.types import Frame, UInt8

_QUALITY = 90


class MjpegPage:
    """Offers the newest frame as motion JPEG at a secret address; a Sink and a PacedSink.

    It can be reached from this computer only, and the address is another one each time. While
    nobody watches, nothing is compressed. A slow watcher gets fewer pictures, and delays nobody.

    Args:
        port: where to listen; 0 takes a free one.

    Attributes:
        address: of the page, with a slash at its end; the bare pictures are at
            address + "stream.mjpg".
        interval_s: a new watcher, and one whose camera is gone, waits for so long at most.

    Raises:
        WebPageError: the port is in use, or cannot be had.
    """

    interval_s = 0.25

    def __init__(self, *, port: int = 0) -> None:
        self._server = Server(port)
        self.address = self._server.address
        self._picture: UInt8 | None = None
        self._published = False
        self._waiting = False  # the card is shown

    def write(self, frame: Frame) -> None:
        """See Sink; of any size.

        Raises:
            WebPageError: the page has ended.
        """
        self._picture, self._published, self._waiting = frame.image, False, False
        self._publish()

    def tick(self, trouble: str) -> None:
        """See PacedSink. What `trouble` says stays in this program.

        Raises:
            WebPageError: the page has ended.
        """
        if trouble and not self._waiting and self._picture is not None:
            self._picture, self._published, self._waiting = waiting_card(self._picture), False, True
        self._publish()

    def close(self) -> None:
        """Take the page down: watchers are cut off, the port is free; safe to call again.

        Raises:
            WebPageError: it does not end.
        """
        self._server.close()

    def abort(self) -> None:
        """The same as close(), without a word."""
        self._server.stop()

    def _publish(self) -> None:
        self._server.check()
        if self._picture is None or not self._server.watched:
            return
        if self._published and not self._server.hungry:
            return
        flags = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        done, data = cv2.imencode(".jpg", self._picture[..., ::-1], flags)
        if not done:
            height, width = self._picture.shape[:2]
            raise WebPageError(f"A picture of {width} x {height} cannot be sent as JPEG.")
        self._server.publish(data.tobytes())
        self._published = True
