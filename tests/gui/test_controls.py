"""Every control, driven by mouse and by keyboard."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
)
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.badge import BadgeDialog
from realtime_unmask.ui.viewport import View
from realtime_unmask.ui.window import Window

from .hands import click, pick_with_keys, pick_with_mouse, press
from .stand_ins import FakeStudio


def test_first_camera_is_shown_without_being_asked_for(window: Window, studio: FakeStudio) -> None:
    assert [running.key for running in studio.started] == ["cam:a"]
    assert window.pages.currentWidget() is window.viewport
    assert window.bar.camera.currentText() == "Front camera"


def test_start_and_stop_by_mouse(window: Window, studio: FakeStudio, qtbot: QtBot) -> None:
    button = window.bar.button("start")
    assert (button.text(), button.isChecked()) == ("Stop", True)
    click(button)
    qtbot.waitUntil(lambda: window.controller.state == "ready")
    assert studio.now.closed
    assert (button.text(), button.isChecked()) == ("Start", False)
    assert window.pages.currentWidget() is window.start_page
    click(window.start_page.start)
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert len(studio.started) == 2


def test_start_and_stop_by_key(window: Window, qtbot: QtBot) -> None:
    for state in ("ready", "running"):
        press(window, "S")
        qtbot.waitUntil(lambda state=state: window.controller.state == state)


@pytest.mark.parametrize("way", ["mouse", "arrows", "key"])
def test_another_camera(window: Window, studio: FakeStudio, qtbot: QtBot, way: str) -> None:
    if way == "mouse":
        pick_with_mouse(window.bar.camera, 1)
    elif way == "arrows":
        pick_with_keys(window.bar.camera, 1)
    else:
        press(window, "C")
    qtbot.waitUntil(lambda: studio.now.key == "cam:b" and window.controller.state == "running")
    assert len(studio.started) == 1  # what is on stays on: a call goes on
    assert window.controller.preferences.camera == "cam:b"
    assert [text for text, _ in window.controller.resolutions()] == ["1920 × 1080"]


@pytest.mark.parametrize("way", ["mouse", "arrows", "key"])
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("rotate", "T", 90),
        ("faces", "A", "largest"),
        ("lost", "L", "hold"),
        ("resolution", "Z", "1280x720@30"),
        ("backend", "E", "openvino"),
    ],
)
def test_choices_are_in_force_at_once(
    window: Window, studio: FakeStudio, qtbot: QtBot, way: str, name: str, key: str, value: object
) -> None:
    choice = getattr(window.panel, name)
    if way == "mouse":
        window.panel.ensureWidgetVisible(choice)
        pick_with_mouse(choice, 1)
    elif way == "arrows":
        pick_with_keys(choice, 1)
    else:
        press(window, key)
    qtbot.waitUntil(lambda: getattr(studio.now.preferences, name) == value)
    assert choice.currentData() == value


@pytest.mark.parametrize("way", ["mouse", "space", "key"])
@pytest.mark.parametrize(
    ("name", "key"), [("mirror", "M"), ("colour_match", "K"), ("microphone", "N")]
)
def test_switches(window: Window, studio: FakeStudio, way: str, name: str, key: str) -> None:
    box = getattr(window.panel, name)
    before = box.isChecked()
    if way == "mouse":
        window.panel.ensureWidgetVisible(box)
        click(box)
    elif way == "space":
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Space)
    else:
        press(window, key)
    assert box.isChecked() is not before
    assert getattr(window.controller.preferences, name) is not before
    if name != "microphone":  # that one matters to the next recording only
        assert getattr(studio.now.preferences, name) is not before
    assert window.commands[name].isChecked() is not before


@pytest.mark.parametrize(
    ("slider", "name", "less", "more"),
    [("strength", "strength", "[", "]"), ("feather", "feather_px", ";", "'")],
)
def test_sliders(
    window: Window, studio: FakeStudio, slider: str, name: str, less: str, more: str
) -> None:
    amount = getattr(window.panel, slider)
    start = getattr(window.controller.preferences, name)
    press(window, less)
    lower = getattr(studio.now.preferences, name)
    assert lower < start
    assert amount.value == pytest.approx(lower)
    press(window, more)
    assert getattr(studio.now.preferences, name) == start
    amount.slider.setFocus()
    QTest.keyClick(amount.slider, Qt.Key.Key_Home)
    assert getattr(studio.now.preferences, name) == 0.0
    window.panel.ensureWidgetVisible(amount)
    QTest.mouseClick(
        amount.slider, Qt.MouseButton.LeftButton,
        pos=QPoint(amount.slider.width() - 3, amount.slider.height() // 2),
    )  # fmt: skip
    assert getattr(studio.now.preferences, name) > 0.0


@pytest.mark.parametrize("way", ["mouse", "key"])
@pytest.mark.parametrize(
    ("view", "key"), [(View.WIPE, "2"), (View.MAP, "3"), (View.SIDE_BY_SIDE, "4")]
)
def test_views(window: Window, view: View, key: str, way: str) -> None:
    if way == "mouse":
        click(window.bar.button(f"view_{view.value}"))
    else:
        press(window, key)
    assert window.viewport.view is view
    checked = [v for v in View if window.bar.button(f"view_{v.value}").isChecked()]
    assert checked == [view]
    press(window, "1")
    assert window.viewport.view is View.RESULT


def test_zoom_by_keys(window: Window) -> None:
    press(window, "+")
    press(window, "=")
    assert window.viewport.zoom.factor == pytest.approx(1.25**2)
    press(window, "-")
    assert window.viewport.zoom.factor == pytest.approx(1.25)
    press(window, "0")
    assert window.viewport.zoom.factor == 1.0


@pytest.mark.parametrize("leave", ["F", "F11", "Esc"])
def test_full_screen_is_the_picture_alone(window: Window, leave: str) -> None:
    click(window.bar.button("full_screen"))
    assert window.isFullScreen()
    shown = (window.bar, window.strip, window.panel)
    assert not any(part.isVisible() for part in shown)
    if leave == "Esc":
        QTest.keyClick(window, Qt.Key.Key_Escape)
    else:
        press(window, leave)
    assert not window.isFullScreen()
    assert all(part.isVisible() for part in shown)


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_picture_is_saved(window: Window, studio: FakeStudio, qtbot: QtBot, way: str) -> None:
    ask(window, "snapshot", "P", way)
    qtbot.waitUntil(lambda: said(window, "Saved: "))
    assert studio.now.asked == ["snapshot"]


def ask(window: Window, name: str, key: str, way: str) -> None:
    if way == "mouse":
        click(window.bar.button(name))
    else:
        press(window, key)


def said(window: Window, words: str) -> bool:
    return any(words in notice.text for notice in window.notices.shown)


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_recording(window: Window, studio: FakeStudio, qtbot: QtBot, way: str) -> None:
    button = window.bar.button("record")
    ask(window, "record", "R", way)
    qtbot.waitUntil(lambda: button.isChecked())
    qtbot.waitUntil(lambda: button.text() == "1:01", timeout=3000)
    ask(window, "record", "R", way)
    qtbot.waitUntil(lambda: not button.isChecked())
    assert button.text() == "Record"
    assert studio.now.asked == ["record", "stop_recording"]
    assert said(window, "recording.mp4")


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_virtual_camera(window: Window, studio: FakeStudio, qtbot: QtBot, way: str) -> None:
    button = window.bar.button("virtual_camera")
    for on in (True, False):
        ask(window, "virtual_camera", "V", way)
        qtbot.waitUntil(lambda on=on: button.isChecked() is on)
    assert studio.now.asked == ["virtual_camera", "no_virtual_camera"]
    assert said(window, "Loopback")


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_web_page(window: Window, studio: FakeStudio, qtbot: QtBot, way: str) -> None:
    panel = window.panel
    panel.ensureWidgetVisible(panel.page)
    for on in (True, False):
        if way == "mouse":
            click(panel.page)
        else:
            press(window, "W")
        qtbot.waitUntil(lambda on=on: panel.page_address.isVisibleTo(panel) is on)
    assert studio.now.asked == ["page", "no_page"]


def test_address_of_the_page_can_be_copied(window: Window, qtbot: QtBot) -> None:
    press(window, "W")
    address = window.panel.page_address
    qtbot.waitUntil(lambda: address.line.text() != "")
    click(address.button)
    clipboard = QApplication.clipboard()
    assert clipboard is not None and clipboard.text() == "http://127.0.0.1:8765/abc"


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_badge_goes_only_after_reading_why_it_is_there(
    window: Window, studio: FakeStudio, way: str
) -> None:
    window.panel.ensureWidgetVisible(window.panel.badge)
    dialog = badge_dialog(window, way)
    assert not dialog.remove.isEnabled()
    click(dialog.keep)
    assert window.controller.preferences.badge
    assert window.panel.badge.isChecked()
    dialog = badge_dialog(window, way)
    click(dialog.read)
    click(dialog.remove)
    assert not studio.now.preferences.badge
    assert not window.panel.badge.isChecked()
    click(window.panel.badge) if way == "mouse" else press(window, "B")
    assert studio.now.preferences.badge


def badge_dialog(window: Window, way: str) -> BadgeDialog:
    click(window.panel.badge) if way == "mouse" else press(window, "B")
    dialog = [d for d in window.findChildren(BadgeDialog) if d.isVisible()][-1]
    assert window.controller.preferences.badge
    return dialog


def test_face_is_chosen_by_a_click_on_it(window: Window, studio: FakeStudio) -> None:
    middle = window.viewport.rect().center()
    QTest.mouseClick(window.viewport, Qt.MouseButton.LeftButton, pos=middle)
    assert studio.now.asked == []
    window.controller.change("faces", "chosen")
    QTest.mouseClick(window.viewport, Qt.MouseButton.LeftButton, pos=middle)
    assert studio.now.asked == ["pick 160 120"]


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_settings_can_be_put_away(window: Window, way: str) -> None:
    ask(window, "panel", "G", way)
    assert not window.panel.isVisible()
    ask(window, "panel", "G", way)
    assert window.panel.isVisible()


def test_details_show_the_stages(window: Window, qtbot: QtBot) -> None:
    press(window, "D")
    qtbot.waitUntil(lambda: window.details.stages != (), timeout=3000)
    assert dict(window.details.stages)["edit"] == 11.5
    assert "paint 11.5 ms" in window.details.accessibleDescription()


def test_sound_can_be_shifted(window: Window) -> None:
    box = window.panel.audio_offset
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Up)
    assert window.controller.preferences.audio_offset_ms == 10


@pytest.mark.parametrize("name", ["microphone_device", "virtual_camera"])
def test_devices_can_be_chosen(window: Window, qtbot: QtBot, name: str) -> None:
    choice = getattr(window.panel, name)
    qtbot.waitUntil(lambda: choice.count() > 1)
    pick_with_keys(choice, 1)
    assert getattr(window.controller.preferences, name) == choice.itemData(1)
