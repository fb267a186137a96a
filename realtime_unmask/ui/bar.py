"""The few controls that are always there, below the picture."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from realtime_unmask.ui.actions import Actions
from realtime_unmask.ui.fields import Choice
from realtime_unmask.ui.icons import icon

_VIEWS = ("result", "wipe", "map", "side_by_side")
_ICON = 20


class Bar(QWidget):
    """Start, camera, views; picture, recording, virtual camera; settings, keys."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self._buttons: dict[str, QToolButton] = {}
        self._texts: dict[str, str] = {}
        self.camera = Choice()
        self.camera.setMinimumContentsLength(12)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(2)
        row.addWidget(self._button("start"))
        row.addWidget(self.camera, 2)
        row.addWidget(_line())
        for view in _VIEWS:
            row.addWidget(self._button(f"view_{view}"))
        row.addStretch(1)
        for name in ("snapshot", "record", "virtual_camera"):
            row.addWidget(self._button(name))
        row.addWidget(_line())
        for name in ("full_screen", "panel", "help"):
            row.addWidget(self._button(name))
        self._needed = 0
        self.retranslate()

    def _button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"button_{name}")
        button.setDefaultAction(self._actions[name])
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setIconSize(QSize(_ICON, _ICON))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self._buttons[name] = button
        return button

    def button(self, name: str) -> QToolButton:
        """The button of that action."""
        return self._buttons[name]

    def offer_cameras(self, options: list[tuple[str, Any]], value: Any) -> None:
        """What can be chosen as source, as (text, value)."""
        self.camera.offer(options, value)

    def show_running(self, running: bool) -> None:
        """Whether the camera is on."""
        self._texts["start"] = self.tr("Stop") if running else self.tr("Start")
        self._icon("start", "stop" if running else "start")
        self._actions["start"].setChecked(running)
        self._show_texts()

    def show_recording(self, seconds: float | None) -> None:
        """For how long it has been recorded; None while nothing is."""
        on = seconds is not None
        if seconds is None:
            self._texts["record"] = self.tr("Record")
        else:
            minutes, rest = divmod(int(seconds), 60)
            self._texts["record"] = f"{minutes}:{rest:02}"
        self._icon("record", "stop" if on else "record")
        self._actions["record"].setChecked(on)
        self._show_texts()

    def _show_texts(self) -> None:
        # A button shows a short text, its action's; the tool tip the whole one.
        for name, text in self._texts.items():
            action = self._actions[name]
            if action.iconText() != text:
                action.setIconText(text)

    def _icon(self, name: str, drawing: str) -> None:
        self._actions[name].setIcon(icon(drawing, self.palette(), _ICON))

    def retranslate(self) -> None:
        """Words in the language of now, pictograms in the colour of now."""
        self._texts |= {
            "view_result": self.tr("Result"),
            "view_wipe": self.tr("Compare"),
            "view_map": self.tr("Painted"),
            "view_side_by_side": self.tr("Side by side"),
            "snapshot": self.tr("Picture"),
            "virtual_camera": self.tr("Virtual camera"),
            "full_screen": self.tr("Full screen"),
            "panel": self.tr("Settings"),
            "help": self.tr("Keys"),
        }
        self.camera.setAccessibleName(self.tr("Camera"))
        self.camera.setToolTip(self.tr("Camera"))
        for name in ("snapshot", "full_screen", "help"):
            self._icon(name, name)
        self._icon("virtual_camera", "camera")
        self._icon("panel", "settings")
        for name in _VIEWS:
            self._icon(f"view_{name}", name)
        self.show_running(self._actions["start"].isChecked())
        if not self._actions["record"].isChecked():
            self.show_recording(None)
        for name, button in self._buttons.items():
            button.setAccessibleName(self._actions[name].text())
        self._fit()

    def _fit(self) -> None:
        """Words below the pictograms where there is room for all of them, else none."""
        words, bare = (
            Qt.ToolButtonStyle.ToolButtonTextUnderIcon,
            Qt.ToolButtonStyle.ToolButtonIconOnly,
        )
        self._style(words)
        self._needed = super().minimumSizeHint().width()
        if self.width() < self._needed:
            self._style(bare)

    def width_with_words(self) -> int:
        """How wide it has to be so that words stand below all pictograms, px."""
        return self._needed

    def _style(self, style: Qt.ToolButtonStyle) -> None:
        for button in self._buttons.values():
            button.setToolButtonStyle(style)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """There may be room for words now, or no more."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """That of the bar without words."""
        hint = super().minimumSizeHint()
        icons = sum(_ICON + 12 for _ in self._buttons)
        return QSize(icons + self.camera.minimumSizeHint().width() + 40, hint.height())

    def changeEvent(self, event: QEvent | None) -> None:
        """Dark or light may have changed."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and self._texts:
            self.retranslate()


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.VLine)
    line.setFrameShadow(QFrame.Shadow.Sunken)
    return line
