"""The window as a whole: first start, trouble, what is remembered, language, large letters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QDesktopServices, QFont, QPalette
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import preferences
from realtime_unmask.ui.app import Language
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.studio import DEMO, Problem
from realtime_unmask.ui.window import Window

from .stand_ins import CAMERAS, FakeStudio, KindError

Open = Callable[..., Window]


def words(window: Window) -> str:
    return " ".join(notice.text for notice in window.notices.shown)


def state_is(window: Window, state: str) -> Callable[[], bool]:
    return lambda: window.controller.state == state


# First start


def test_without_a_camera_the_window_says_so_and_offers_the_demo(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.connected = ()
    window = open_window()
    qtbot.waitUntil(state_is(window, "none"))
    assert window.start_page.heading.text() == "No camera was found"
    QTest.mouseClick(window.start_page.demo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(state_is(window, "running"))
    assert studio.now.key == DEMO
    assert window.bar.camera.currentText() == "Demo clip"


def test_camera_that_is_connected_later_is_noticed(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.connected = ()
    window = open_window()
    qtbot.waitUntil(state_is(window, "none"))
    studio.connected = CAMERAS[1:]
    qtbot.waitUntil(state_is(window, "running"), timeout=6000)
    assert studio.now.key == "cam:b"


def test_given_source_is_shown_at_once_and_not_remembered(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, preferences_path: Path
) -> None:
    window = open_window("file:clip.mp4")
    qtbot.waitUntil(state_is(window, "running"))
    assert studio.now.key == "file:clip.mp4"
    assert window.bar.camera.currentText() == "source file:clip.mp4"
    window.close()
    assert preferences.read(preferences_path).camera == ""


# Trouble


@pytest.mark.parametrize(
    ("kind", "words_of_it", "button"),
    [
        ("camera_busy", "Close the other program", "again"),
        ("camera_denied", "Allow", "again"),
        ("no_camera", "It went away.", "demo"),
    ],
)
def test_camera_that_cannot_be_started_is_said_with_what_to_do(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, kind: str, words_of_it: str, button: str
) -> None:
    studio.fault = KindError(kind, "It went away.")
    window = open_window()
    qtbot.waitUntil(state_is(window, "problem"))
    assert "It went away." in words(window)
    assert words_of_it in words(window)
    found = window.notices.findChild(QPushButton, button)
    assert found is not None
    studio.fault = None
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(state_is(window, "running"))
    assert window.notices.shown == ()


def test_fault_of_the_program_is_a_sentence(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.fault = RuntimeError("odd")
    window = open_window()
    qtbot.waitUntil(state_is(window, "problem"))
    assert "A fault of this program (RuntimeError: odd). Please report it." in words(window)


def test_missing_virtual_camera_comes_with_the_commands(
    window: Window, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    studio.now.fails["virtual_camera"] = KindError("no_virtual_camera", "There is none.")
    window.commands["virtual_camera"].trigger()
    qtbot.waitUntil(lambda: "There is none." in words(window))
    assert "modprobe v4l2loopback" in window.notices.shown[0].commands
    assert not window.commands["virtual_camera"].isChecked()
    button = window.notices.findChild(QPushButton, "page")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.panel.page.isChecked())


def test_missing_obs_is_said_elsewhere(
    window: Window, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.now.fails["virtual_camera"] = KindError("no_virtual_camera", "There is none.")
    monkeypatch.setattr("sys.platform", "win32")
    window.commands["virtual_camera"].trigger()
    qtbot.waitUntil(lambda: "Install OBS Studio" in words(window))


def test_stalled_camera_is_said_while_it_lasts(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.now.found = (Problem("stalled", "Camera stalled, waiting.", grave=True),)
    qtbot.waitUntil(lambda: "Camera stalled" in words(window), timeout=3000)
    assert window.controller.state == "running"
    studio.now.found = ()
    qtbot.waitUntil(lambda: window.notices.shown == (), timeout=3000)


def test_what_does_no_harm_is_said_below_and_does_not_move_the_picture(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    height = window.viewport.height()
    studio.now.found = (Problem("quality", "This computer is busy."),)
    qtbot.waitUntil(lambda: window.strip.note.text() == "This computer is busy.", timeout=3000)
    assert window.notices.shown == ()
    assert window.viewport.height() == height
    studio.now.found = ()
    qtbot.waitUntil(lambda: window.strip.note.text() == "", timeout=3000)


def test_recording_that_ended_by_itself_is_said_until_it_was_read(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    window.commands["record"].trigger()
    qtbot.waitUntil(lambda: window.commands["record"].isChecked())
    studio.now.found = (Problem("disk_full", "The disk is full.", grave=True, output="record"),)
    qtbot.waitUntil(lambda: not window.commands["record"].isChecked(), timeout=3000)
    studio.now.found = ()
    qtbot.wait(700)
    assert "Free some space" in words(window)
    close = [b for b in window.notices.findChildren(QAbstractButton) if b.text() == "✕"]
    QTest.mouseClick(close[0], Qt.MouseButton.LeftButton)
    assert window.notices.shown == ()


def test_what_to_do_about_a_full_disk_is_said_once(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    text = "a.mp4 cannot be finished (No space left on device). Free some space."
    studio.now.found = (Problem("disk_full", text, grave=True, output="record"),)
    qtbot.waitUntil(lambda: words(window) == text, timeout=3000)


def test_good_news_fades_and_trouble_stays(window: Window, qtbot: QtBot) -> None:
    window.controller.say(Said("a", "Saved."))
    window.controller.say(Said("b", "Broken.", grave=True))
    window.controller.sayings.fade.start(50)
    qtbot.waitUntil(lambda: words(window) == "Broken.")


def test_folder_of_what_was_saved_can_be_shown(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    window.commands["snapshot"].trigger()
    qtbot.waitUntil(lambda: window.notices.findChild(QPushButton, "show_folder") is not None)
    button = window.notices.findChild(QPushButton, "show_folder")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened == [str(window.controller.folder)]


def test_failed_snapshot_is_said(window: Window, studio: FakeStudio, qtbot: QtBot) -> None:
    studio.now.fails["snapshot"] = KindError("disk_full", "The disk is full.")
    window.commands["snapshot"].trigger()
    qtbot.waitUntil(lambda: "The disk is full." in words(window))


@pytest.mark.parametrize("name", ["snapshot", "record", "virtual_camera", "page"])
def test_outputs_need_a_running_camera(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, name: str
) -> None:
    studio.connected = ()
    window = open_window()
    qtbot.waitUntil(state_is(window, "none"))
    window.commands[name].trigger()
    assert "Start the camera first." in words(window)
    assert not window.commands[name].isChecked()
    window.commands["snapshot"].trigger()
    assert len(window.notices.shown) == 1  # once is enough


# Stop and close


def test_window_closes_while_the_camera_is_starting(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.gate.clear()
    window = open_window()
    qtbot.waitUntil(state_is(window, "opening"))
    threading.Timer(0.2, studio.gate.set).start()
    window.close()
    assert not window.isVisible()
    assert studio.now.closed


def test_stop_while_starting_ends_in_stopped(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.gate.clear()
    window = open_window()
    qtbot.waitUntil(state_is(window, "opening"))
    window.commands["start"].trigger()
    studio.gate.set()
    qtbot.waitUntil(state_is(window, "ready"))
    assert studio.now.closed


def test_last_choice_wins_while_starting(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.gate.clear()
    window = open_window()
    qtbot.waitUntil(state_is(window, "opening"))
    window.controller.choose_source("cam:b")
    studio.gate.set()
    qtbot.waitUntil(lambda: studio.started != [] and studio.now.key == "cam:b")
    qtbot.waitUntil(state_is(window, "running"))


def test_closing_the_window_stops_the_camera(window: Window, studio: FakeStudio) -> None:
    window.close()
    assert studio.now.closed


def test_hidden_window_tells_the_source(window: Window, studio: FakeStudio) -> None:
    assert studio.now.visible
    window.hide()
    assert not studio.now.visible
    window.show()
    assert studio.now.visible


# What is remembered


def test_choices_are_remembered(
    open_window: Open, qtbot: QtBot, preferences_path: Path, studio: FakeStudio
) -> None:
    first = open_window()
    qtbot.waitUntil(state_is(first, "running"))
    first.controller.choose_source("cam:b")
    first.controller.change("lost", "blur")
    first.controller.change("view", "wipe")
    first.controller.change("strength", 0.5)
    first.close()
    second = open_window()
    qtbot.waitUntil(state_is(second, "running"))
    assert studio.now.key == "cam:b"
    assert studio.now.preferences.lost == "blur"
    assert second.panel.strength.value == 0.5
    assert second.bar.button("view_wipe").isChecked()


def test_remembered_camera_that_is_gone_gives_way_to_another(
    open_window: Open, qtbot: QtBot, preferences_path: Path, studio: FakeStudio
) -> None:
    preferences.write(preferences_path, Preferences(camera="cam:gone"))
    window = open_window()
    qtbot.waitUntil(state_is(window, "running"))
    assert studio.now.key == "cam:a"
    assert preferences.read(preferences_path).camera == "cam:gone"


# Words and letters


def test_language_changes_at_once(window: Window, qapp: QApplication, qtbot: QtBot) -> None:
    language = Language(qapp)
    window.controller.preferences_changed.connect(lambda now: language.choose(now.language))
    try:
        window.controller.change("language", "de")
        qtbot.waitUntil(lambda: window.bar.button("panel").text() == "Einstellungen")
        assert window.panel.mirror.text() == "Spiegeln"
        assert "nicht die Person" in window.strip.caption.text()
    finally:
        window.controller.change("language", "en")
    qtbot.waitUntil(lambda: window.bar.button("panel").text() == "Settings")


@pytest.fixture(params=[1.0, 1.25], ids=["100%", "125%"])
def letters(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[float]:
    """The size of letters, as the system would set it."""
    before = qapp.font()
    font = QFont(before)
    font.setPointSizeF(before.pointSizeF() * request.param)
    qapp.setFont(font)
    yield request.param
    qapp.setFont(before)


def cut(window: Window) -> list[str]:
    """The texts that do not fit into their widgets."""
    found = []
    for widget in window.findChildren((QAbstractButton, QLabel, QComboBox)):  # type: ignore[call-overload]
        if not widget.isVisible() or isinstance(widget, QComboBox):
            continue
        wraps = isinstance(widget, QLabel) and widget.wordWrap()
        height = (
            widget.heightForWidth(widget.width()) if wraps else widget.minimumSizeHint().height()
        )
        width = 0 if wraps else widget.minimumSizeHint().width()
        if widget.text() and (widget.width() < width or widget.height() < height):
            found.append(widget.text())
    for group in window.panel.findChildren(QLabel):
        if (
            group.isVisible()
            and group.mapTo(window.panel, group.rect().topRight()).x() > window.panel.width()
        ):
            found.append(group.text())
    return found


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("camera", [True, False])
def test_no_text_is_cut(
    letters: float, language: str, camera: bool, request: pytest.FixtureRequest,
    open_window: Open, studio: FakeStudio, qtbot: QtBot,
) -> None:  # fmt: skip
    if language == "de":
        request.getfixturevalue("german")
    if not camera:
        studio.connected = ()
    window = open_window()
    qtbot.waitUntil(state_is(window, "running" if camera else "none"))
    window.controller.say(Said("long", "A notice that is long. " * 12, grave=True))
    qtbot.wait(50)
    if camera:
        qtbot.waitUntil(lambda: "/s" in window.strip.rate.text())
        window.strip.show_note("This computer is busy: the paint is renewed less often.")
    for size in ((1180, 760), (window.minimumSizeHint().width(), 640)):
        window.resize(*size)
        qtbot.wait(20)
        assert cut(window) == []


def test_pictograms_follow_dark_and_light(window: Window, qapp: QApplication) -> None:
    def brightness() -> float:
        image = window.commands["help"].icon().pixmap(20, 20).toImage()
        seen = [QColor(image.pixelColor(x, y)) for x in range(20) for y in range(20)]
        return float(np.mean([c.lightness() for c in seen if c.alpha() > 200]))

    assert brightness() < 100
    before = qapp.palette()
    try:
        qapp.setPalette(QPalette(QColor(40, 40, 44)))
        QApplication.processEvents()
        assert brightness() > 150
    finally:
        qapp.setPalette(before)


def test_recordings_go_home_where_the_environment_names_none(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert window.controller.folder == Path.home() / "Realtime Unmask"
