"""What the web page shows: the newest picture to many watchers, none in another's way."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.pipeline.live import LiveOptions, LiveSession
from realtime_unmask.sinks.card import waiting_card
from realtime_unmask.sinks.mjpeg import MjpegPage
from realtime_unmask.types import Frame
from tests.unit.pipeline.live_fakes import FakeUnmasker
from tests.unit.sinks.web_page.watching import Feed, Watcher, alike, ask, picture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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
