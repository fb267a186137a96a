"""The sheet of all keys."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from realtime_unmask.ui.actions import KEYS, Actions


class HotkeySheet(QDialog):
    """Shows each action with its keys, in two columns; closed by Esc or by `?` again."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys"))
        whole = QVBoxLayout(self)
        grid = QGridLayout()
        whole.addLayout(grid)
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
