"""What a person's hands do: clicks, keys, choices."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QWidget,
)

from realtime_unmask.ui.window import Window


def click(widget: QWidget) -> None:
    """Where a person clicks: on the box of a check box, else in the middle."""
    where = QPoint(8, widget.height() // 2) if isinstance(widget, QCheckBox) else QPoint()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=where)


def press(window: Window, key: str) -> None:
    """Press a key as the window's owner would: "S", "Ctrl+O"."""
    control = "Ctrl+" in key
    modifier = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    name = key.removeprefix("Ctrl+")
    code = {"F1": Qt.Key.Key_F1, "F11": Qt.Key.Key_F11}.get(name)
    QTest.keyClick(window, code if code is not None else name, modifier)


def pick_with_mouse(choice: QComboBox, index: int) -> None:
    choice.showPopup()
    view = choice.view()
    assert view is not None and view.viewport() is not None
    rect = view.visualRect(view.model().index(index, 0))
    QTest.mouseMove(view.viewport(), rect.center())
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())


def pick_with_keys(choice: QComboBox, steps: int) -> None:
    choice.setFocus()
    for _ in range(steps):
        QTest.keyClick(choice, Qt.Key.Key_Down)
