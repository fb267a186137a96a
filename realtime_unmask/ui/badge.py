"""Why the badge is there: to be read before it can be taken away."""

from __future__ import annotations

from PyQt6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget


class BadgeDialog(QDialog):
    """Accepted only after the person said to have read why the badge is there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Take the badge away?"))
        text = QLabel(
            self.tr(
                "<p>The lower half of the face that others see is made up by a program. "
                "It looks real, and it is not the person: mouth, chin, beard and expression "
                "are guesses.</p>"
                "<p>The badge “AI-reconstructed” tells this to those who cannot know it "
                "otherwise: the people in a call, and whoever sees a recording later. Without it "
                "they may take the face for a real one, or for somebody else’s. In many "
                "places such pictures have to be marked by law.</p>"
                "<p>Without the badge, tell them yourself. The metadata of recordings and "
                "pictures say it in any case.</p>"
            )
        )
        text.setWordWrap(True)
        text.setMinimumWidth(text.fontMetrics().averageCharWidth() * 64)
        self.read = QCheckBox(self.tr("I have read this, and will tell people myself."))
        buttons = QDialogButtonBox()
        self.keep = buttons.addButton(
            self.tr("Keep the badge"), QDialogButtonBox.ButtonRole.RejectRole
        )
        self.remove = buttons.addButton(
            self.tr("Take it away"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        assert self.keep is not None and self.remove is not None
        self.remove.setEnabled(False)
        self.keep.setDefault(True)
        self.read.toggled.connect(self.remove.setEnabled)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(text)
        column.addWidget(self.read)
        column.addWidget(buttons)
