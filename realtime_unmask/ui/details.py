"""The stage waterfall: where the time of a frame goes."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import QSizePolicy, QWidget


class Waterfall(QWidget):
    """One bar a stage, each beginning where the one before ends; milliseconds beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stages: tuple[tuple[str, float], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def stages(self) -> tuple[tuple[str, float], ...]:
        """What is shown: (stage, milliseconds)."""
        return self._stages

    def show_stages(self, stages_ms: Mapping[str, float]) -> None:
        """Show these stages, in their order; milliseconds each."""
        rows_before = len(self._stages)
        self._stages = tuple(stages_ms.items())
        words = ", ".join(f"{self._word(name)} {ms:.1f} ms" for name, ms in self._stages)
        self.setAccessibleDescription(words)
        if len(self._stages) != rows_before:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """A line of text a stage, and one for the sum."""
        rows = max(1, len(self._stages)) + 1
        return QSize(320, rows * self._row_height() + 12)

    def minimumSizeHint(self) -> QSize:
        """As high as all its rows."""
        return QSize(200, self.sizeHint().height())

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 4

    def _word(self, name: str) -> str:
        return {
            "capture": self.tr("capture"),
            "wait": self.tr("waiting"),
            "detect": self.tr("find faces"),
            "align": self.tr("align"),
            "map": self.tr("find masks"),
            "edit": self.tr("paint"),
            "colour": self.tr("match colours"),
            "composite": self.tr("blend"),
            "show": self.tr("show"),
        }.get(name, name)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bars."""
        painter = QPainter(self)
        metrics, palette = painter.fontMetrics(), self.palette()
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        if not self._stages:
            painter.drawText(
                QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self.tr("No frames yet.")
            )
            return
        names = [self._word(name) for name, _ in self._stages] + [self.tr("together")]
        names_width = max(metrics.horizontalAdvance(name) for name in names) + 20
        figures_width = metrics.horizontalAdvance("0000.0 ms") + 12
        room = max(10, self.width() - names_width - figures_width)
        total = sum(ms for _, ms in self._stages)
        scale = room / max(total, 1e-6)
        height, start = self._row_height(), 0.0
        colour = palette.color(QPalette.ColorRole.Highlight)
        rows = [*(ms for _, ms in self._stages), total]
        for row, (name, ms) in enumerate(zip(names, rows, strict=True)):
            top = 6 + row * height
            last = row == len(rows) - 1
            left = 0.0 if last else start
            bar = QRectF(names_width + left * scale, top + 3, max(1.5, ms * scale), height - 6)
            painter.fillRect(bar, _faint(colour) if last else colour)
            painter.drawText(
                QRectF(10, top, names_width, height), Qt.AlignmentFlag.AlignVCenter, name
            )
            painter.drawText(
                QRectF(self.width() - figures_width, top, figures_width - 10, height),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                f"{ms:.1f} ms",
            )
            start += ms


def _faint(colour: QColor) -> QColor:
    faint = QColor(colour)
    faint.setAlpha(110)
    return faint
