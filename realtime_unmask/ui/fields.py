"""The panel's building blocks: a choice, a slider with its value, a line that can be copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PyQt6.QtCore import QEvent, Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication, QKeyEvent, QWheelEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)


class Choice(QComboBox):
    """One of several values.

    Signals:
        chosen(value): by the person, not by the program.
        opened(): the person opened the list.
    """

    chosen = pyqtSignal(object)
    opened = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Long names of devices must not widen the panel; the list itself shows them whole.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(self._tell)

    def offer(self, options: Sequence[tuple[str, Any]], value: Any) -> None:
        """Offer (text, value) pairs, and show `value`; nothing is shown if it is not offered."""
        if [(self.itemText(i), self.itemData(i)) for i in range(self.count())] == [*options]:
            self.show_value(value)  # an open list is left alone
            return
        self.blockSignals(True)
        self.clear()
        for text, data in options:
            self.addItem(text, data)
            self.setItemData(self.count() - 1, text, Qt.ItemDataRole.ToolTipRole)
        self.show_value(value)
        self.blockSignals(False)
        view = self.view()
        if view is not None and view.isVisible():
            super().showPopup()  # as long as what is offered now

    def showPopup(self) -> None:
        """The person opens the list."""
        self.opened.emit()  # before: where the list is the system's own, this waits for its end
        super().showPopup()

    def show_value(self, value: Any) -> None:
        """Show `value` as the one that is in force."""
        self.setCurrentIndex(self.findData(value))

    def after(self, value: Any) -> Any:
        """The value that follows `value` in the list, round and round; None of an empty list."""
        if self.count() == 0:
            return None
        return self.itemData((self.findData(value) + 1) % self.count())

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A wheel that scrolls the panel changes nothing on its way."""
        if event is not None:
            event.ignore()

    def _tell(self, index: int) -> None:
        self.chosen.emit(self.itemData(index))


class _CalmSlider(QSlider):
    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            event.ignore()


class CalmSpinBox(QSpinBox):
    """A number that is typed or stepped; a wheel over it scrolls what it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """See Choice."""
        if event is not None:
            event.ignore()

    def event(self, event: QEvent | None) -> bool:
        """Letters are no part of a number: they stay the keys of the window."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if event.text().isalpha():
                event.ignore()
                return False
        return super().event(event)


class Amount(QWidget):
    """A slider with its value beside it.

    Args:
        low, high, step: of the value.
        words: how a value is written.

    Signals:
        moved(value): by the person.
    """

    moved = pyqtSignal(float)

    def __init__(self, low: float, high: float, step: float, words: Callable[[float], str]) -> None:
        super().__init__()
        self._low, self._step, self._words = low, step, words
        self.slider = _CalmSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round((high - low) / step))
        self.slider.setPageStep(max(1, self.slider.maximum() // 5))
        self._label = QLabel()
        self._label.setMinimumWidth(self._label.fontMetrics().horizontalAdvance(words(high) + " "))
        self._label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self._label)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(self._tell)

    @property
    def value(self) -> float:
        """What is shown."""
        return round(self._low + self.slider.value() * self._step, 6)

    def show_value(self, value: float) -> None:
        """Show `value` as the one that is in force."""
        self.slider.blockSignals(True)
        self.slider.setValue(round((value - self._low) / self._step))
        self.slider.blockSignals(False)
        self._label.setText(self._words(self.value))

    def _tell(self) -> None:
        self._label.setText(self._words(self.value))
        self.moved.emit(self.value)


class Copyable(QWidget):
    """A line of text with a button that copies it."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setReadOnly(True)
        self.button = QPushButton()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        self.button.clicked.connect(self._copy)

    def show_text(self, text: str) -> None:
        """Show `text` from its beginning."""
        self.line.setText(text)
        self.line.setCursorPosition(0)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.line.text())


def labelled(label: QLabel, field: QWidget) -> QWidget:
    """`field` below its label, which is its name for those who cannot see it."""
    both = QWidget()
    column = QVBoxLayout(both)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    column.addWidget(label)
    column.addWidget(field)
    label.setBuddy(field)
    return both
