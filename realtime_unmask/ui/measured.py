"""The window for `bench`: it shows what is measured, and asks for no devices."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PyQt6.QtCore import QMessageLogContext, QTimer, QtMsgType, qInstallMessageHandler
from PyQt6.QtWidgets import QApplication

from realtime_unmask.bench.live import Watch
from realtime_unmask.errors import UnmaskError, WindowError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.ui.app import make_application
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.live_studio import LiveRunning, LiveStudio
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.program import make_unmasker
from realtime_unmask.ui.studio import DEMO, Camera, Devices
from realtime_unmask.ui.window import Window

_LOOK_MS = 100
# What the platform "offscreen" says of each window; it means nothing to the person.
_COMPLAINT = "This plugin does not support propagateSizeHints()"


class _Studio(LiveStudio):
    """Has one session, and no devices."""

    def __init__(self, session: LiveSession) -> None:
        super().__init__()
        self._session = session
        self.running: LiveRunning | None = None

    def cameras(self) -> tuple[Camera, ...]:
        return ()

    def devices(self) -> Devices:
        return Devices()

    def start(self, key: str, preferences: Preferences) -> LiveRunning:
        self._session.start()
        self.running = LiveRunning(key, self._session)
        return self.running


class MeasuredWindow:
    """Shows one session after the other in the program's window, with nobody's preferences.

    On a screen where there is one, else in memory (Qt's platform "offscreen").

    Raises:
        WindowError: not even that is possible.
    """

    def __init__(self) -> None:
        self._application = _application()

    def __call__(self, session: LiveSession, watch: Watch) -> str:
        """See bench.live.Show."""
        folders = tempfile.TemporaryDirectory(prefix="realtime-unmask-bench-")
        with folders as folder, _no_complaint():
            studio = _Studio(session)
            controller = Controller(studio, Path(folder) / "window.json", DEMO)
            _show(self._application, Window(controller, FileJobs(make_unmasker)), studio, watch)
        return self._application.platformName()


def _application() -> QApplication:
    there = QApplication.instance()
    if isinstance(there, QApplication):  # there can be one only
        return there
    try:
        return make_application(["realtime-unmask"])
    except WindowError:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        return make_application(["realtime-unmask"])


@contextmanager
def _no_complaint() -> Iterator[None]:
    """All that Qt says is printed, but for one sentence."""

    def heard(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if text != _COMPLAINT:
            print(text, file=sys.stderr)

    before = qInstallMessageHandler(heard)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def _show(application: QApplication, window: Window, studio: _Studio, watch: Watch) -> None:
    """Open the window until the watch is over, or it is closed."""
    told: list[BaseException] = []  # an exception that leaves a slot would end the program
    before: object = None

    def drawn() -> None:
        nonlocal before
        live = studio.running.newest if studio.running is not None else None
        if live is not None and live is not before:
            before = live
            watch.saw(live)

    def look() -> None:
        try:
            if watch.over():
                window.close()
        except UnmaskError as error:
            told.append(error)
            window.close()

    def interrupt(*_: object) -> None:
        told.append(KeyboardInterrupt())
        window.close()

    window.viewport.drawn.connect(drawn)
    timer = QTimer(window)
    timer.timeout.connect(look)
    timer.start(_LOOK_MS)
    heard = signal.signal(signal.SIGINT, interrupt)
    try:
        window.show()
        window.controller.begin()
        application.exec()
    finally:
        signal.signal(signal.SIGINT, heard)
    window.deleteLater()
    if told:
        raise told[0]
