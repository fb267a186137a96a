"""A web server for one page with one moving picture, for this computer only.

One thread with an event loop serves all watchers; each gets the newest picture whenever it has
taken the one before.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from realtime_unmask.errors import WebPageError

HOST = "127.0.0.1"
MOST_WATCHERS = 16
# Without a new picture the last one is sent again: so it is noticed when a watcher is gone.
AGAIN_S = 5.0
# Whoever does not send a request, or take a picture, in this time is cut off.
PATIENCE_S = 10.0
_STOP_S = 1.5
_LARGEST_REQUEST = 8192
# Small, so that what waits in it for a slow watcher is not seconds old; a picture is 0.1 to 1 MB.
_SEND_BUFFER = 2**18
_BOUNDARY = b"frame"
_PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Realtime Unmask</title>
<link rel="icon" href="data:,">
<style>
html, body { margin: 0; height: 100%; background: #000 }
img { display: block; width: 100%; height: 100%; object-fit: contain }
</style>
<img src="stream.mjpg" alt="The picture of Realtime Unmask"></html>
"""
_HEADERS = (
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n"
    "Content-Security-Policy: default-src 'none'; img-src 'self' data:; "
    "style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
)
_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class Server:
    """Serves from a thread of its own until it is stopped.

    Args:
        port: where to listen; 0 takes a free one.

    Attributes:
        address: of the page.

    Raises:
        WebPageError: the port is in use, or cannot be had.
    """

    def __init__(self, port: int = 0) -> None:
        listener = _listen(port)
        self._port = int(listener.getsockname()[1])
        self._root = f"/{secrets.token_urlsafe(16)}/"
        self.address = f"http://{HOST}:{self._port}{self._root}"
        self._watchers = 0
        self._jpeg = b""
        self._fault: Exception | None = None
        self._loop = asyncio.new_event_loop()
        # Replaced by a new one whenever it is set; belongs to the loop's thread.
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="web page", daemon=True
        )
        self._thread.start()

    @property
    def watched(self) -> bool:
        """Does anybody want pictures?"""
        return self._watchers > 0

    @property
    def hungry(self) -> bool:
        """Does anybody wait for a first picture?"""
        return self._watchers > 0 and not self._jpeg

    def publish(self, jpeg: bytes) -> None:
        """Show this picture from now on; returns at once.

        Raises:
            WebPageError: see check().
        """
        self.check()
        self._call(lambda: self._show(jpeg))

    def check(self) -> None:
        """Is it still at work?

        Raises:
            WebPageError: it ended by a fault.
        """
        if self._fault is not None:
            raise WebPageError(
                f"The web page ended by a fault ({type(self._fault).__name__}: {self._fault}). "
                "Switch it on again."
            ) from self._fault

    def stop(self) -> bool:
        """Cut off all watchers and free the port; False: it does not end in good time."""
        self._call(self._ending.set)
        self._thread.join(_STOP_S)
        return not self._thread.is_alive()

    def close(self) -> None:
        """stop().

        Raises:
            WebPageError: it does not end.
        """
        if not self.stop():
            raise WebPageError(
                f"The web page at port {self._port} does not end; it was left behind."
            )

    def _call(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what)

    # In the server's thread

    def _run(self, listener: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve(listener))
        except Exception as error:  # noqa: BLE001  a thread's edge: told in check()
            self._fault = error
        finally:
            listener.close()

    async def _serve(self, listener: socket.socket) -> None:
        server = await asyncio.start_server(self._meet, sock=listener, limit=_LARGEST_REQUEST)
        try:
            await self._ending.wait()
        finally:
            server.close()
        # The runner cancels whoever is still being served.

    def _show(self, jpeg: bytes) -> None:
        if not self._watchers:
            return  # the next one to come must not see an old picture
        self._jpeg = jpeg
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            # With no more room than one picture, sending waits for the watcher.
            writer.transport.set_write_buffer_limits(high=0)
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
            status, stream = self._judge(head)
            if stream:
                await self._stream(writer)
            else:
                body = _PAGE if status == 200 else f"{status} {_REASONS[status]}\n".encode()
                kind = "text/html; charset=utf-8" if status == 200 else "text/plain"
                await _send(writer, _head(status, kind, len(body)) + body)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # gone, too slow, or no browser
        except asyncio.CancelledError:
            pass  # the server ends; passed on, Python 3.11 would print it as a fault
        finally:
            writer.transport.abort()

    def _judge(self, head: bytes) -> tuple[int, bool]:
        """(HTTP status, whether it is the stream that is asked for)."""
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return 400, False
        fields = (line.partition(":") for line in lines)
        hosts = [value.strip() for name, _, value in fields if name.lower() == "host"]
        # A foreign web page whose name was made to point here has its own name in this place.
        if len(hosts) != 1 or hosts[0] not in (f"{HOST}:{self._port}", f"localhost:{self._port}"):
            return 403, False
        if words[0] != "GET":
            return 405, False
        path = words[1].partition("?")[0].encode("latin-1")
        if hmac.compare_digest(path, self._root.encode()):
            return 200, False
        if not hmac.compare_digest(path, f"{self._root}stream.mjpg".encode()):
            return 404, False
        return (503, False) if self._watchers >= MOST_WATCHERS else (200, True)

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        self._watchers += 1
        try:
            kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
            await _send(writer, _head(200, kind) + b"--" + _BOUNDARY + b"\r\n")
            while True:
                news = self._news
                if self._jpeg:
                    await _send(writer, _part(self._jpeg))
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        await news.wait()
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._jpeg = b""


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, the other option would share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # a port that was just freed can be had again
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(MOST_WATCHERS)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise WebPageError(
            f"The web page cannot be offered at port {port} ({reason}). Close the program that "
            "uses this port, or choose another port."
        ) from error
    return listener


def _head(status: int, kind: str, length: int | None = None) -> bytes:
    size = "" if length is None else f"Content-Length: {length}\r\n"
    line = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n{size}"
    return (line + _HEADERS + "\r\n").encode("latin-1")


def _part(jpeg: bytes) -> bytes:
    # The next boundary follows at once: browsers show a picture only when they have seen it.
    return b"".join(
        (
            b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg),
            jpeg,
            b"\r\n--" + _BOUNDARY + b"\r\n",
        )
    )


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Returns when the system has taken all of it.

    Raises:
        OSError: the watcher is gone, or takes nothing.
    """
    # Not writelines(): in Python 3.12 a watcher that takes nothing is not waited for after it.
    writer.write(data)
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()
