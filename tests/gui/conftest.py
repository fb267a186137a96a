"""An offscreen Qt, a stand-in for cameras and pipeline, and an eye on what tests leave behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform.startswith("linux"):
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PyQt6.QtCore import QCoreApplication, QEvent, QTimer
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.app import Language, make_application
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio, FileUnmasker


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The one application of all tests, in English."""
    return make_application(["test"])


def _handles() -> set[str]:
    """What the process has open: files, pipes and sockets (not Qt's own counters and caches)."""
    folder = Path("/proc/self/fd")
    found = set()
    for link in folder.iterdir() if folder.is_dir() else ():
        try:
            target = os.readlink(link)
        except OSError:  # the handle of this very listing
            continue
        if not target.startswith(("anon_inode:", "/usr/share/")):
            found.add(f"{link.name} {target}")
    return found


@pytest.fixture(autouse=True)
def nothing_is_left_behind(qapp: QApplication) -> Iterator[None]:
    """A test that leaves a thread, a running timer, a window or an open file fails."""
    threads, handles = set(threading.enumerate()), _handles()
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    deadline = time.monotonic() + 2
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads were left: {left}"
    timers = [t for w in qapp.topLevelWidgets() for t in w.findChildren(QTimer) if t.isActive()]
    assert not timers, f"timers were left running: {[t.parent() for t in timers]}"
    shown = [w for w in qapp.topLevelWidgets() if w.isVisible()]
    assert not shown, f"windows were left open: {shown}"
    if _handles() - handles:
        gc.collect()  # some belong to objects that nobody holds any more
    more = _handles() - handles
    assert not more, f"handles were left open: {more}"


@pytest.fixture
def studio() -> FakeStudio:
    """Two cameras, one microphone, two virtual cameras, three backends."""
    return FakeStudio()


@pytest.fixture
def preferences_path(tmp_path: Path) -> Path:
    """Where this test's preferences are kept: never the user's."""
    return tmp_path / "settings" / "window.json"


@pytest.fixture
def open_window(
    qtbot: QtBot, studio: FakeStudio, preferences_path: Path
) -> Iterator[Callable[..., Window]]:
    """Opens a window on the stand-ins, and closes it at the end."""
    opened: list[Window] = []

    def open_one(first_source: str = "") -> Window:
        controller = Controller(studio, preferences_path, first_source)
        window = Window(controller, FileJobs(FileUnmasker))
        controller.setParent(window)
        window.jobs.setParent(window)
        opened.append(window)
        window.show()
        qtbot.waitExposed(window)
        controller.begin()
        return window

    yield open_one
    for window in opened:
        window.close()
        window.deleteLater()


@pytest.fixture
def window(open_window: Callable[..., Window], qtbot: QtBot) -> Window:
    """A window with a running camera."""
    opened = open_window()
    qtbot.waitUntil(lambda: opened.controller.state == "running")
    return opened


@pytest.fixture
def german(qapp: QApplication) -> Iterator[None]:
    """The window speaks German."""
    language = Language(qapp)
    language.choose("de")
    yield
    language.choose("en")
