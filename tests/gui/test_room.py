"""Nothing opens larger than its screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QFont
from PyQt6.QtWidgets import QApplication, QLabel, QScrollArea
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import room
from realtime_unmask.ui.app import Language
from realtime_unmask.ui.hotkeys import HotkeySheet
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> QSize:
    """Of 800 x 800 px, which Qt makes up in memory: counted as if it were a real one."""
    monkeypatch.setattr(room, "in_memory", lambda: False)
    there = qapp.primaryScreen()
    assert there is not None
    return there.availableSize()


@pytest.fixture
def large_letters(qapp: QApplication) -> Iterator[None]:
    font = qapp.font()
    larger = QFont(font)
    larger.setPointSizeF(1.5 * font.pointSizeF())
    qapp.setFont(larger)
    yield
    qapp.setFont(font)


def test_first_start_leaves_the_bar_and_the_words_below_it_in_sight(
    screen: QSize, open_window: Callable[..., Window]
) -> None:
    window = open_window()
    assert window.width() < screen.width() and window.height() < screen.height()
    assert window.strip.geometry().bottom() < window.height()


@pytest.mark.usefixtures("large_letters")
def test_start_page_does_not_make_the_window_wider_than_a_small_screen(
    open_window: Callable[..., Window], studio: FakeStudio, qapp: QApplication, qtbot: QtBot
) -> None:
    studio.connected = ()
    language = Language(qapp)
    language.choose("de")  # its words are longer
    try:
        window = open_window()
        qtbot.waitUntil(lambda: window.controller.state == "none")
        assert window.minimumSizeHint().width() <= 800
        window.resize(800, 500)
        across = window.start_page.horizontalScrollBar()
        qtbot.waitUntil(lambda: across is not None and across.maximum() == 0)
        for button in (window.start_page.start, window.start_page.demo, window.start_page.open):
            button.setFocus()
            assert button.visibleRegion().boundingRect().size() == button.size()
    finally:
        language.choose("en")


@pytest.mark.usefixtures("large_letters")
def test_sheet_of_keys_that_is_too_long_can_be_scrolled(
    screen: QSize, open_window: Callable[..., Window]
) -> None:
    window = open_window()
    window.toggle_sheet()
    sheet = window.findChild(HotkeySheet)
    assert sheet is not None
    assert sheet.width() < screen.width() and sheet.height() < screen.height()
    scrolled = sheet.findChild(QScrollArea)
    assert scrolled is not None
    bar, last = scrolled.verticalScrollBar(), sheet.findChildren(QLabel)[-1]
    assert bar is not None and bar.maximum() > 0
    scrolled.ensureWidgetVisible(last)
    assert not last.visibleRegion().isEmpty()
