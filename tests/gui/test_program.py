"""The window as a program."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import program
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio, FileUnmasker


@pytest.mark.skipif(os.name != "posix", reason="signals are sent with kill")
def test_ctrl_c_is_heard_while_the_camera_is_stopped(
    qapp: QApplication, studio: FakeStudio, preferences_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Window] = []

    class Stopped(Window):
        def showEvent(self, event: object) -> None:
            super().showEvent(event)
            opened.append(self)
            self.controller.stop()

    monkeypatch.setattr(program, "make_application", lambda arguments: qapp)
    monkeypatch.setattr(program, "LiveStudio", lambda: studio)
    monkeypatch.setattr(program.preferences, "default_path", lambda: preferences_path)
    monkeypatch.setattr(program, "Window", Stopped)
    before = signal.getsignal(signal.SIGINT)
    giving_up = QTimer()
    giving_up.timeout.connect(lambda: opened[0].close())
    giving_up.start(8000)
    # From another process: nothing of Python's runs in this one meanwhile.
    began = time.monotonic()
    sender = subprocess.Popen(["sh", "-c", f"sleep 1.5; kill -INT {os.getpid()}"])
    try:
        program.run_window()
        assert time.monotonic() - began < 5
    finally:
        giving_up.stop()
        sender.wait(10)
        signal.signal(signal.SIGINT, before)
        for window in opened:
            window.deleteLater()


def test_the_page_is_served_though_the_window_began_minimised(
    studio: FakeStudio, preferences_path: Path, qtbot: QtBot
) -> None:
    controller = Controller(studio, preferences_path)
    window = Window(controller, FileJobs(FileUnmasker))
    controller.setParent(window)
    window.jobs.setParent(window)
    program._serve_when_started(controller)
    window.showMinimized()
    controller.begin()
    try:
        qtbot.waitUntil(lambda: controller.outputs.page != "")
        assert not studio.now.visible and studio.now.asked == ["page"]
        controller.stop()
        qtbot.waitUntil(lambda: controller.state == "ready")
        controller.start()
        qtbot.waitUntil(lambda: controller.running is not None)
        assert controller.outputs.page == ""  # switched off by the stop, and not asked for again
    finally:
        window.close()
        window.deleteLater()
