"""The status strip: how fast, how fresh, what was dropped and why, what runs the networks."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget


class OneLine(QLabel):
    """A text that ends in “…” where it does not fit; the tool tip has all of it."""

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what fits."""
        text = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        QPainter(self).drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)

    def minimumSizeHint(self) -> QSize:
        """It takes what the figures leave."""
        return QSize(0, super().minimumSizeHint().height())


class Strip(QWidget):
    """Two lines: what the picture is not, and the figures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.rate, self.age, self.drops, self.backend = (QLabel() for _ in range(4))
        self._tips()
        figures = QHBoxLayout()
        figures.setSpacing(18)
        for label in (self.rate, self.age, self.drops, self.backend):
            figures.addWidget(label)
        self.note = OneLine()
        figures.addWidget(self.note, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 2, 12, 6)
        column.setSpacing(2)
        column.addWidget(self.caption)
        column.addLayout(figures)
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        self.setFont(font)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.retranslate()
        self.show_nothing()

    def show_nothing(self) -> None:
        """No camera is on."""
        self.rate.setText(self.tr("The camera is off"))
        for label in (self.age, self.drops, self.backend):
            label.clear()

    def show_figures(
        self,
        fps: tuple[float, float],
        age_ms: tuple[float, float],
        drops: Mapping[str, int],
        backend: str,
    ) -> None:
        """The figures of now.

        Args:
            fps: frames a second that came in, and that went out.
            age_ms: how old a frame is when it is shown, median and 95th percentile.
            drops: dropped frames by cause.
            backend: what runs the networks.
        """
        self.rate.setText(
            self.tr("{into:.0f} → {out:.0f} frames/s").format(into=fps[0], out=fps[1])
        )
        self.age.setText(
            self.tr("{p50:.0f} ms old (95 %: {p95:.0f})").format(p50=age_ms[0], p95=age_ms[1])
        )
        total = sum(drops.values())
        self.drops.setText(self.tr("{count} dropped").format(count=total))
        causes = "\n".join(f"{self._cause(name)}: {n}" for name, n in drops.items() if n)
        self.drops.setToolTip(causes or self.tr("No frame was dropped."))
        self.backend.setText(backend)

    def _cause(self, name: str) -> str:
        return {
            "capture": self.tr("Came faster than they could be fetched"),
            "worker busy": self.tr("A newer one came before its turn"),
            "late": self.tr("Done after the picture had gone on"),
            "stopped": self.tr("On their way when all was stopped"),
        }.get(name, name)

    def show_note(self, text: str) -> None:
        """What is worth knowing just now, and nothing to worry about; "" for nothing."""
        self.note.setText(text)
        self.note.setToolTip(text)

    def _tips(self) -> None:
        self.rate.setToolTip(self.tr("Frames a second from the camera → shown"))
        self.age.setToolTip(self.tr("Time from the camera to the screen: median (95th percentile)"))
        self.backend.setToolTip(self.tr("What runs the networks"))

    def retranslate(self) -> None:
        """Words in the language of now."""
        self._tips()
        self.caption.setText(
            self.tr(
                "The face under the mask is a plausible guess, not the person; "
                "not for identification."
            )
        )

    def minimumSizeHint(self) -> QSize:
        """As narrow as the window can be."""
        return QSize(200, super().minimumSizeHint().height())
