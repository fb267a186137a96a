"""How far the dropped files are, and what came of them."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QWidget,
)

from realtime_unmask.ui.files import Done

_ERRORS = 5  # so many are shown: each may take two lines of the window's height


class FileCard(QFrame):
    """One line below the picture; hidden while there is nothing to say.

    Signals:
        cancelled(): a person pressed Cancel.
    """

    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.cancel, self.open_file, self.open_folder = QPushButton(), QPushButton(), QPushButton()
        self.close_card = QPushButton()
        self._name, self._number, self._count = "", 1, 1
        self._outputs: list[Path] = []
        self._errors: list[str] = []
        self._last: Done | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.addWidget(self.text, 0, 0)
        grid.addWidget(self.bar, 1, 0)
        buttons = QHBoxLayout()
        for button in (self.cancel, self.open_file, self.open_folder, self.close_card):
            buttons.addWidget(button)
        grid.addLayout(buttons, 0, 1, 2, 1)
        grid.setColumnStretch(0, 1)
        self.cancel.clicked.connect(self.cancelled)
        self.open_file.clicked.connect(lambda: self._open(self._outputs[-1]))
        self.open_folder.clicked.connect(lambda: self._open(self._outputs[-1].parent))
        self.close_card.clicked.connect(self.hide)
        self.retranslate()
        self.setVisible(False)

    def retranslate(self) -> None:
        """Words in the language of now."""
        self.cancel.setText(self.tr("Cancel"))
        self.open_file.setText(self.tr("Open"))
        self.open_folder.setText(self.tr("Open folder"))
        self.close_card.setText(self.tr("Close"))
        self.bar.setAccessibleName(self.tr("Progress of the file"))

    def show_begin(self, path: Path, number: int, count: int) -> None:
        """A file's turn has come."""
        if not self.cancel.isVisibleTo(self):
            self._outputs, self._errors, self._last = [], [], None
        self._name, self._number, self._count = path.name, number, count
        self.bar.setRange(0, 0)
        self._say_progress("")
        self._show_buttons(working=True)
        self.setVisible(True)

    def show_progress(self, share: float, frames: int) -> None:
        """So far; a share of -1 means that the length is unknown."""
        self.bar.setRange(0, 0 if share < 0 else 1000)
        self.bar.setValue(round(share * 1000))
        self._say_progress(self.tr("frames so far: {count}").format(count=frames))

    def _say_progress(self, more: str) -> None:
        which = f" ({self._number}/{self._count})" if self._count > 1 else ""
        self.text.setText(
            self.tr("Unmasking {name}{which}…").format(name=self._name, which=which) + f" {more}"
        )

    def show_done(self, done: Done) -> None:
        """What came of one file."""
        self._last = done
        if done.output is not None:
            self._outputs.append(done.output)
        else:
            self._errors.append(done.error)

    def show_end(self, cancelled: bool) -> None:
        """Nothing is left to do."""
        lines = self._errors[:_ERRORS]
        if len(self._errors) > _ERRORS:
            more = len(self._errors) - _ERRORS
            lines.append(self.tr("and {count} more that failed").format(count=more))
        if cancelled:
            lines.append(self.tr("Cancelled. Nothing of the unfinished file remains."))
        elif len(self._outputs) == 1 and self._last is not None and self._last.output is not None:
            lines.append(f"{self._found(self._last)} → {self._outputs[0]}")
        elif self._outputs:
            lines.append(
                self.tr("{count} files done").format(count=len(self._outputs))
                + f" → {self._outputs[-1].parent}"
            )
        self.text.setText("\n".join(lines))
        self._show_buttons(working=False)
        self.setVisible(bool(lines))

    def _found(self, done: Done) -> str:
        if done.painted:
            if done.photo is not None:
                return self.tr("Unmasked")
            return self.tr("Unmasked in {painted} of {frames} frames").format(
                painted=done.painted, frames=done.frames
            )
        if done.faces:
            return self.tr("No mask was found, so nothing was painted")
        return self.tr("No face was found, so nothing was painted")

    def _show_buttons(self, *, working: bool) -> None:
        self.bar.setVisible(working)
        self.cancel.setVisible(working)
        for button in (self.open_file, self.open_folder):
            button.setVisible(not working and bool(self._outputs))
        self.close_card.setVisible(not working)

    def _open(self, path: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
