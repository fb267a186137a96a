"""The window as a program: from its opening to its end."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from PyQt6.QtCore import QTimer

from realtime_unmask.settings import Settings
from realtime_unmask.ui import preferences
from realtime_unmask.ui.app import Language, make_application
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.live_studio import LiveStudio
from realtime_unmask.ui.window import Window

if TYPE_CHECKING:
    from realtime_unmask.unmask.unmasker import Unmasker

_HEAR_MS = 250  # Ctrl-C in the terminal is heard within so long


def make_unmasker(settings: Settings) -> Unmasker:
    """Unmasker.default; its imports take a second or two, so they wait for the worker's thread."""
    from realtime_unmask.unmask.unmasker import Unmasker

    return Unmasker.default(settings)


def run_window(source: str = "", backend: str = "", *, serve: bool = False) -> int:
    """Show the window until it is closed.

    Args:
        source: what to show instead of the camera of last time: a camera's identity, a file, a
            folder or an address; "" for none.
        backend: as in Settings, for this time; "" takes the one that was chosen in the window.
        serve: begin with the web page on.

    Returns:
        The exit code.

    Raises:
        WindowError: no window can be opened here.
    """
    application = make_application(sys.argv[:1])
    controller = Controller(LiveStudio(), preferences.default_path(), source, backend=backend)
    language = Language(application)
    language.choose(controller.preferences.language)
    window = Window(controller, FileJobs(make_unmasker))
    spoken = controller.preferences.language

    def speak(now: preferences.Preferences) -> None:
        nonlocal spoken
        if now.language != spoken:
            spoken = now.language
            language.choose(spoken)

    controller.preferences_changed.connect(speak)
    if serve:
        _serve_when_started(controller)
    # Python sees a signal between two lines of its own: the timer sees to those.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(_HEAR_MS)
    window.show()
    controller.begin()
    return application.exec()


def _serve_when_started(controller: Controller) -> None:
    """Switch the web page on with the first source.

    Not with its first picture: none is looked for while the window is minimised, and without an
    output the camera would soon be released.
    """

    def serve() -> None:
        controller.started.disconnect(serve)
        controller.switches.toggle_page()

    controller.started.connect(serve)
