"""A page, what feeds it, and nothing left of either; this machine alone can be reached."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_unmask.sinks.mjpeg import MjpegPage
from realtime_unmask.types import Frame, UInt8
from tests.unit.sinks.web_page.watching import Feed


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the one for all tests: these reach for this very machine, and no further."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            pytest.fail(f"The test tried to reach {address}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A test whose page goes on fails."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.fixture
def page() -> Iterator[MjpegPage]:
    made = MjpegPage()
    yield made
    made.close()


@pytest.fixture
def feed() -> Iterator[Feed]:
    """Sends a picture to a page again and again, until the test ends."""
    ended = threading.Event()
    threads = []

    def begin(page: MjpegPage, image: UInt8) -> None:
        def run() -> None:
            while not ended.wait(0.02):
                page.write(Frame(image))

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield begin
    ended.set()
    for thread in threads:
        thread.join()
