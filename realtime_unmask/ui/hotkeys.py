"""The sheet of all keys."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QGroupBox,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from realtime_unmask.ui.actions import KEYS, Actions
from realtime_unmask.ui.room import within_screen


class HotkeySheet(QDialog):
    """Shows each action with its keys, in two columns; closed by Esc or by `?` again."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys"))
        whole = QVBoxLayout(self)
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 0, 0)
        scrolled = QScrollArea()
        scrolled.setWidget(inside)
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setAccessibleName(self.windowTitle())
        whole.addWidget(scrolled)
        headings = actions.sections()
        # The long sections stand side by side, and so do the short ones.
        places = {"camera": (0, 0), "view": (0, 1), "painting": (1, 1), "out": (1, 0)}
        for section in KEYS:
            row, column = places.get(section, (2, 0))
            box = self._section(headings[section], section, actions)
            grid.addWidget(box, row, column)
        more = QLabel(
            self.tr(
                "In the picture: wheel = closer or farther, drag = move, "
                "← → = move the line between before and after. Esc leaves the full screen."
            )
        )
        more.setWordWrap(True)
        grid.addWidget(more, 2, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        whole.addWidget(buttons)
        self.addAction(actions["help"])
        scrolled.setMinimumSize(inside.sizeHint())
        wanted = self.sizeHint()
        scrolled.setMinimumSize(0, 0)
        bar = scrolled.verticalScrollBar()
        if bar is not None and within_screen(self, wanted).height() < wanted.height():
            wanted += QSize(bar.sizeHint().width(), 0)
        self.resize(within_screen(self, wanted))

    def _section(self, heading: str, section: str, actions: Actions) -> QGroupBox:
        box = QGroupBox(heading)
        rows = QGridLayout(box)
        rows.setColumnStretch(0, 1)
        for row, name in enumerate(KEYS[section]):
            action = actions[name]
            keys = [
                key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()
            ]
            text = QLabel(action.text())
            shown = QLabel(self.tr(" or ").join(f"<b>{key}</b>" for key in keys))
            shown.setAlignment(Qt.AlignmentFlag.AlignRight)
            shown.setAccessibleName(f"{action.text()}: {', '.join(keys)}")
            rows.addWidget(text, row, 0)
            rows.addWidget(shown, row, 1)
        rows.setRowStretch(len(KEYS[section]), 1)
        return box
