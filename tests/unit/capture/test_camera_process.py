"""Cameras in a process of their own: pictures arrive whole, and a hanging driver is killed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import pytest

from realtime_unmask.capture.camera import read_device
from realtime_unmask.capture.camera_process import ProcessSource
from realtime_unmask.capture.devices import CameraInfo
from realtime_unmask.errors import CameraError
from realtime_unmask.types import Frame
from tests.media.make import mjpeg
from tests.unit.capture import devices_for_tests as devices


@pytest.fixture
def opened() -> Iterator[Callable[..., ProcessSource]]:
    """Makes sources that are closed at the end, and checks that no process is left."""
    made: list[ProcessSource] = []

    def make(reader: Any, *arguments: Any) -> ProcessSource:
        made.append(ProcessSource(reader, arguments))
        return made[-1]

    yield make
    pids = [source.pid for source in made if source.pid]
    for source in made:
        source.close()
    assert not [pid for pid in pids if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _frame(source: ProcessSource, timeout_s: float = 10.0) -> Frame:
    frame = source.read(timeout_s)
    assert frame is not None
    return frame


def test_pictures_arrive_whole_with_number_and_time(
    opened: Callable[..., ProcessSource], tmp_path: Path
) -> None:
    source = opened(devices.steered, str(tmp_path))
    frames = [_frame(source) for _ in range(10)]
    for frame in frames:
        assert frame.image.shape == (48, 64, 3)
        assert (frame.image == frame.index % 251).all()
        assert 0 <= time.perf_counter_ns() - frame.captured_ns < 5e9
    assert [f.index for f in frames] == sorted({f.index for f in frames})


def test_each_picture_is_fetched_or_counted_as_missed(
    opened: Callable[..., ProcessSource],
) -> None:
    source = opened(devices.counted, 300)
    fetched = 0
    with pytest.raises(CameraError, match="ended"):
        while True:
            fetched += source.read(10.0) is not None
            time.sleep(0.002)
    assert fetched > 0
    assert fetched + source.missed == 300
    assert source.missed > 0


def test_a_change_of_size_is_followed(
    opened: Callable[..., ProcessSource], tmp_path: Path
) -> None:
    source = opened(devices.steered, str(tmp_path))
    assert _frame(source).image.shape == (48, 64, 3)
    (tmp_path / "small").touch()
    until = time.monotonic() + 10
    while _frame(source).image.shape != (24, 32, 3):
        assert time.monotonic() < until
    later = _frame(source)
    assert (later.image == later.index % 251).all()


def test_a_hanging_driver_is_killed(
    opened: Callable[..., ProcessSource], tmp_path: Path
) -> None:
    source = opened(devices.steered, str(tmp_path))
    _frame(source)
    (tmp_path / "hang").touch()
    while source.read(0.3) is not None:
        pass
    pid = source.pid
    assert _alive(pid)
    source.close()
    assert not _alive(pid)
    assert source.pid == 0


def test_interrupt_ends_a_waiting_read(
    opened: Callable[..., ProcessSource], tmp_path: Path
) -> None:
    (tmp_path / "hang").touch()
    source = opened(devices.steered, str(tmp_path))
    threading.Timer(0.1, source.interrupt).start()
    assert source.read(60.0) is None


def test_what_is_wrong_is_said(opened: Callable[..., ProcessSource], tmp_path: Path) -> None:
    (tmp_path / "gone").touch()
    with pytest.raises(CameraError, match="not connected") as caught:
        opened(devices.steered, str(tmp_path)).read(10.0)
    assert caught.value.kind == "no_camera"

    source = opened(devices.crash)
    with pytest.raises(CameraError, match="driver bug"):
        while True:
            source.read(10.0)


def test_a_process_that_dies_is_noticed(
    opened: Callable[..., ProcessSource], tmp_path: Path
) -> None:
    source = opened(devices.steered, str(tmp_path))
    _frame(source)
    os.kill(source.pid, 9)
    with pytest.raises(CameraError, match="ended unexpectedly"):
        while True:
            source.read(10.0)


@pytest.mark.parametrize("kind", ["garbage", "cut", "byte", "empty"])
def test_one_broken_picture_of_a_camera_is_passed_over(tmp_path: Path, kind: str) -> None:
    path = mjpeg(tmp_path / "whole.avi", 8, {})
    with av.open(str(path)) as container:
        whole = bytes(next(container.demux(video=0)))
    bad = {"garbage": bytes(500), "cut": whole[:200], "byte": b"\0", "empty": b""}[kind]
    path = mjpeg(tmp_path / "camera.avi", 8, {3: bad})
    given = 0
    with pytest.raises(CameraError, match="has ended"):
        for _ in read_device(CameraInfo("camera:x@y", "x", str(path), "avi"), {}):
            given += 1
    assert given == 7


def test_a_camera_of_which_nothing_can_be_decoded_is_given_up(tmp_path: Path) -> None:
    path = mjpeg(tmp_path / "camera.avi", 60, {n: bytes(500) for n in range(10, 60)})
    given = 0
    with pytest.raises(CameraError, match="gives no more pictures"):
        for _ in read_device(CameraInfo("camera:x@y", "x", str(path), "avi"), {}):
            given += 1
    assert given == 10


def test_ffmpeg_devices_are_read() -> None:
    with closing(ProcessSource(devices.pattern, (1.0,))) as source:
        frame = _frame(source)
        assert frame.image.shape == (240, 320, 3)
        assert frame.image.std() > 30
        with pytest.raises(CameraError, match="has ended"):
            while True:
                source.read(10.0)
