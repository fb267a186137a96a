"""The window stays smooth, whatever happens below it."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio

Open = Callable[..., Window]


def gaps_ms(qtbot: QtBot, seconds: float) -> list[float]:
    """How long the event loop let a timer of 5 ms wait, beyond those; milliseconds."""
    late: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        late.append((now - last) * 1000 - 5)
        last = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)
    end = time.monotonic() + seconds
    qtbot.waitUntil(lambda: time.monotonic() > end, timeout=60_000)
    timer.stop()
    return late


def block(window: Window, studio: FakeStudio, qtbot: QtBot) -> None:
    """Let the thread that starts cameras hang."""
    window.controller.stop()
    qtbot.waitUntil(lambda: window.controller.state == "ready")
    studio.gate.clear()
    window.controller.start()
    qtbot.waitUntil(lambda: window.controller.state == "opening")


def test_window_goes_on_while_everything_below_is_blocked(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    block(window, studio, qtbot)
    ticks = len(gaps_ms(qtbot, 0.7))
    assert window.controller.state == "opening"
    studio.gate.set()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert ticks > 10
