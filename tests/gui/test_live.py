"""The window on a real live session: a scripted camera, and networks that block and fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.capture.stream import FileSpec
from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Face, Frame, FrameResult
from realtime_unmask.ui import live_studio
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.live_studio import LiveStudio
from realtime_unmask.ui.studio import Devices
from realtime_unmask.ui.window import Window
from realtime_unmask.unmask.unmasker import State
from tests.media.make import Video, write

from .stand_ins import GREEN, FileUnmasker
from .test_smoothness import gaps_ms


class Networks(AtOnce):
    """Paints everything green; its gate can hold it up in the middle of a frame."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.settings = Settings()
        self.backend, self.reason = "stand-in", "the only one"
        self.fault: Exception | None = None
        self.frames = 0

    def make(self, settings: Settings) -> Networks:
        if self.fault is not None:
            raise self.fault
        self.settings = settings
        return self

    def process(self, frame: Frame, state: State) -> FrameResult:
        self.gate.wait(20)
        self.frames += 1
        green = replace(frame, image=np.full_like(frame.image, GREEN))
        face = Face(7, np.array([40, 30, 120, 90], np.float32), np.zeros((478, 3), np.float32))
        painted = np.full(frame.image.shape[:2], 255, np.uint8)
        return FrameResult(frame, green, painted, (face,))

    def close(self) -> None:
        pass


class OneCamera(LiveStudio):
    """A studio on a machine with nothing but the scripted camera."""

    def cameras(self) -> tuple[()]:
        return ()

    def devices(self) -> Devices:
        return Devices()


@pytest.fixture
def networks() -> Networks:
    return Networks()


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> ScriptedCamera:
    made = ScriptedCamera(size=(160, 120), fps=30.0)
    monkeypatch.setattr(live_studio, "spec_of", lambda key: made)
    return made


@pytest.fixture
def live(
    qtbot: QtBot, networks: Networks, camera: ScriptedCamera, preferences_path: Path
) -> Iterator[Window]:
    """A window that shows the scripted camera."""
    controller = Controller(OneCamera(networks.make), preferences_path, "scripted")
    window = Window(controller, FileJobs(FileUnmasker))
    controller.setParent(window)
    window.jobs.setParent(window)
    window.show()
    controller.begin()
    qtbot.waitUntil(lambda: controller.state == "running")
    yield window
    networks.gate.set()
    window.close()
    window.deleteLater()


def words(window: Window) -> str:
    return " ".join(notice.text for notice in window.notices.shown)


def shows_paint(window: Window) -> bool:
    after = window.viewport._after
    return after is not None and (after == GREEN).all()


def test_painted_picture_is_shown_with_its_figures(live: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: shows_paint(live))
    qtbot.waitUntil(lambda: "stand-in" in live.strip.backend.text(), timeout=5000)
    assert "frames/s" in live.strip.rate.text()


def test_a_picture_is_shown_when_it_comes_and_not_when_the_clock_says(
    live: Window, qtbot: QtBot
) -> None:
    live.controller.stop()
    qtbot.waitUntil(lambda: live.controller.state == "ready")
    live.controller._display.setInterval(600_000)
    shown: list[object] = []
    live.controller.picture.connect(shown.append)
    live.controller.start()
    qtbot.waitUntil(lambda: len(shown) > 3)


def test_snapshot_is_written_by_a_key(live: Window, qtbot: QtBot, tmp_path: Path) -> None:
    live.controller.change("folder", str(tmp_path / "pictures"))
    live.commands["snapshot"].trigger()
    qtbot.waitUntil(lambda: "Saved: " in words(live))
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1


def test_recording_is_complete_when_the_window_says_so(
    live: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    live.controller.change("folder", str(tmp_path))
    live.controller.change("microphone", False)
    live.commands["record"].trigger()
    qtbot.waitUntil(lambda: live.commands["record"].isChecked())
    qtbot.wait(700)
    live.commands["record"].trigger()
    qtbot.waitUntil(lambda: "The recording is complete: " in words(live), timeout=10_000)
    (path,) = tmp_path.glob("*.mp4")
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) > 5
    assert np.abs(frames[-1][60, 80].astype(int) - GREEN).max() < 12


@pytest.mark.parametrize("way", ["stop", "close"])
def test_recording_under_way_is_finished_when_all_is_stopped(
    live: Window, qtbot: QtBot, tmp_path: Path, way: str
) -> None:
    live.controller.change("folder", str(tmp_path))
    live.controller.change("microphone", False)
    live.commands["record"].trigger()
    qtbot.waitUntil(lambda: live.commands["record"].isChecked())
    qtbot.wait(300)
    if way == "close":
        live.close()
    else:
        live.commands["start"].trigger()
        qtbot.waitUntil(lambda: live.controller.state == "ready", timeout=10_000)
        assert "The recording is complete: " in words(live)
    (path,) = tmp_path.glob("*.mp4")
    assert ".partial" not in path.name


