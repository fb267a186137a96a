"""What stands between the window and a live session."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from realtime_unmask.capture import devices
from realtime_unmask.capture.devices import CameraFormat, CameraInfo
from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.errors import OutputError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.sinks import virtual_camera
from realtime_unmask.sinks.live_recording import LiveRecording
from realtime_unmask.types import Frame
from realtime_unmask.ui.live_studio import LiveRunning, LiveStudio
from realtime_unmask.ui.preferences import Preferences
from tests.unit.pipeline.live_fakes import FakeUnmasker, wait_until


def _running(camera: ScriptedCamera, monkeypatch: pytest.MonkeyPatch) -> LiveRunning:
    session = LiveSession(camera, FakeUnmasker)
    monkeypatch.setattr(session, "attach", partial(session.attach, timeout_s=0.5))
    session.start()
    return LiveRunning("scripted", session)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRunning]:
    """A camera that gives no picture."""
    running = _running(ScriptedCamera([Step(stall_s=60)]), monkeypatch)
    yield running
    running.close()


def _pages() -> int:
    return sum(one.name == "web page" for one in threading.enumerate())


def test_a_page_for_which_no_picture_came_is_taken_down(silent: LiveRunning) -> None:
    assert silent.page(True).startswith("http://127.0.0.1:")
    assert _pages() == 1
    assert silent.page(False) == ""
    assert _pages() == 0


def test_a_page_for_which_no_picture_came_ends_with_the_source(silent: LiveRunning) -> None:
    silent.page(True)
    silent.close()
    assert _pages() == 0


def test_a_recording_that_could_not_be_finished_is_not_called_complete_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = _running(ScriptedCamera(), monkeypatch)
    running.record(tmp_path, Preferences(microphone=False))
    wait_until(lambda: running.recorded_s() > 0.1, "a recording")

    def fail(self: LiveRecording) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(LiveRecording, "close", fail)
    with pytest.raises(OutputError, match="disk is full"):
        running.stop_recording()
    assert running.stop_recording() is None
    running.close()


def test_a_recording_that_failed_is_not_called_complete_when_it_is_stopped_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = _running(ScriptedCamera(fps=60), monkeypatch)

    def fail(self: LiveRecording, frame: Frame) -> None:
        raise OutputError("The disk is full.")

    for folder in (tmp_path / "one", tmp_path / "two"):
        running.record(folder, Preferences(microphone=False))
        with monkeypatch.context() as full:
            full.setattr(LiveRecording, "write", fail)
            wait_until(lambda: any(p.output == "record" for p in running.problems()), "its end")
        if folder.name == "one":
            with pytest.raises(OutputError, match="disk is full"):
                running.stop_recording()
    running.record(tmp_path / "three", Preferences(microphone=False))  # the next may begin
    path = running.stop_recording()
    assert path is not None and path.exists()
    running.close()


class _Loopback:
    """A virtual camera that nobody watches."""

    name, device, interval_s = "Realtime Unmask", "/dev/video9", 1.0

    def __init__(self, width: int, height: int, *, device: str = "") -> None:
        pass

    def write(self, frame: Frame) -> None:
        pass

    def tick(self, trouble: str) -> None:
        pass

    def close(self) -> None:
        pass

    abort = close


def test_a_virtual_camera_is_called_what_a_call_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_camera, "VirtualCamera", _Loopback)
    running = _running(ScriptedCamera(), monkeypatch)
    try:
        assert running.virtual_camera(Preferences()) == "Realtime Unmask"
    finally:
        running.close()


def test_a_size_in_two_pixel_formats_is_one_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    formats = tuple(CameraFormat(640, 480, 30.0, name) for name in ("mjpeg", "yuyv422"))
    info = CameraInfo("camera:A@usb-1", "A", "/dev/video0", "v4l2", formats)
    monkeypatch.setattr(devices, "cameras", lambda: (info,))
    (camera,) = LiveStudio().cameras()
    assert camera.formats == (("640 × 480, 30/s", "640x480@30"),)


def test_a_microphone_that_goes_while_it_is_recorded_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = threading.Event()
    monkeypatch.setattr(LiveRecording, "sound_lost", property(lambda _: gone.is_set()))
    running = _running(ScriptedCamera(), monkeypatch)
    try:
        running.record(tmp_path, Preferences(microphone=False))
        assert not any(one.kind == "sound_lost" for one in running.problems())
        gone.set()
        (problem,) = [one for one in running.problems() if one.kind == "sound_lost"]
        assert "gives no sound any more" in problem.text and not problem.output
        running.stop_recording()
        assert not any(one.kind == "sound_lost" for one in running.problems())
    finally:
        running.close()
