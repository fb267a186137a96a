"""What is said above the picture: one line each, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PyQt6.QtCore import QEvent, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from realtime_unmask.ui.fields import Copyable
from realtime_unmask.ui.studio import Problem


@dataclass(frozen=True, slots=True)
class Said:
    """One notice.

    Attributes:
        key: what it is about; a newer notice with the same key takes its place.
        text: a sentence or two.
        grave: something does not work, in place of something worth knowing.
        commands: shell commands to be copied, "" if there are none.
        buttons: (name, text) of what the person can do about it here.
        passing: it goes away by itself when what it says is over, so it cannot be closed.
        matter: what it was made of, to be said anew in another language; None where the words
            are all there is.
    """

    key: str
    text: str
    grave: bool = False
    commands: str = ""
    buttons: tuple[tuple[str, str], ...] = ()
    passing: bool = False
    matter: Problem | None = field(default=None, compare=False)


class NoticeBar(QWidget):
    """All notices, one below the other; takes no room while there is none.

    Signals:
        pressed(name): a notice's button.
        closed(key): a person closed that notice.
    """

    pressed = pyqtSignal(str)
    closed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(1)
        self._shown: tuple[Said, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setVisible(False)

    @property
    def shown(self) -> tuple[Said, ...]:
        """What is said now."""
        return self._shown

    def show_notices(self, notices: Sequence[Said]) -> None:
        """Say exactly these."""
        if tuple(notices) == self._shown:
            return
        self._shown = tuple(notices)
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for notice in self._shown:
            self._column.addWidget(self._row(notice))
        self.setVisible(bool(self._shown))

    def changeEvent(self, event: QEvent | None) -> None:
        """Dark or light may have changed."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.retranslate()

    def retranslate(self) -> None:
        """The buttons' words in the language of now; those of the notices come from elsewhere."""
        shown, self._shown = self._shown, ()
        self.show_notices(shown)

    def _row(self, notice: Said) -> QFrame:
        row = QFrame()
        row.setAutoFillBackground(True)
        row.setPalette(_palette(self.palette(), notice.grave))
        line = QHBoxLayout(row)
        line.setContentsMargins(12, 8, 8, 8)
        line.setSpacing(10)
        line.addWidget(self._sign(notice.grave), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        text = QLabel(notice.text)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.addWidget(text)
        if notice.commands:
            commands = Copyable()
            commands.show_text(notice.commands)
            commands.button.setText(self.tr("Copy"))
            commands.line.setAccessibleName(self.tr("Commands for a terminal"))
            words.addWidget(commands)
        line.addLayout(words, 1)
        for name, label in notice.buttons:
            button = QPushButton(label)
            button.setObjectName(name)
            button.clicked.connect(lambda _, name=name: self.pressed.emit(name))
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        if not notice.passing:
            close = QToolButton()
            close.setAutoRaise(True)
            close.setText("✕")
            close.setAccessibleName(self.tr("Close this notice"))
            close.clicked.connect(lambda: self.closed.emit(notice.key))
            line.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _sign(self, grave: bool) -> QLabel:
        sign = QLabel()
        style = self.style()
        kind = (
            QStyle.StandardPixmap.SP_MessageBoxWarning
            if grave
            else QStyle.StandardPixmap.SP_MessageBoxInformation
        )
        if style is not None:
            sign.setPixmap(style.standardIcon(kind).pixmap(20, 20))
        sign.setAccessibleName(self.tr("Problem") if grave else self.tr("Notice"))
        return sign


def _palette(base: QPalette, grave: bool) -> QPalette:
    """The window's palette on a tinted ground, whether that is dark or light."""
    ground = base.color(QPalette.ColorRole.Window)
    tint = QColor(214, 120, 20) if grave else QColor(40, 120, 215)
    share = 0.28
    mixed = QColor(
        *(
            round(a * (1 - share) + b * share)
            for a, b in zip(ground.getRgb()[:3], tint.getRgb()[:3], strict=True)
        )
    )
    palette = QPalette(base)
    palette.setColor(QPalette.ColorRole.Window, mixed)
    return palette