def test_recording_into_a_folder_that_cannot_be_made_is_said(
    live: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    live.controller.change("folder", str(tmp_path / "file" / "folder"))
    live.commands["record"].trigger()
    qtbot.waitUntil(lambda: "cannot be used" in words(live))
    assert not live.commands["record"].isChecked()


def test_web_page_is_offered_and_taken_down(live: Window, qtbot: QtBot) -> None:
    live.commands["page"].trigger()
    qtbot.waitUntil(lambda: live.panel.page.isChecked())
    assert live.panel.page_address.line.text().startswith("http://127.0.0.1:")
    live.commands["page"].trigger()
    qtbot.waitUntil(lambda: not live.panel.page.isChecked())


@pytest.mark.skipif(Path("/dev/video0").exists(), reason="there may be a virtual camera here")
def test_missing_virtual_camera_is_said_with_commands(live: Window, qtbot: QtBot) -> None:
    live.commands["virtual_camera"].trigger()
    qtbot.waitUntil(lambda: live.notices.shown != ())
    said = live.notices.shown[0]
    assert said.grave and ("v4l2loopback" in said.commands or "[vcam]" in said.commands)
    assert live.notices.findChild(QPushButton, "page") is not None
    assert not live.commands["virtual_camera"].isChecked()


def test_mirror_and_turn_are_in_force_at_once(live: Window, qtbot: QtBot) -> None:
    live.commands["rotate"].trigger()

    def upright() -> bool:
        after = live.viewport._after
        return after is not None and after.shape[:2] == (160, 120)

    qtbot.waitUntil(upright)


@pytest.mark.parametrize(
    ("aspect", "turn", "size"),
    [
        (Fraction(2), 0, (192, 144)),
        (Fraction(1, 2), 0, (96, 288)),
        (Fraction(2), 90, (144, 192)),
    ],
)
def test_a_clip_whose_pixels_are_not_square_is_shown_and_saved_as_wide_as_it_is_meant(
    request: pytest.FixtureRequest, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    aspect: Fraction, turn: int, size: tuple[int, int],
) -> None:  # fmt: skip
    clip = write(tmp_path / "clip.mp4", Video(width=96, height=144, sample_aspect=aspect))
    request.getfixturevalue("camera")
    monkeypatch.setattr(live_studio, "spec_of", lambda key: FileSpec(clip))
    live: Window = request.getfixturevalue("live")
    live.controller.change("rotate", turn)

    def meant() -> bool:
        view = live.viewport
        assert view._before is not None and view._after is not None
        return view._before.shape == view._after.shape == (size[1], size[0], 3)

    qtbot.waitUntil(meant)
    live.controller.change("folder", str(tmp_path))
    live.commands["snapshot"].trigger()
    qtbot.waitUntil(lambda: "Saved: " in words(live))
    (picture,) = tmp_path.glob("*.png")
    with Image.open(picture) as saved:
        assert saved.size == size


def test_a_face_has_to_be_clicked_and_the_window_says_so(live: Window, qtbot: QtBot) -> None:
    live.controller.change("faces", "chosen")
    qtbot.waitUntil(lambda: "Click a face" in live.strip.note.text(), timeout=3000)
    live.controller.pick(80, 60)
    qtbot.waitUntil(lambda: live.strip.note.text() == "", timeout=3000)


def test_stop_and_start_again(live: Window, camera: ScriptedCamera, qtbot: QtBot) -> None:
    for state in ("ready", "running"):
        live.commands["start"].trigger()
        qtbot.waitUntil(lambda state=state: live.controller.state == state, timeout=5000)
    assert camera.opened == 2


def test_window_stays_smooth_while_the_networks_block(
    live: Window, networks: Networks, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: shows_paint(live))
    networks.gate.clear()
    assert len(gaps_ms(qtbot, 1.5)) > 20
    assert not shows_paint(live)  # the camera's own picture goes on
    networks.gate.set()
    qtbot.waitUntil(lambda: shows_paint(live), timeout=5000)


@pytest.mark.slow
def test_event_loop_is_late_by_less_than_50_ms_while_the_networks_block_for_5_s(
    live: Window, networks: Networks, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: shows_paint(live))
    networks.gate.clear()
    late = gaps_ms(qtbot, 5.0)
    assert float(np.percentile(late, 99)) < 50, f"p50 {np.median(late):.1f} ms of {len(late)}"


class TestTrouble:
    """The camera or the networks fail."""

    def test_networks_that_cannot_be_loaded_are_said_and_the_camera_is_shown(
        self, networks: Networks, request: pytest.FixtureRequest, qtbot: QtBot
    ) -> None:
        networks.fault = EngineUnavailable("There is nothing that runs them.")
        live: Window = request.getfixturevalue("live")
        qtbot.waitUntil(lambda: "There is nothing that runs them." in words(live), timeout=5000)
        assert live.controller.state == "running"

    def test_camera_that_is_not_there_is_waited_for(
        self, camera: ScriptedCamera, networks: Networks, qtbot: QtBot, preferences_path: Path
    ) -> None:
        camera._left = [Step(gone_s=2.0)]
        controller = Controller(OneCamera(networks.make), preferences_path, "scripted")
        window = Window(controller, FileJobs(FileUnmasker))
        window.show()
        controller.begin()
        qtbot.waitUntil(lambda: controller.state == "waiting", timeout=5000)
        assert window.start_page.start.text() == "Try again"
        assert words(window) != ""
        QTest.mouseClick(window.start_page.start, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: controller.state == "running", timeout=8000)
        window.close()
        window.deleteLater()

    def test_stalled_camera_is_said_and_recovers(
        self, camera: ScriptedCamera, request: pytest.FixtureRequest, qtbot: QtBot
    ) -> None:
        camera._left = [Step(frames=20, stall_s=2.5)]
        live: Window = request.getfixturevalue("live")
        qtbot.waitUntil(lambda: "Scripted camera" in words(live), timeout=5000)
        assert live.pages.currentWidget() is live.viewport  # the last picture stays
        qtbot.waitUntil(lambda: "Scripted camera" not in words(live), timeout=8000)
