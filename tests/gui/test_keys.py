"""Every action has its key, and everything can be reached by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.actions import KEYS
from realtime_unmask.ui.hotkeys import HotkeySheet
from realtime_unmask.ui.window import Window

from .hands import click, press

ALL_KEYS = [
    (name, key) for section in KEYS.values() for name, keys in section.items() for key in keys
]


def test_no_two_actions_share_a_key() -> None:
    keys = [key for _, key in ALL_KEYS]
    assert len(keys) == len(set(keys))


def test_every_action_has_a_key_and_says_it(window: Window) -> None:
    for name in window.commands:
        action = window.commands[name]
        assert action.shortcuts(), name
        assert action.toolTip().endswith(")"), name


@pytest.mark.parametrize(("name", "key"), ALL_KEYS)
def test_each_key_does_its_action_once(
    open_window: Callable[..., Window], qtbot: QtBot, name: str, key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name_of_dialog in ("open_files", "choose_own_photo"):
        monkeypatch.setattr(Window, name_of_dialog, lambda self: None)
    window = open_window()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    done: list[str] = []
    for other in window.commands:
        window.commands[other].triggered.connect(lambda _, other=other: done.append(other))
    press(window, key)
    assert done == [name]


@pytest.mark.parametrize("way", ["mouse", "?", "F1"])
def test_sheet_lists_every_key(window: Window, way: str, qtbot: QtBot) -> None:
    click(window.bar.button("help")) if way == "mouse" else press(window, way)
    sheet = window.findChild(HotkeySheet)
    assert sheet is not None and sheet.isVisible()
    named = " ".join(label.accessibleName() for label in sheet.findChildren(QWidget))
    for name in window.commands:
        assert f"{window.commands[name].text()}: " in named
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(HotkeySheet) is None)


def test_everything_can_be_reached_by_tab_and_has_a_name(window: Window) -> None:
    start: Any = window.bar.button("start")
    start.setFocus()
    reached: list[QWidget] = []
    for _ in range(200):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus in reached:
            break
        reached.append(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    wanted = [
        w
        for kind in (QAbstractButton, QComboBox)
        for w in window.findChildren(kind)
        if w.isVisible() and w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    assert len(wanted) > 20
    for widget in wanted:
        assert widget in reached, (widget, widget.objectName())
    for widget in reached:
        name = widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text())
        assert name, (widget, widget.parent())
    assert isinstance(window.start_page.start, QPushButton)
