"""What is shown while there is no picture: what to do first."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget


class StartPage(QWidget):
    """A heading, a sentence, and the ways to begin.

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
        column = QVBoxLayout(self)
        column.setContentsMargins(40, 24, 40, 24)
        column.setSpacing(14)
        column.addStretch(2)
        column.addWidget(self.heading)
        column.addWidget(self.text)
        column.addWidget(self.wait, 0, Qt.AlignmentFlag.AlignHCenter)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for name, button in (("start", self.start), ("demo", self.demo), ("open", self.open)):
            button.setMinimumHeight(round(button.sizeHint().height() * 1.25))
            button.clicked.connect(lambda _, name=name: self.asked.emit(name))
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addStretch(2)
        column.addWidget(self.drop)
        self.show_state("looking")

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
