"""The web page: one secret address on this computer, many watchers, none in another's way."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.errors import OutputError
from realtime_unmask.pipeline.live import LiveOptions, LiveSession
from realtime_unmask.sinks import mjpeg_server
from realtime_unmask.sinks.card import waiting_card
from realtime_unmask.sinks.mjpeg import MjpegPage
from realtime_unmask.types import Frame, UInt8

from ..pipeline.live_fakes import FakeUnmasker

Feed = Callable[[MjpegPage, UInt8], None]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def picture(width: int = 320, height: int = 180, shift: int = 0) -> UInt8:
    """Slopes in all three colours, and a patch; another `shift`, another picture."""
    y, x = np.mgrid[:height, :width]
    image = np.dstack([x * 255 // width, y * 255 // height, (x + y + 16 * shift) % 256])
    image[height // 4 : height // 2, width // 4 : width // 2] = (200, 30, 30)
    return image.astype(np.uint8)


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


def test_the_stream_gives_the_frame_that_was_sent(page: MjpegPage, feed: Feed) -> None:
    feed(page, picture())
    watcher = Watcher(page)
    assert alike(watcher.picture(), picture())
    assert not alike(watcher.picture(), picture(shift=4))
    watcher.close()


def test_the_page_holds_the_stream_and_may_load_nothing_else(page: MjpegPage) -> None:
    status, body, headers = ask(page, urlsplit(page.address).path)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(rb'src="(.*?)"', body) == [b"stream.mjpg"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'")
    assert headers["Cache-Control"] == "no-store"


def test_it_listens_on_the_loopback_only(page: MjpegPage) -> None:
    parts = urlsplit(page.address)
    assert parts.hostname == "127.0.0.1"
    for family in ("tcp", "tcp6"):
        table = Path(f"/proc/self/net/{family}")
        if not table.exists():
            pytest.skip("only Linux lists its sockets in /proc")
        for line in table.read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if int(port, 16) == parts.port:
                assert address == "0100007F"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/stream.mjpg", 404), ("/x/stream.mjpg", 404), ("/../etc/passwd", 404)],
)
def test_without_the_secret_there_is_nothing(page: MjpegPage, path: str, status: int) -> None:
    answer, body, _ = ask(page, path)
    assert answer == status
    assert urlsplit(page.address).path.strip("/").encode() not in body


def test_each_page_has_another_long_secret() -> None:
    secrets = set()
    for _ in range(3):
        page = MjpegPage()
        secrets.add(urlsplit(page.address).path.strip("/"))
        page.close()
    assert len(secrets) == 3
    assert all(len(secret) >= 20 for secret in secrets)


def test_a_foreign_name_that_points_here_is_turned_away(page: MjpegPage) -> None:
    path = urlsplit(page.address).path
    assert ask(page, path, Host="evil.example")[0] == 403
    assert ask(page, path, Host=f"localhost:{urlsplit(page.address).port}")[0] == 200


def test_nothing_but_reading_is_allowed(page: MjpegPage) -> None:
    assert ask(page, urlsplit(page.address).path, "POST")[0] == 405


@pytest.mark.parametrize(
    "sent", [b"hello\r\n\r\n", b"\x00\xff" * 10_000, b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000]
)
def test_what_is_no_request_ends_that_connection_only(
    page: MjpegPage, feed: Feed, sent: bytes
) -> None:
    feed(page, picture())
    port = urlsplit(page.address).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wild:
        try:
            wild.sendall(sent)
            while wild.recv(4096):
                pass
        except ConnectionError:
            pass
    watcher = Watcher(page)
    assert alike(watcher.picture(), picture())
    watcher.close()


def test_whoever_sends_no_request_is_cut_off(
    page: MjpegPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mjpeg_server, "PATIENCE_S", 0.1)
    port = urlsplit(page.address).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        assert silent.recv(1) == b""


def test_several_watchers_get_each_new_picture(page: MjpegPage) -> None:
    watchers = [Watcher(page) for _ in range(4)]
    for shift in range(3):
        page.write(Frame(picture(shift=shift)))
        assert all(alike(one.picture(), picture(shift=shift)) for one in watchers)
    for one in watchers:
        one.close()


def test_one_that_takes_nothing_delays_nobody(page: MjpegPage) -> None:
    parts = urlsplit(page.address)
    noise = np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    with socket.create_connection(("127.0.0.1", parts.port), timeout=10) as stuck:
        stuck.sendall(
            f"GET {parts.path}stream.mjpg HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        )
        watcher = Watcher(page)
        for _ in range(40):  # about 25 MB, far more than the system holds for one connection
            page.write(Frame(noise))
            watcher.picture()
        watcher.close()


def test_one_that_takes_nothing_for_long_is_cut_off(
    page: MjpegPage, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mjpeg_server, "PATIENCE_S", 0.3)
    parts = urlsplit(page.address)
    noise = np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    with socket.create_connection(("127.0.0.1", parts.port), timeout=10) as stuck:
        stuck.sendall(
            f"GET {parts.path}stream.mjpg HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        )
        until(lambda: page._server.watched)
        feed(page, noise)
        until(lambda: not page._server.watched)


def test_too_many_watchers_are_told_so(
    page: MjpegPage, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mjpeg_server, "MOST_WATCHERS", 2)
    feed(page, picture())
    watchers = [Watcher(page), Watcher(page)]
    path = urlsplit(page.address).path + "stream.mjpg"
    assert ask(page, path)[0] == 503
    watchers.pop().close()
    until(lambda: page._server._watchers == 1)
    watchers.append(Watcher(page))
    for one in watchers:
        one.close()


def test_nothing_is_compressed_while_nobody_watches(
    page: MjpegPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *a: done.append(1) or encode(*a))
    page.write(Frame(picture()))
    page.tick("")
    assert not done
    watcher = Watcher(page)
    page.tick("")
    watcher.picture()
    page.tick("")  # it is published already
    watcher.close()
    assert len(done) == 1


def test_a_new_watcher_gets_the_last_picture_though_no_frame_comes(page: MjpegPage) -> None:
    for shift in (0, 3):  # the second time, what the one before saw is old
        page.write(Frame(picture(shift=shift)))
        watcher = Watcher(page)
        page.tick("")
        assert alike(watcher.picture(), picture(shift=shift))
        second = Watcher(page)
        assert alike(second.picture(), picture(shift=shift))
        watcher.close()
        second.close()
        for _ in range(200):  # a closed connection shows when it is written to
            if not page._server.watched:
                break
            page.write(Frame(picture(shift=1)))
            time.sleep(0.02)
        assert not page._server.watched


def test_while_the_camera_is_gone_a_card_says_so_and_tells_no_secrets(page: MjpegPage) -> None:
    page.write(Frame(picture()))
    watcher = Watcher(page)
    page.tick("rtsp://me:secret@camera has stalled: waiting for it.")
    card = watcher.picture()
    assert alike(card, waiting_card(picture()))
    page.tick("rtsp://me:secret@camera has stalled: waiting for it.")
    page.write(Frame(picture()))
    assert alike(watcher.picture(), picture())
    watcher.close()


def test_frames_may_change_their_size(page: MjpegPage) -> None:
    watcher = Watcher(page)
    for size in ((320, 180), (181, 321)):
        page.write(Frame(picture(*size)))
        assert watcher.picture().shape == (size[1], size[0], 3)
    watcher.close()


def test_a_port_in_use_is_said_and_can_be_had_later() -> None:
    first = MjpegPage()
    port = urlsplit(first.address).port
    assert port is not None
    with pytest.raises(OutputError, match=rf"port {port} \(Address already in use\). Close the"):
        MjpegPage(port=port)
    first.close()
    second = MjpegPage(port=port)
    assert urlsplit(second.address).port == port
    second.close()


def test_a_port_that_does_not_exist_is_said() -> None:
    with pytest.raises(OutputError, match="port 70000"):
        MjpegPage(port=70000)


def test_it_stops_at_once_and_silently_with_watchers_of_all_kinds(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    page = MjpegPage()
    parts = urlsplit(page.address)
    noise = np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    silent = socket.create_connection(("127.0.0.1", parts.port), timeout=10)
    stuck = socket.create_connection(("127.0.0.1", parts.port), timeout=10)
    stuck.sendall(f"GET {parts.path}stream.mjpg HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    watcher = Watcher(page)
    for _ in range(20):
        page.write(Frame(noise))
    page.close()  # raises if its thread does not end within 1.5 s
    page.close()
    page.abort()
    watcher.response.read()  # comes to its end
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", parts.port), timeout=10)
    watcher.close()
    for one in (silent, stuck):
        one.close()
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_the_server_is_told_to_the_one_who_feeds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(mjpeg_server.asyncio, "start_server", broken)
    page = MjpegPage()
    page._server._thread.join(10)
    with pytest.raises(OutputError, match=r"RuntimeError: boom\)\. Switch it on again"):
        page.write(Frame(picture()))
    page.abort()


def test_a_live_session_shows_the_card_while_its_camera_is_gone_and_goes_on_after() -> None:
    camera = ScriptedCamera(
        (Step(frames=40, gone_s=1.0),), lambda i, w, h: picture(w, h), (320, 180), fps=50.0
    )
    options = LiveOptions(badge=False)
    with LiveSession(camera, FakeUnmasker, options=options) as session:
        session.start()
        pages: list[MjpegPage] = []
        session.attach("page", lambda first: pages.append(MjpegPage()) or pages[0])
        watcher = Watcher(pages[0])
        seen = [watcher.picture()]
        for wanted in (255 - picture(), waiting_card(255 - picture()), 255 - picture()):
            deadline = time.monotonic() + 10
            while not alike(seen[-1], wanted):
                assert time.monotonic() < deadline, f"after {len(seen)} pictures"
                seen.append(watcher.picture())
        session.detach("page")
        watcher.close()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package chromium)")
def test_chromium_shows_the_frame_that_was_sent(
    page: MjpegPage, feed: Feed, tmp_path: Path
) -> None:
    assert CHROMIUM is not None
    image = picture(640, 360)
    feed(page, image)
    shot = tmp_path / "shot.png"
    command = [
        CHROMIUM,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--hide-scrollbars", "--force-device-scale-factor=1", "--force-color-profile=srgb"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}"),
        *("--window-size=640,360", "--timeout=20000", page.address),
    ]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(command, env=environment, timeout=90, check=True, capture_output=True)
    seen = cv2.imread(str(shot), cv2.IMREAD_COLOR)
    assert seen is not None
    assert alike(seen[..., ::-1].astype(np.uint8), image)
