"""How large a window may open on its screen."""

from __future__ import annotations

from PyQt6.QtCore import QSize
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QStyle, QWidget

_FRAME = 8  # px, around a window


def in_memory() -> bool:
    """Are there no screens, but only pictures of windows?"""
    return QGuiApplication.platformName() == "offscreen"


def within_screen(window: QWidget, wanted: QSize) -> QSize:
    """`wanted`, px, but no more than the screen has room for, with a title bar.

    Not every desktop makes a window smaller that is too large: what does not fit is out of reach.
    """
    screen, style = window.screen(), window.style()
    if screen is None or style is None or in_memory():
        return wanted
    title = style.pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight, None, window)
    return wanted.boundedTo(screen.availableSize() - QSize(_FRAME, title + _FRAME))
