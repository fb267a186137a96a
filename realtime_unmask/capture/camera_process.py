"""A source that runs in a process of its own, so that a driver that hangs can be killed.

The child writes pictures into a ring in shared memory and tells of each by a short message. The
parent copies the newest one out; those that it did not fetch in time are counted as missed.

    child:   open -> size -> (picture into slot n % SLOTS, message n) ...
    parent:  size -> makes the ring, answers with its name -> waits for messages
"""

from __future__ import annotations

import json
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

import numpy as np

from realtime_unmask.errors import CameraError, MediaError, MediaUnsupported, UnmaskError
from realtime_unmask.types import Frame, UInt8


class Shot(NamedTuple):
    """A picture as it comes.

    Attributes:
        captured_ns: time.perf_counter_ns() before it was decoded.
        image: (H, W, 3) uint8 RGB.
        pixel_aspect: width of a pixel over its height.
    """

    captured_ns: int
    image: UInt8
    pixel_aspect: float = 1.0


# Reads a device in the child. A function of a module, since the child imports it; its arguments
# are plain values.
Reader = Callable[..., Iterator[Shot]]

SLOTS = 4
_LARGEST = 8192 * 8192 * 3  # bytes of a picture
_KILL_S = 0.3
_HEAD = struct.Struct("<Q")  # before each picture in the ring: its number + 1; 0 while written
_NEWS = struct.Struct("<cQqd")  # b"f", number, captured_ns, pixel_aspect


class ProcessSource:
    """See LiveSource; what `reader` yields in another process.

    Args:
        reader, arguments: called there as reader(*arguments).
    """

    def __init__(self, reader: Reader, arguments: tuple[Any, ...] = ()) -> None:
        self.missed = 0
        self._next = 0  # number of the picture that comes next
        self._ring: _Ring | None = None
        self._end: MediaError | None = None
        self._interrupted = threading.Event()
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._wake_read, self._wake_write = context.Pipe(duplex=False)
        child = context.Process(
            target=_child, args=(theirs, reader, arguments), name="camera", daemon=True
        )
        self._child: SpawnProcess | None = child
        try:
            child.start()
        except OSError as error:
            raise CameraError(
                f"No process can be started for the camera ({error.strerror}).", "camera_failed"
            ) from error
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """Number of the child process; 0 after close()."""
        return (self._child.pid or 0) if self._child is not None else 0

    def read(self, timeout_s: float) -> Frame | None:
        """See LiveSource.

        Raises:
            CameraError: the device is not there, is gone, or its process has died.
        """
        until = time.monotonic() + timeout_s
        while not self._interrupted.is_set():
            left = until - time.monotonic()
            if self._end is None and not wait([self._pipe, self._wake_read], max(0.0, left)):
                return None
            news = self._newest_news()
            frame = self._fetch(*news) if news is not None else None
            if frame is not None or left <= 0:
                return frame
        return None

    def interrupt(self) -> None:
        """See LiveSource."""
        self._interrupted.set()
        with suppress(OSError):
            self._wake_write.send_bytes(b"!")

    def close(self) -> None:
        """See LiveSource; ends the process, with force where it does not answer."""
        self._interrupted.set()
        child, self._child = self._child, None
        if child is None:
            return
        self._pipe.close()  # which the child takes as its end
        child.join(_KILL_S)
        if child.is_alive():
            child.kill()
            child.join(_KILL_S)
        if not child.is_alive():
            child.close()
        self._wake_read.close()
        self._wake_write.close()
        if self._ring is not None:
            self._ring.remove()
            self._ring = None

    def _newest_news(self) -> tuple[int, int, float] | None:
        """Number, captured_ns, pixel_aspect of the newest picture; None: other news only."""
        newest = None
        if self._end is not None:
            raise self._end
        try:
            while self._end is None and self._pipe.poll():
                message = self._pipe.recv_bytes(1 << 16)
                if message[:1] == b"f":
                    _, number, captured_ns, pixel_aspect = _NEWS.unpack(message)
                    newest = number, captured_ns, pixel_aspect
                else:
                    self._obey(json.loads(message))
        except (EOFError, ConnectionError):
            self._end = CameraError(
                "The camera's process has ended unexpectedly; it is started again.",
                "camera_failed",
            )
        if newest is None and self._end is not None:
            raise self._end
        return newest  # the end is told after the last picture

    def _obey(self, news: dict[str, Any]) -> None:
        if "error" in news:
            kind, text = news["kind"], news["error"]
            self._end = CameraError(text, kind) if kind else MediaUnsupported(text)
            return
        height, width = news["size"]
        if self._ring is not None:
            self._ring.remove()
        self._ring = _Ring.make(height, width)
        self._pipe.send_bytes(self._ring.name.encode())

    def _fetch(self, number: int, captured_ns: int, pixel_aspect: float) -> Frame | None:
        assert self._ring is not None
        image = self._ring.read(number)
        came = number + 1 - self._next
        self._next = number + 1
        if image is None:  # overwritten while it was copied
            self.missed += came
            return None
        self.missed += came - 1
        pts = Fraction(captured_ns, 10**9)
        return Frame(image, pts, captured_ns, number, pixel_aspect=pixel_aspect)


