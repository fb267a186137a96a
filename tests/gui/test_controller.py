"""What is in force after the person changed their mind, at awkward moments too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import preferences as remembered
from realtime_unmask.ui import window as window_module
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.studio import DEMO, Camera, Devices, Problem
from realtime_unmask.ui.window import Window

from .stand_ins import CAMERAS, FakeRunning, FakeStudio

Open = Callable[..., Window]
GONE = Problem("virtual_camera_gone", "The virtual camera X is gone.", True, "virtual_camera")


def _state(window: Window, state: str) -> Callable[[], bool]:
    return lambda: window.controller.state == state


def _words(window: Window) -> str:
    return " ".join(notice.text for notice in window.notices.shown)


def _close_notice(window: Window) -> None:
    close = [b for b in window.notices.findChildren(QAbstractButton) if b.text() == "✕"]
    QTest.mouseClick(close[-1], Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(
    ("name", "value"), [("mirror", True), ("backend", "openvino"), ("resolution", "640x480@30")]
)
def test_what_is_changed_while_the_camera_starts_is_in_force(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    name: str, value: object,
) -> None:  # fmt: skip
    chosen: list[str] = []
    monkeypatch.setattr(
        FakeRunning, "choose", lambda self, key, preferences: chosen.append(preferences.resolution)
    )
    studio.gate.clear()
    window = open_window()
    qtbot.waitUntil(_state(window, "opening"))
    window.panel.changed.emit(name, value)
    studio.gate.set()
    qtbot.waitUntil(_state(window, "running"))
    assert getattr(studio.now.preferences, name) == value
    assert chosen == ([value] if name == "resolution" else [])


@pytest.mark.parametrize("state", ["opening", "stopping"])
def test_what_is_chosen_after_a_stop_is_shown(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    state: str,
) -> None:  # fmt: skip
    closing = threading.Event()
    close = FakeRunning.close
    monkeypatch.setattr(FakeRunning, "close", lambda self: closing.wait(20) and close(self))
    if state == "opening":
        studio.gate.clear()
        closing.set()
    window = open_window()
    qtbot.waitUntil(_state(window, "opening" if state == "opening" else "running"))
    window.controller.stop()
    assert window.controller.state == state
    window.controller.choose_source("cam:b")
    studio.gate.set()
    closing.set()
    qtbot.waitUntil(_state(window, "running"))
    assert studio.now.key == "cam:b"


def test_all_that_is_stuck_when_it_is_stopped_is_said_in_german(
    window: Window, studio: FakeStudio, qtbot: QtBot, german: None
) -> None:
    kinds = ("source_stuck", "output_unfinished", "output_unfinished")
    studio.now.stuck = tuple(Problem(kind, f"English {n}.") for n, kind in enumerate(kinds))
    window.controller.stop()
    qtbot.waitUntil(_state(window, "ready"))
    assert [said.text for said in window.controller.sayings.now] == [
        "Die Quelle antwortet nicht; auf sie wird nicht länger gewartet.",
        "Eine Ausgabe ist noch nicht fertig. Im Einzelnen: English 1.",
        "Eine Ausgabe ist noch nicht fertig. Im Einzelnen: English 2.",
    ]


def test_a_given_camera_is_a_camera(open_window: Open, studio: FakeStudio, qtbot: QtBot) -> None:
    key = "camera:Front camera@usb-1"
    studio.connected = (Camera(key, "Front camera"),)
    window = open_window(key)
    qtbot.waitUntil(_state(window, "running"))
    window.commands["own_face"].trigger()
    qtbot.waitUntil(lambda: studio.now.follows is not None)


def test_a_given_camera_that_is_not_connected_is_offered_once(
    open_window: Open, qtbot: QtBot
) -> None:
    window = open_window("camera:Front camera@usb-1")
    qtbot.waitUntil(_state(window, "running"))
    keys = [key for _, key in window.controller.sources()]
    assert keys.count("camera:Front camera@usb-1") == 1


def test_a_recording_that_is_being_finished_when_the_window_closes_is_waited_for(
    window: Window, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "_CLOSE_S", 0.2)
    window.commands["record"].trigger()
    qtbot.waitUntil(lambda: window.commands["record"].isChecked())
    finished = threading.Event()

    def finish(self: FakeRunning) -> Path:
        threading.Event().wait(0.8)
        finished.set()
        return Path("recording.mp4")

    monkeypatch.setattr(FakeRunning, "stop_recording", finish)
    window.commands["start"].trigger()
    assert window.controller.state == "stopping"
    window.close()
    assert finished.is_set()


def test_a_recording_that_was_finished_is_not_waited_for(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    window.commands["record"].trigger()
    qtbot.waitUntil(lambda: window.commands["record"].isChecked())
    window.commands["start"].trigger()
    qtbot.waitUntil(_state(window, "ready"))
    assert not window.controller.switches.finishing


def test_notice_of_an_output_that_ended_stays_closed(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.now.found = (GONE,)
    qtbot.waitUntil(lambda: "is gone" in _words(window), timeout=3000)
    _close_notice(window)
    window.controller._look_at_figures()
    assert window.notices.shown == ()


def test_an_output_that_ends_again_is_said_again(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.now.found = (GONE,)
    window.controller._look_at_figures()
    window.commands["virtual_camera"].trigger()
    qtbot.waitUntil(lambda: "Loopback" in _words(window))
    window.controller._look_at_figures()  # it has ended again, between two looks
    assert "is gone" in _words(window)
    assert not window.commands["virtual_camera"].isChecked()


def test_the_demo_can_be_shown_again_after_it_was_stopped(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    window.controller.show_demo()
    window.controller.stop()
    qtbot.waitUntil(_state(window, "ready"))
    assert window.start_page.start.text() == "Play again"  # not "Start the camera"
    QTest.mouseClick(window.start_page.demo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(_state(window, "running"))
    assert [one.key for one in studio.started] == [DEMO, DEMO]  # the first began as the camera


def test_a_look_at_the_demo_keeps_the_resolution(window: Window, studio: FakeStudio) -> None:
    window.controller.change("resolution", "640x480@30")
    window.controller.show_demo()
    window.commands["next_resolution"].trigger()  # the clip has none to choose from
    assert window.panel.resolution.placeholderText() == "Automatic"
    window.controller.choose_source("cam:a")
    assert studio.now.preferences.resolution == "640x480@30"
    window.controller.show_demo()
    window.controller.choose_source("cam:b")
    assert studio.now.preferences.resolution == ""


def test_a_camera_connected_later_is_in_the_list_when_it_is_opened(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.connected = (*CAMERAS, Camera("cam:c", "New camera"))
    window.bar.camera.showPopup()
    qtbot.waitUntil(lambda: window.bar.camera.findText("New camera") >= 0)
    assert window.bar.camera.currentText() == "Front camera"
    window.bar.camera.hidePopup()


@pytest.mark.parametrize("name", ["microphone_device", "virtual_camera"])
def test_a_device_connected_later_is_in_the_list_when_it_is_opened(
    window: Window, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    choice = getattr(window.panel, name)
    qtbot.waitUntil(lambda: choice.count() > 1)
    new = (("New one", "new"),)
    monkeypatch.setattr(studio, "devices", lambda: Devices(new, new))
    choice.showPopup()
    qtbot.waitUntil(lambda: choice.findText("New one") >= 0)
    choice.hidePopup()


def test_a_virtual_camera_without_a_name_is_not_announced(
    window: Window, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_name(self: FakeRunning, preferences: Preferences | None) -> str:
        return ""

    monkeypatch.setattr(FakeRunning, "virtual_camera", no_name)
    window.commands["virtual_camera"].trigger()
    qtbot.waitUntil(lambda: window.commands["virtual_camera"].isChecked())
    assert window.notices.shown == ()


@pytest.mark.parametrize(("source", "said"), [("", True), ("clip.mp4", False)])
def test_only_of_a_camera_it_is_said_that_it_is_tried_again_by_itself(
    open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, source: str, said: bool
) -> None:
    monkeypatch.setattr(FakeRunning, "picture", lambda self: None)
    broken = (Problem("source", "It is broken.", True),)
    monkeypatch.setattr(FakeRunning, "problems", lambda self: broken)
    window = open_window(source)
    qtbot.waitUntil(_state(window, "waiting"))
    assert "It is broken." in _words(window)
    assert ("by itself" in window.start_page.text.text()) == said
    assert window.start_page.start.text() == "Try again"


def test_a_backend_that_was_asked_for_at_the_start_is_not_remembered(
    studio: FakeStudio, preferences_path: Path, qtbot: QtBot
) -> None:
    controller = Controller(studio, preferences_path, backend="openvino")
    assert controller.preferences.backend == "openvino"
    controller.change("mirror", True)
    assert controller.close(5)
    kept = remembered.read(preferences_path)
    assert (kept.mirror, kept.backend) == (True, "auto")
    controller = Controller(studio, preferences_path, backend="openvino")
    controller.change("backend", "onnxruntime")
    assert controller.close(5)
    assert remembered.read(preferences_path).backend == "onnxruntime"
