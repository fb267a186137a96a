"""The program's side of Qt: may a window be opened here, in which language, and until when."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator
from PyQt6.QtWidgets import QApplication

from realtime_unmask.errors import WindowError
from realtime_unmask.missing import INSTALL_LIBRARIES

TRANSLATIONS = Path(__file__).parent / "translations"
_NAME = "realtime_unmask"
_ANSWER_S = 2.0


@contextmanager
def display(environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Make sure that a window can be opened; Qt itself would end the whole program if not.

    Raises:
        WindowError: it cannot.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    # Qt takes the first that works of a list, "NAME;NAME:option"; unasked it tries these two.
    platform = environment.get("QT_QPA_PLATFORM") or "wayland;xcb"
    names = {one.partition(":")[0].lower() for one in platform.split(";")}
    on_display = {name for name in names if name == "xcb" or name.startswith("wayland")}
    plugins = _plugins()
    if not plugins.isdisjoint(names - on_display):
        yield
        return
    if not on_display:
        raise WindowError(
            f"Qt has no plugin for windows called {platform}, which QT_QPA_PLATFORM asks for. "
            f"Unset that, or choose one of: {', '.join(sorted(plugins))}."
        )
    if on_display != {"xcb"} and _wayland_answers(environment):
        yield
        return
    if not environment.get("DISPLAY") or "xcb" not in on_display:
        wayland = environment.get("WAYLAND_DISPLAY")
        why = (
            f"the Wayland display {wayland} does not answer"
            if wayland
            else "neither DISPLAY nor WAYLAND_DISPLAY is set"
        )
        raise WindowError(
            f"There is no display for a window ({why}). "
            "Start it from a desktop; photos and videos work without one, see --help."
        )
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)
    try:
        ctypes.CDLL(f"{folder}/platforms/libqxcb.so")  # with all that it needs
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        raise WindowError(
            f"Qt lacks a library for windows ({error}). "
            f"On Debian and Ubuntu `{INSTALL_LIBRARIES}` installs all that are needed."
        ) from error
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    try:
        if xcb.xcb_connection_has_error(connection):
            raise WindowError(
                f"The display {environment['DISPLAY']} does not answer. "
                "Start it from a desktop, or correct DISPLAY."
            )
        yield
    finally:
        # Only now: some servers begin anew when nobody is connected, and Qt would meet that.
        xcb.xcb_disconnect(connection)


def _plugins() -> set[str]:
    """The names of those for windows that are installed with Qt."""
    folders = [Path(folder, "platforms") for folder in QCoreApplication.libraryPaths()]
    files = [file.name for folder in folders for file in folder.glob("libq*.so")]
    return {name.removeprefix("libq").removesuffix(".so") for name in files}


def _wayland_answers(environment: Mapping[str, str]) -> bool:
    """Is somebody there? The name outlives the desktop, in a terminal that is kept open, say."""
    name = environment.get("WAYLAND_DISPLAY", "")
    folder = environment.get("XDG_RUNTIME_DIR", "")
    if not name or not (name.startswith("/") or folder):
        return False
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(_ANSWER_S)
        try:
            asked.connect(os.path.join(folder, name))
        except OSError:
            return False
    return True


def make_application(arguments: list[str]) -> QApplication:
    """Qt's application; there can be one in a process.

    Raises:
        WindowError: no window can be opened here.
    """
    # OpenCV brings plugins of another Qt, and `import cv2` leads Qt to them.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    with display():
        application = QApplication(arguments)
    application.setApplicationName("realtime-unmask")
    application.setApplicationDisplayName("Realtime Unmask")
    application.setDesktopFileName("realtime-unmask")
    return application


class Language:
    """The translations that are installed now."""

    def __init__(self, application: QApplication) -> None:
        self._application = application
        self._installed: list[QTranslator] = []

    def choose(self, language: str) -> None:
        """Speak `language` ("en", "de"), or the "system"'s if it is known, else English."""
        for translator in self._installed:
            self._application.removeTranslator(translator)
        self._installed = []
        locale = QLocale.system() if language == "system" else QLocale(language)
        spoken = QLocale(QLocale.Language.English)
        qt = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        for name, folder in ((_NAME, str(TRANSLATIONS)), ("qtbase", qt)):
            translator = QTranslator(self._application)
            if locale.language() == QLocale.Language.English or not translator.load(
                locale, name, "_", folder
            ):
                break  # Qt's own words in another language than ours would be odd
            self._application.installTranslator(translator)
            self._installed.append(translator)
            spoken = locale
        QLocale.setDefault(spoken)
