"""The window's pictograms, drawn in the palette's text colour so that they fit dark and light."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPalette, QPen, QPixmap, QPolygonF

_SIDE = 24.0  # the grid on which they are drawn
RED = QColor(225, 55, 60)


def icon(name: str, palette: QPalette, size: int = 20) -> QIcon:
    """The pictogram `name`, one of DRAWINGS, sharp at 1x, 2x and 3x."""
    made = QIcon()
    groups = {
        QIcon.Mode.Normal: QPalette.ColorGroup.Active,
        QIcon.Mode.Disabled: QPalette.ColorGroup.Disabled,
    }
    for mode, group in groups.items():
        colour = palette.color(group, QPalette.ColorRole.ButtonText)
        for ratio in (1, 2, 3):
            pixmap = QPixmap(size * ratio, size * ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.scale(size * ratio / _SIDE, size * ratio / _SIDE)
            pen = QPen(colour, 1.8)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            DRAWINGS[name](painter, colour)
            painter.end()
            pixmap.setDevicePixelRatio(ratio)
            made.addPixmap(pixmap, mode)
    return made


def _filled(painter: QPainter, colour: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)


def _start(painter: QPainter, colour: QColor) -> None:
    _filled(painter, colour)
    painter.drawPolygon(QPolygonF([QPointF(7, 4), QPointF(20, 12), QPointF(7, 20)]))


def _stop(painter: QPainter, colour: QColor) -> None:
    _filled(painter, colour)
    painter.drawRoundedRect(QRectF(5.5, 5.5, 13, 13), 2, 2)


def _snapshot(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 7, 19, 13), 2.5, 2.5)
    painter.drawPolyline(
        QPolygonF([QPointF(8, 7), QPointF(9.5, 4), QPointF(14.5, 4), QPointF(16, 7)])
    )
    painter.drawEllipse(QPointF(12, 13.2), 3.8, 3.8)


def _record(painter: QPainter, colour: QColor) -> None:
    _filled(painter, RED)
    painter.drawEllipse(QPointF(12, 12), 7, 7)


def _camera(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 6.5, 13, 11), 2.5, 2.5)
    painter.drawPolygon(
        QPolygonF([QPointF(16, 11), QPointF(21.5, 7.5), QPointF(21.5, 16.5), QPointF(16, 13)])
    )


def _settings(painter: QPainter, colour: QColor) -> None:
    for y, knob in ((6.0, 15.5), (12.0, 8.5), (18.0, 14.0)):
        painter.drawLine(QPointF(3, y), QPointF(21, y))
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(knob, y), 2.4, 2.4)


def _help(painter: QPainter, colour: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.2, 9.2)
    path = QPainterPath(QPointF(9.2, 9.6))
    path.cubicTo(9.2, 5.6, 15.2, 5.8, 14.9, 9.6)
    path.cubicTo(14.7, 11.8, 12, 11.8, 12, 14)
    painter.drawPath(path)
    painter.drawPoint(QPointF(12, 17.2))


def _result(painter: QPainter, colour: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.2, 9.2)
    painter.drawPoint(QPointF(8.7, 9.8))
    painter.drawPoint(QPointF(15.3, 9.8))
    path = QPainterPath(QPointF(7.8, 14))
    path.cubicTo(9.5, 17.4, 14.5, 17.4, 16.2, 14)
    painter.drawPath(path)


def _wipe(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 5, 19, 14), 2, 2)
    painter.drawLine(QPointF(12, 2.5), QPointF(12, 21.5))
    painter.setPen(Qt.PenStyle.NoPen)
    faint = QColor(colour)
    faint.setAlpha(110)
    painter.setBrush(faint)
    painter.drawRect(QRectF(3, 5.5, 8.5, 13))


def _map(painter: QPainter, colour: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.2, 9.2)
    painter.setBrush(colour)
    path = QPainterPath(QPointF(5, 12))
    path.lineTo(19, 12)
    path.cubicTo(18.5, 17.5, 15, 19.2, 12, 19.2)
    path.cubicTo(9, 19.2, 5.5, 17.5, 5, 12)
    painter.drawPath(path)


def _side_by_side(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 6, 8.5, 12), 1.5, 1.5)
    painter.drawRoundedRect(QRectF(13, 6, 8.5, 12), 1.5, 1.5)


def _full_screen(painter: QPainter, colour: QColor) -> None:
    for sx, sy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        corner = [(3.5, 9.0), (3.5, 3.5), (9.0, 3.5)]
        painter.drawPolyline(
            QPolygonF([QPointF(12 + (x - 12) * sx, 12 + (y - 12) * sy) for x, y in corner])
        )


DRAWINGS: dict[str, Callable[[QPainter, QColor], None]] = {
    "start": _start,
    "stop": _stop,
    "snapshot": _snapshot,
    "record": _record,
    "camera": _camera,
    "settings": _settings,
    "help": _help,
    "result": _result,
    "wipe": _wipe,
    "map": _map,
    "side_by_side": _side_by_side,
    "full_screen": _full_screen,
}
