"""Who gets the web page: one secret address on this computer, and who is cut off."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from realtime_unmask.errors import OutputError
from realtime_unmask.sinks import mjpeg_server
from realtime_unmask.sinks.mjpeg import MjpegPage
from realtime_unmask.types import Frame
from tests.unit.sinks.web_page.watching import Feed, Watcher, alike, ask, picture, until


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
