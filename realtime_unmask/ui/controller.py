"""Between the window and the live session: what was asked for, what is in force, what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from realtime_unmask.settings import Settings
from realtime_unmask.ui import preferences as remembered
from realtime_unmask.ui import problems
from realtime_unmask.ui.background import Background
from realtime_unmask.ui.connected import Connected
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.outputs import Outputs, Switchboard, folder_of
from realtime_unmask.ui.own_face import OwnFace
from realtime_unmask.ui.sayings import Sayings
from realtime_unmask.ui.studio import DEMO, Problem, Running, Studio

# The states in which a source is on; "waiting": it gives no picture, and is tried again and again.
ON = frozenset({"opening", "waiting", "running"})
_DISPLAY_MS = 40  # how often a picture is looked for that nobody told of
_FIGURES_MS = 500
_SAVE_MS = 800
_FINISH_S = 30.0  # a recording may take so long to be finished when the window is closed
# What a running source takes over between two frames.
_LIVE = frozenset("mirror rotate faces lost strength feather_px colour_match badge backend".split())


class Controller(QObject):
    """Owns the live session, and makes one each time the camera is started.

    Args:
        studio: makes sessions, and lists what there is on this machine.
        path: where the preferences are kept; None for nowhere, which is said.
        first_source: the key of the source to begin with, in place of the remembered camera.
        backend: until another is chosen, in place of the remembered one; "" for that.

    Signals:
        state_changed(state): one of ON, "looking", "none", "ready", "stopping" or "problem".
        picture(Picture), figures(Figures), outputs_changed(Outputs),
        notices_changed(tuple of Said), preferences_changed(Preferences).
        started(): a source is on, though there may be no picture yet; outputs can be switched on.
        sources_changed(): sources(), source_key or resolutions() did.
    """

    state_changed = pyqtSignal(str)
    picture = pyqtSignal(object)
    figures = pyqtSignal(object)
    outputs_changed = pyqtSignal(object)
    notices_changed = pyqtSignal(object)
    preferences_changed = pyqtSignal(object)
    started = pyqtSignal()
    sources_changed = pyqtSignal()
    _came = pyqtSignal()

    def __init__(
        self,
        studio: Studio,
        path: Path | None,
        first_source: str = "",
        parent: QObject | None = None,
        *,
        backend: str = "",
    ) -> None:
        super().__init__(parent)
        self._studio, self._path = studio, path
        self.preferences = remembered.read(path)
        self._kept_backend = self.preferences.backend
        if backend:
            self.preferences = replace(self.preferences, backend=backend)
        self.state = "looking"
        self.source_key = first_source or self.preferences.camera
        self._given_source = first_source
        self._sized = self.preferences.camera  # the camera that the resolution is for
        self.running: Running | None = None
        self._last: Running | None = None  # the one that was started last; the work thread's
        self._wanted = True
        self._visible = False
        self.sayings = Sayings(self)
        self.sayings.changed.connect(self.notices_changed)
        self.connected = Connected(studio, self.sayings, self)
        self.connected.cameras_changed.connect(self.sources_changed)
        self.connected.looked.connect(self._looked_for_cameras)
        self._work = Background("window commands", self)
        self._saving = Background("window preferences", self)  # a disk may take long
        self.switches = Switchboard(self, self._work, self)
        self.switches.changed.connect(self.outputs_changed)
        kept = path.with_name("own-face.npz") if path is not None else None
        self.own_face = OwnFace(self, studio, kept, self._work, self)
        self.own_face.changed.connect(self._follow)
        self._display = self._timer(_DISPLAY_MS, self._look_for_picture)
        self._came.connect(self._look_for_picture)  # queued, since it is emitted by the worker
        self._watch = self._timer(_FIGURES_MS, self._look_at_figures)
        self._save = self._timer(_SAVE_MS, lambda: self._saving.run(self._written()))
        self._save.setSingleShot(True)

    def _timer(self, every_ms: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(every_ms)
        timer.timeout.connect(call)
        return timer

    def begin(self) -> None:
        """Look for cameras and devices; start the camera of last time, or the first one."""
        if self._path is None:
            text = self.tr("You have no home folder here: nothing is remembered for next time.")
            self.say(Said("preferences", text))
        if self._given_source:
            self.start()
        self.connected.look_for_cameras()
        self.connected.look_for_devices()

    def close(self, timeout_s: float) -> bool:
        """Stop everything and remember; False: something is stuck and is left behind."""
        for timer in (self._display, self._watch, self.sayings.fade, self._save):
            timer.stop()
        self._saving.run(self._written())
        self._saving.close(timeout_s / 4)
        running, self.running = self.running, None
        if running is not None:
            self.switches.end_all(running)
        if self.switches.finishing:
            timeout_s += _FINISH_S
        self._work.run(self._close_last)
        ended = [self.connected.close(timeout_s / 2), self._work.close(timeout_s)]
        return all(ended)

    # Start and stop

    @property
    def outputs(self) -> Outputs:
        """What leaves the window."""
        return self.switches.now

    def toggle(self) -> None:
        """Start the camera, or stop it."""
        if self.state in ON:
            self.stop()
        else:
            self.start()

    def start(self) -> None:
        """Start the chosen source; one that gives no picture is opened again."""
        self._wanted = True  # also what was stopped before it had started, or still stops
        if self.running is not None:
            self.running.choose(self.source_key, self.preferences)
            return
        if self.state in ON or self.state == "stopping":
            return
        if not self.source_key:
            self._set_state("looking")
            self.connected.look_for_cameras()
            return
        self.sayings.forget("session")
        self._set_state("opening")
        key, preferences = self.source_key, self.preferences

        def begin() -> tuple[Running, remembered.Preferences]:
            self._last = self._studio.start(key, preferences)
            return self._last, preferences

        self._work.run(begin, self._started, self._start_failed)

    def _close_last(self) -> None:
        # Also one that has started so late that the window was not told any more.
        if self._last is not None:
            self._last.close()

    def stop(self) -> None:
        """Stop the source, and all that leaves the window."""
        self._wanted = False
        self._let_go()

    def _let_go(self) -> None:
        self._display.stop()
        self._watch.stop()
        running, self.running = self.running, None
        if running is not None:
            self.switches.end_all(running)
        self.sayings.forget_passing()
        if running is None:
            if self.state not in ON:  # else it is let go as soon as it has started
                self._set_state("ready")
            return
        self._set_state("stopping")

        def stopped(stuck: tuple[Problem, ...]) -> None:
            for number, problem in enumerate(stuck):
                self.say(problems.said(f"stop {number}", problem))
            self._set_state("ready")
            if self._wanted:  # meanwhile
                self.start()

        self._work.run(running.close, stopped, self._start_failed)

    def _started(self, begun: tuple[Running, remembered.Preferences]) -> None:
        (running, used), now = begun, self.preferences
        self.running = running
        if not self._wanted:
            self._let_go()
            return
        if now != used:  # something was changed meanwhile
            running.update(now)
        if (running.key, used.resolution) != (self.source_key, now.resolution):
            running.choose(self.source_key, now)
        self._follow()
        running.set_visible(self._visible)
        running.tell(self._came.emit)
        self._watch.start()
        self._show_if_visible()
        self.started.emit()

    def _start_failed(self, error: Exception) -> None:
        self._set_state("problem")
        self.say(problems.said("session", error))

    def choose_source(self, key: str) -> None:
        """Show another source; a camera is remembered for the next time."""
        if key == self.source_key:
            if self.running is None:
                self.start()
            return
        if self.before_camera:
            self._sized = self.source_key
        self.source_key = key
        if self.before_camera and key != self._sized:
            self.change("resolution", "")  # of the other camera
        if any(camera.key == key for camera in self.connected.cameras):
            self.change("camera", key)
        self.sources_changed.emit()
        if self.running is not None:
            self.running.choose(key, self.preferences)
            self._follow()
        else:
            self.start()

    def _follow(self) -> None:
        """Let the paint follow the wearer's own face, in front of a camera only."""
        if self.running is not None:
            self.running.follow(self.own_face.now if self.before_camera else None)

    @property
    def before_camera(self) -> bool:
        """Whether the chosen source is a camera."""
        return not self._is_file(self.source_key)

    def show_demo(self) -> None:
        """Show the clip that ships with the program."""
        self.choose_source(DEMO)

    def pick(self, x: float, y: float) -> None:
        """The picture was clicked at (x, y) px: paint the face that is there."""
        if self.running is not None and self.preferences.faces == "chosen":
            self.running.pick(x, y)

    # What is in force

    def change(self, name: str, value: Any) -> None:
        """Another value for a field of the preferences, in force at once and remembered."""
        if getattr(self.preferences, name) == value:
            return
        self.preferences = replace(self.preferences, **{name: value})
        if name == "backend":
            self._kept_backend = value
        if self.running is not None and name in _LIVE:
            self.running.update(self.preferences)
        self.preferences_changed.emit(self.preferences)
        self._save.start()
        if name == "resolution" and self.running is not None:
            self.running.choose(self.source_key, self.preferences)

    def _written(self) -> Callable[[], object]:
        """What writes the preferences as they are now."""
        kept = replace(self.preferences, backend=self._kept_backend)
        return partial(remembered.write, self._path, kept)

    def set_visible(self, visible: bool) -> None:
        """Can the window be seen? Nobody paints pictures for nobody."""
        if visible == self._visible:
            return
        self._visible = visible
        if self.running is not None:
            self.running.set_visible(visible)
            self._show_if_visible()

    def _show_if_visible(self) -> None:
        if self._visible:
            self._display.start()
        else:
            self._display.stop()

    @property
    def folder(self) -> Path:
        """Where pictures and recordings go."""
        return folder_of(self.preferences)

    def file_settings(self) -> Settings:
        """How dropped files are to be unmasked."""
        return self._studio.settings(self.preferences)

    # What is there

    def _looked_for_cameras(self) -> None:
        if self.state not in ("looking", "none"):
            return
        keys = [camera.key for camera in self.connected.cameras]
        if self.source_key not in keys and keys and not self._is_file(self.source_key):
            self.source_key = keys[0]
            self.sources_changed.emit()
        if self.source_key not in keys:
            self._set_state("none")
            return
        self._set_state("ready")
        if self._wanted:
            self.start()

    def _is_file(self, key: str) -> bool:
        given = key == self._given_source != "" and not key.startswith("camera:")
        return key == DEMO or given

    def sources(self) -> list[tuple[str, str]]:
        """What can be chosen as source, as (text, key)."""
        options = [(camera.text, camera.key) for camera in self.connected.cameras]
        keys = [key for _, key in options]
        if self.source_key and self.source_key not in keys and not self._is_file(self.source_key):
            gone = self.tr("{name} (not connected)")
            options.append((gone.format(name=self._studio.text(self.source_key)), self.source_key))
            keys.append(self.source_key)
        if self._given_source and self._given_source not in (*keys, DEMO):
            options.append((self._studio.text(self._given_source), self._given_source))
        return [*options, (self.tr("Demo clip"), DEMO)]

    def resolutions(self) -> list[tuple[str, str]]:
        """The formats of the chosen camera, as (text, value)."""
        for camera in self.connected.cameras:
            if camera.key == self.source_key:
                return list(camera.formats)
        return []

    # What is shown

    def _look_for_picture(self) -> None:
        if self.running is None or not self._visible:
            return
        picture = self.running.picture()
        if picture is None:
            return
        if self.state != "running":
            self._set_state("running")
        self.picture.emit(picture)

    def _look_at_figures(self) -> None:
        running = self.running
        if running is None:
            return
        self.figures.emit(running.figures())
        self._take_problems(running.problems())
        self.switches.tick(running)

    def _take_problems(self, found: tuple[Problem, ...]) -> None:
        self.sayings.say_problems(found, self.switches.ended)
        if self.state == "opening" and any(problem.grave for problem in found):
            self._set_state("waiting")

    def say(self, said: Said) -> None:
        """Say something above the picture, until it is closed; good news fades by itself."""
        self.sayings.say(said)

    def close_notice(self, key: str) -> None:
        """A person has read that one."""
        self.sayings.forget(key)

    def _set_state(self, state: str) -> None:
        if state == self.state:
            return
        self.state = state
        if state == "none":
            self.connected.search.start()
        else:
            self.connected.search.stop()
        self.state_changed.emit(state)
