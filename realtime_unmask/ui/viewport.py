"""The picture: before and after of the same instant, zoomed, wiped, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import cast

import numpy as np
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from realtime_unmask.types import Face, UInt8
from realtime_unmask.ui.rendering import Placement, Rect, Zoom, halves, pixels, place, tinted

_GRIP = 22  # px around the wipe's line in which the mouse takes hold of it
_STEP = 0.02  # of the picture's width for a press of an arrow key
_CLICK = 4  # px that the mouse may move between press and release of a click
_BACKDROP = QColor(24, 24, 27)
_WHITE = QColor(255, 255, 255)
_SHADE = QColor(0, 0, 0, 150)
_CHOSEN = QColor(64, 200, 255)


class View(Enum):
    """What is shown of a frame."""

    RESULT = "result"
    WIPE = "wipe"
    MAP = "map"
    SIDE_BY_SIDE = "side_by_side"


class Viewport(QWidget):
    """Shows a pair of pictures. The arrays that it is given must not change afterwards.

    Signals:
        picked(x, y): the picture was clicked there; picture px.
        wiped(share): the line between before and after was moved; 0..1 of the picture's width.
        activity(): the mouse moved over it.
        drawn(): what is shown was drawn.
    """

    picked = pyqtSignal(float, float)
    wiped = pyqtSignal(float)
    activity = pyqtSignal()
    drawn = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before: UInt8 | None = None
        self._after: UInt8 | None = None
        self._painted: UInt8 | None = None
        self._faces: Sequence[Face] = ()
        self._chosen: int | None = None
        self._outlines = False
        self._view = View.RESULT
        self._wipe = 0.5
        self._zoom = Zoom()
        self._pressed: QPointF | None = None
        self._dragging = ""
        self._drag_zoom = Zoom()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.retranslate()

    # What is shown

    def show_pair(
        self,
        before: UInt8,
        after: UInt8,
        painted: UInt8 | None,
        faces: Sequence[Face] = (),
        chosen: int | None = None,
    ) -> None:
        """Show one instant.

        Args:
            before, after: (H, W, 3) uint8 RGB, of one size.
            painted: (H, W) uint8, 255 = painted; None where nothing was.
            faces: those found, to be outlined while one can be chosen.
            chosen: the track_id of the one that was.
        """
        self._before, self._after, self._painted = before, after, painted
        self._faces, self._chosen = faces, chosen
        self.update()

    def clear(self) -> None:
        """Show no picture."""
        self._before = self._after = self._painted = None
        self._faces = ()
        self.update()

    @property
    def view(self) -> View:
        """What is shown of a frame."""
        return self._view

    def set_view(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.unsetCursor()
        self.retranslate()
        self.update()

    @property
    def wipe(self) -> float:
        """Where the line between before and after is, 0..1 of the picture's width."""
        return self._wipe

    def set_wipe(self, share: float) -> None:
        """Move the line between before and after."""
        share = min(1.0, max(0.0, share))
        if share != self._wipe:
            self._wipe = share
            self.wiped.emit(share)
            self.update()

    @property
    def zoom(self) -> Zoom:
        """Which part is looked at."""
        return self._zoom

    def set_zoom(self, zoom: Zoom) -> None:
        """Look at another part."""
        self._zoom = zoom
        self.update()

    def zoom_by(self, factor: float) -> None:
        """Closer to what is in the middle, by `factor`."""
        self.set_zoom(self._zoom.by(factor, self._zoom.x, self._zoom.y))

    def set_outlines(self, shown: bool) -> None:
        """Outline the faces, so that one can be chosen by a click."""
        self._outlines = shown
        self.update()

    def sizeHint(self) -> QSize:
        """Large enough to judge a face."""
        return QSize(960, 600)

    def minimumSizeHint(self) -> QSize:
        """Small enough for a small screen."""
        return QSize(240, 160)

    def retranslate(self) -> None:
        """The words for those who cannot see it."""
        self.setAccessibleName(self.tr("Picture"))
        self.setAccessibleDescription(
            self.tr("Arrow keys left and right move the line between before and after.")
            if self._view is View.WIPE
            else self.tr("The camera's picture with the mask painted over.")
        )

    # Geometry, in device pixels

    def _areas(self) -> list[Rect]:
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        if self._view is not View.SIDE_BY_SIDE:
            return [Rect(0, 0, width, height)]
        return halves(self._before, width, height, round(4 * ratio))

    def _placements(self) -> list[Placement]:
        if self._after is None:
            return []
        height, width = self._after.shape[:2]
        return [place(width, height, area, self._zoom) for area in self._areas() if area.width > 0]

    def _to_picture(self, point: QPointF) -> tuple[float, float] | None:
        """The picture's point under the mouse; None beside the picture."""
        if self._after is None:
            return None
        ratio = self.devicePixelRatioF()
        height, width = self._after.shape[:2]
        for placement, area in zip(self._placements(), self._areas(), strict=True):
            px, py = point.x() * ratio, point.y() * ratio
            x, y = placement.to_picture(px, py)
            inside = area.x <= px < area.x + area.width and area.y <= py < area.y + area.height
            if inside and 0 <= x < width and 0 <= y < height:
                return x, y
        return None

    def wipe_line(self) -> float:
        """Where the line is, px from the widget's left edge."""
        placements = self._placements()
        if not placements:
            return self.width() * self._wipe
        target = placements[0].target
        return (target.x + target.width * self._wipe) / self.devicePixelRatioF()

    # Painting

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what is shown; scaled here, since QPainter's own scaling is several times slower."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), _BACKDROP)
        placements = self._placements()
        if self._before is None or self._after is None or not placements:
            return
        if self._view is View.SIDE_BY_SIDE:
            self._draw(painter, self._before, placements[0])
            self._draw(painter, self._after, placements[1])
            for placement, text in zip(placements, self._labels(), strict=True):
                self._label(painter, text, self._on_screen(placement), right=False)
        elif self._view is View.MAP:
            self._draw(painter, tinted(self._before, self._painted), placements[0])
        else:
            self._draw(painter, self._after, placements[0])
            if self._view is View.WIPE:
                self._draw_wipe(painter, placements[0])
        if self._outlines:
            for placement in placements:
                self._draw_outlines(painter, placement)
        painter.end()
        self.drawn.emit()

    def _labels(self) -> tuple[str, str]:
        return self.tr("Before"), self.tr("After")

    def _on_screen(self, placement: Placement) -> QRectF:
        ratio, target = self.devicePixelRatioF(), placement.target
        return QRectF(
            target.x / ratio, target.y / ratio, target.width / ratio, target.height / ratio
        )

    def _draw(self, painter: QPainter, image: UInt8, placement: Placement) -> None:
        data = pixels(image, placement)
        height, width = data.shape[:2]
        buffer = cast(bytes, data.data)  # any buffer will do; PyQt's types say bytes
        shown = QImage(buffer, width, height, data.strides[0], QImage.Format.Format_RGB32)
        painter.drawImage(self._on_screen(placement), shown)  # while `data` is alive

    def _draw_wipe(self, painter: QPainter, placement: Placement) -> None:
        whole, line = self._on_screen(placement), self.wipe_line()
        assert self._before is not None
        painter.save()
        painter.setClipRect(QRectF(whole.left(), whole.top(), line - whole.left(), whole.height()))
        self._draw(painter, self._before, placement)
        painter.restore()
        before, after = self._labels()
        self._label(painter, before, whole, right=False, until=line)
        self._label(painter, after, whole, right=True, until=line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(_SHADE, 4))
        painter.drawLine(QPointF(line, whole.top()), QPointF(line, whole.bottom()))
        painter.setPen(QPen(_WHITE, 2))
        painter.drawLine(QPointF(line, whole.top()), QPointF(line, whole.bottom()))
        middle = QPointF(line, whole.center().y())
        painter.setPen(QPen(_CHOSEN if self.hasFocus() else _WHITE, 2))
        painter.setBrush(_SHADE)
        painter.drawEllipse(middle, 17, 17)
        painter.setPen(QPen(_WHITE, 2))
        for side in (-1, 1):
            tip = QPointF(line + side * 10, middle.y())
            painter.drawLine(tip, QPointF(line + side * 5, middle.y() - 5))
            painter.drawLine(tip, QPointF(line + side * 5, middle.y() + 5))

    def _label(
        self, painter: QPainter, text: str, whole: QRectF, *, right: bool, until: float = -1.0
    ) -> None:
        """A word in an upper corner; left out where the wipe's line would run through it."""
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + 18, metrics.height() + 8
        left = whole.right() - width - 10 if right else whole.left() + 10
        if until >= 0 and (left < until + 4 if right else left + width > until - 4):
            return
        box = QRectF(left, whole.top() + 10, width, height)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_SHADE)
        painter.drawRoundedRect(box, height / 2, height / 2)
        painter.setPen(_WHITE)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()

    def _draw_outlines(self, painter: QPainter, placement: Placement) -> None:
        ratio = self.devicePixelRatioF()
        painter.save()
        painter.setClipRect(self._on_screen(placement))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for face in self._faces:
            x0, y0, x1, y1 = (float(v) * placement.scale / ratio for v in face.box)
            box = QRectF(QPointF(x0, y0), QPointF(x1, y1)).translated(
                placement.left / ratio, placement.top / ratio
            )
            chosen = face.track_id == self._chosen
            for colour, width in ((_SHADE, 5), (_CHOSEN if chosen else _WHITE, 3 if chosen else 2)):
                painter.setPen(QPen(colour, width))
                painter.drawRoundedRect(box, 10, 10)
        painter.restore()

    # Mouse and keyboard

    def _on_grip(self, point: QPointF) -> bool:
        return self._view is View.WIPE and abs(point.x() - self.wipe_line()) <= _GRIP

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the wipe's line, or of the picture."""
        if event is None or event.button() is not Qt.MouseButton.LeftButton:
            return
        self._pressed = event.position()
        self._drag_zoom = self._zoom
        if self._on_grip(event.position()):
            self._dragging = "wipe"

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move the wipe's line, or the part that is looked at."""
        if event is None:
            return
        self.activity.emit()
        point, start = event.position(), self._pressed
        if start is None:
            grip = self._on_grip(point)
            self.setCursor(Qt.CursorShape.SplitHCursor if grip else Qt.CursorShape.ArrowCursor)
            return
        if self._dragging == "wipe":
            self._wipe_to(point.x())
            return
        if self._dragging == "" and (point - start).manhattanLength() <= _CLICK:
            return
        self._dragging = "picture"
        self._move_picture(point - start)

    def _wipe_to(self, x: float) -> None:
        placements = self._placements()
        if placements:
            target, ratio = placements[0].target, self.devicePixelRatioF()
            self.set_wipe((x * ratio - target.x) / target.width)

    def _move_picture(self, by: QPointF) -> None:
        placements = self._placements()
        if not placements or self._after is None or self._zoom.factor == 1.0:
            return
        height, width = self._after.shape[:2]
        step = self.devicePixelRatioF() / placements[0].scale
        self.set_zoom(
            self._drag_zoom.moved_to(
                self._drag_zoom.x - by.x() * step / width,
                self._drag_zoom.y - by.y() * step / height,
            )
        )

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go; without a move in between it was a click on the picture."""
        if event is None or self._pressed is None:
            return
        where = self._to_picture(event.position())
        if self._dragging == "" and where is not None:
            self.picked.emit(*where)
        self._pressed, self._dragging = None, ""

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Closer or farther; what is under the mouse stays there."""
        if event is None or self._after is None:
            return
        where = self._to_picture(event.position())
        height, width = self._after.shape[:2]
        x, y = (where[0] / width, where[1] / height) if where else (0.5, 0.5)
        self.set_zoom(self._zoom.by(float(np.exp(event.angleDelta().y() / 600)), x, y))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """The arrow keys move the wipe's line."""
        steps = {Qt.Key.Key_Left: -_STEP, Qt.Key.Key_Right: _STEP}
        key = Qt.Key(event.key()) if event is not None else None
        if event is not None and self._view is View.WIPE and key in steps:
            self.set_wipe(self._wipe + steps[key])
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """The mouse came in."""
        self.activity.emit()

    def changeEvent(self, event: QEvent | None) -> None:
        """Another language was chosen."""
        if event is not None and event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
            self.update()
