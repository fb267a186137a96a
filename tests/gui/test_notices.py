"""What is said above the picture."""

from __future__ import annotations

import pytest
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication, QFrame, QLabel
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import problems
from realtime_unmask.ui.notices import NoticeBar, Said
from realtime_unmask.ui.studio import Problem


def _contrast(bar: NoticeBar) -> int:
    """Between a notice's letters and its ground: lightness, 0..255; 0 while it is not shown."""
    rows = [one for one in bar.findChildren(QFrame) if type(one) is QFrame and one.isVisible()]
    if not rows:
        return 0
    row = rows[0]
    text = next(one for one in row.findChildren(QLabel) if one.text())
    ground = row.palette().color(QPalette.ColorRole.Window)
    letters = text.palette().color(QPalette.ColorRole.WindowText)
    return abs(ground.lightness() - letters.lightness())


def test_a_notice_can_be_read_after_the_system_turned_dark(
    qapp: QApplication, qtbot: QtBot
) -> None:
    before = qapp.palette()
    bar = NoticeBar()
    qtbot.addWidget(bar)
    try:
        for ground in (QColor(239, 239, 239), QColor(45, 45, 45), QColor(239, 239, 239)):
            qapp.setPalette(QPalette(ground))
            bar.show_notices([Said("a", "The disk is full.", True)])
            bar.show()
            qtbot.wait(50)  # the change of colours is told by an event
            qtbot.waitUntil(lambda: _contrast(bar) > 120, timeout=1000)
    finally:
        qapp.setPalette(before)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Building for the GPU: editor, TensorRT 10, sm_86, fp16", "wird bereitet"),
        ("Getting the GPU ready failed (exit code 1); the CPU goes on.", "die CPU macht weiter"),
        ("The GPU cannot be got ready (No memory); the CPU goes on.", "die CPU macht weiter"),
    ],
)
def test_a_gpu_that_was_given_up_is_not_said_to_come(german: None, given: str, words: str) -> None:
    assert words in problems.said("x", Problem("gpu", given)).text