class _Ring:
    """SLOTS pictures in shared memory; one process writes, the other reads."""

    def __init__(self, memory: SharedMemory, height: int, width: int) -> None:
        self._memory, self._shape = memory, (height, width, 3)
        self._step = _HEAD.size + height * width * 3

    @classmethod
    def make(cls, height: int, width: int) -> _Ring:
        """A new one, for the process that reads."""
        size = SLOTS * (_HEAD.size + height * width * 3)
        try:
            return cls(SharedMemory(create=True, size=size), height, width)
        except OSError as error:
            raise CameraError(
                f"There is no memory for pictures of {width} x {height} ({error.strerror}).",
                "camera_failed",
            ) from error

    @property
    def name(self) -> str:
        """What the other process finds it by."""
        return self._memory.name

    def write(self, number: int, image: UInt8) -> None:
        """Put picture `number` in the place of the oldest one."""
        at = number % SLOTS * self._step
        _HEAD.pack_into(self._buffer, at, 0)
        self._picture(at)[:] = image
        _HEAD.pack_into(self._buffer, at, number + 1)

    def read(self, number: int) -> UInt8 | None:
        """A copy of picture `number`; None if another one has taken its place."""
        at = number % SLOTS * self._step
        if _HEAD.unpack_from(self._buffer, at)[0] != number + 1:
            return None
        image: UInt8 = self._picture(at).copy()
        return image if _HEAD.unpack_from(self._buffer, at)[0] == number + 1 else None

    def leave(self) -> None:
        """For the process that writes."""
        self._memory.close()

    def remove(self) -> None:
        """For the process that made it."""
        self._memory.close()
        with suppress(FileNotFoundError):
            self._memory.unlink()

    @property
    def _buffer(self) -> memoryview:
        assert self._memory.buf is not None
        return self._memory.buf

    def _picture(self, at: int) -> UInt8:
        return np.ndarray(self._shape, np.uint8, self._memory.buf, at + _HEAD.size)


def _child(pipe: Connection, reader: Reader, arguments: tuple[Any, ...]) -> None:
    """The other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    names: list[bytes] = []
    came = threading.Condition()
    threading.Thread(target=_listen, args=(pipe, names, came), daemon=True).start()
    try:
        _send_pictures(pipe, reader(*arguments), names, came)
        problem, kind = "The stream has ended.", "no_stream"
    except UnmaskError as error:
        problem, kind = str(error), str(getattr(error, "kind", ""))
    except Exception as error:  # noqa: BLE001  a process's edge: the parent says what it was
        problem, kind = f"The camera failed ({type(error).__name__}: {error}).", "camera_failed"
    with suppress(OSError):
        pipe.send_bytes(json.dumps({"error": problem, "kind": kind}).encode())
    os._exit(0)  # a driver may hang in its own clean-up


def _listen(pipe: Connection, names: list[bytes], came: threading.Condition) -> None:
    """Take the names of rings; end at once when the parent closes the pipe or dies."""
    try:
        while True:
            name = pipe.recv_bytes(1 << 12)
            with came:
                names.append(name)
                came.notify()
    except (EOFError, OSError):
        os._exit(0)


def _send_pictures(
    pipe: Connection, shots: Iterator[Shot], names: list[bytes], came: threading.Condition
) -> None:
    ring: _Ring | None = None
    shape: tuple[int, ...] = ()
    for number, (captured_ns, image, pixel_aspect) in enumerate(shots):
        if image.shape != shape:
            if image.nbytes > _LARGEST:
                raise MediaUnsupported(
                    f"The source gives pictures of {image.shape[1]} x {image.shape[0]}, "
                    "which is too large."
                )
            if ring is not None:
                ring.leave()
            shape = image.shape
            ring = _ring_for(pipe, shape, names, came)
        assert ring is not None
        ring.write(number, image)
        pipe.send_bytes(_NEWS.pack(b"f", number, captured_ns, pixel_aspect))


def _ring_for(
    pipe: Connection, shape: tuple[int, ...], names: list[bytes], came: threading.Condition
) -> _Ring:
    pipe.send_bytes(json.dumps({"size": shape[:2]}).encode())
    with came:
        came.wait_for(lambda: bool(names))
        name = names.pop(0).decode()
    return _Ring(SharedMemory(name), shape[0], shape[1])
