"""What is shown while there is no picture: what to do first."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

_MARGIN = 40  # px, beside the words


class StartPage(QScrollArea):
    """A heading, a sentence, and the ways to begin; scrolls where it has too little room.

    Signals:
        asked(name): of the button: "start", "demo" or "open".
    """

    asked = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading = QLabel()
        font = self.heading.font()
        font.setPointSizeF(font.pointSizeF() * 1.7)
        self.heading.setFont(font)
        self.text = QLabel()
        self.wait = QProgressBar()
        self.wait.setRange(0, 0)
        self.wait.setTextVisible(False)
        self.wait.setMaximumWidth(220)
        self.start, self.demo, self.open = QPushButton(), QPushButton(), QPushButton()
        self.drop = QLabel()
        for label in (self.heading, self.text, self.drop):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(_MARGIN, 24, _MARGIN, 24)
        column.setSpacing(14)
        column.addStretch(2)
        column.addWidget(self.heading)
        column.addWidget(self.text)
        column.addWidget(self.wait, 0, Qt.AlignmentFlag.AlignHCenter)
        self._buttons = buttons = QHBoxLayout()
        buttons.addStretch(1)
        for name, button in (("start", self.start), ("demo", self.demo), ("open", self.open)):
            button.setMinimumHeight(round(button.sizeHint().height() * 1.25))
            button.clicked.connect(lambda _, name=name: self.asked.emit(name))
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addStretch(2)
        column.addWidget(self.drop)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons are reached, and shown, by Tab
        self.show_state("looking")

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The buttons stand below each other where there is no room for a row of them."""
        super().resizeEvent(event)
        self._lay_buttons()

    def _lay_buttons(self) -> None:
        row = (self.start, self.demo, self.open)
        gaps = (len(row) + 1) * self._buttons.spacing()  # one beside each stretch, too
        needed = 2 * _MARGIN + sum(button.sizeHint().width() for button in row) + gaps
        ways = QBoxLayout.Direction
        self._buttons.setDirection(
            ways.LeftToRight if needed <= self.width() else ways.TopToBottom
        )

    def show_state(self, state: str) -> None:
        """What is the matter: "looking", "opening", "waiting" (for a camera), "ready" (with one),
        "ready_clip", "none", "problem", "stopping"."""
        self._state = state
        busy = state in ("looking", "opening", "stopping")
        self.wait.setVisible(busy)
        for button in (self.start, self.demo, self.open):
            button.setVisible(not busy)
        self.retranslate()

    def retranslate(self) -> None:
        """Words in the language of now."""
        self.start.setText(self.tr("Start the camera"))
        self.demo.setText(self.tr("Show the demo clip"))
        self.open.setText(self.tr("Open a photo or a video…"))
        self.drop.setText(self.tr("Or drop a photo or a video here to unmask it."))
        words = {
            "looking": (self.tr("Looking for cameras…"), ""),
            "opening": (self.tr("Starting…"), ""),
            "stopping": (self.tr("Stopping…"), ""),
            "ready": (
                self.tr("See yourself without the mask"),
                self.tr("Sit before the camera with a face mask on, and press Start."),
            ),
            "ready_clip": (
                self.tr("The clip was stopped"),
                self.tr("Play it again, or choose a camera below."),
            ),
            "none": (
                self.tr("No camera was found"),
                self.tr(
                    "Connect one: it is noticed within seconds. "
                    "Or look at the demo clip, or open a photo or a video."
                ),
            ),
            "waiting": (
                self.tr("There is no picture"),
                self.tr("The line above says why. It is tried again and again by itself."),
            ),
            "problem": (
                self.tr("There is no picture"),
                self.tr("The line above says why, and what can be done."),
            ),
        }
        heading, text = words[self._state]
        if self._state == "ready_clip":
            self.start.setText(self.tr("Play again"))
        elif self._state == "none":
            self.start.setText(self.tr("Look again"))
        elif self._state in ("waiting", "problem"):
            self.start.setText(self.tr("Try again"))
        self.heading.setText(heading)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self._lay_buttons()
