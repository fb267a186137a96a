"""The panel's building blocks."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.fields import Choice
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio


@pytest.mark.parametrize("name", ["audio_offset", "rotate"])
def test_a_wheel_that_scrolls_the_panel_changes_nothing(window: Window, name: str) -> None:
    field, before = getattr(window.panel, name), window.controller.preferences
    where, none = QPointF(5, 5), QPoint()
    wheel = QWheelEvent(
        where, QPointF(field.mapToGlobal(where.toPoint())), none, QPoint(0, -120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(field, wheel)
    assert window.controller.preferences == before
    assert not field.focusPolicy() & Qt.FocusPolicy.WheelFocus & ~Qt.FocusPolicy.StrongFocus


def test_keys_of_the_window_work_while_a_number_has_the_focus(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    box = window.panel.audio_offset
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: studio.now.asked == ["snapshot"])
    box.selectAll()
    QTest.keyClicks(box, "20")  # and a number can be typed, though digits are keys too
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert window.controller.preferences.audio_offset_ms == 20


def test_an_open_list_stays_open_when_what_it_offers_changes(qtbot: QtBot) -> None:
    choice = Choice()
    qtbot.addWidget(choice)
    choice.offer([("a", 1), ("b", 2)], 2)
    choice.show()
    choice.showPopup()
    view = choice.view()
    assert view is not None
    choice.offer([("a", 1), ("b", 2), ("c", 3)], 2)
    assert view.isVisible()
    assert (choice.count(), choice.currentText()) == (3, "b")
    choice.hidePopup()
