"""What leaves the window: pictures, recordings, the virtual camera, the web page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from PyQt6.QtCore import QObject, QStandardPaths, pyqtSignal

from realtime_unmask.ui import problems
from realtime_unmask.ui.background import Background
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.studio import Running


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is on.

    Attributes:
        recording_s: for how long it has been recorded; None while nothing is.
        virtual_camera: whether it is on.
        page: the web page's address; "" while there is none.
    """

    recording_s: float | None = None
    virtual_camera: bool = False
    page: str = ""


def folder_of(preferences: Preferences) -> Path:
    """Where pictures and recordings go."""
    if preferences.folder:
        return Path(preferences.folder)
    videos = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
    if os.name == "posix" and not os.environ.get("HOME"):
        videos = ""  # Qt takes the root for the home then
    try:
        return Path(videos or Path.home()) / "Realtime Unmask"
    except RuntimeError:  # this user has no home
        return Path.cwd() / "Realtime Unmask"


class Host(Protocol):
    """What the outputs need of the controller."""

    preferences: Preferences

    @property
    def folder(self) -> Path: ...

    @property
    def running(self) -> Running | None: ...

    def say(self, said: Said) -> None: ...


class Switchboard(QObject):
    """Switches the outputs on and off; the work is done on the controller's thread.

    Signals:
        changed(Outputs): what is on.
    """

    changed = pyqtSignal(object)

    def __init__(self, host: Host, work: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host, self._work = host, work
        self._busy: set[str] = set()
        self._ending = 0
        self.now = Outputs()

    def end_all(self, running: Running) -> None:
        """The source is going to be stopped: a recording is finished before."""
        if self.now.recording_s is not None:
            self._ending += 1
            self._work.run(running.stop_recording, self._finished, self._failed_to_finish)
        self._set(Outputs())

    @property
    def finishing(self) -> bool:
        """Whether a recording of a source that is stopped is not finished yet."""
        return self._ending > 0

    def _finished(self, path: Path | None) -> None:
        self._ending -= 1
        self._recorded(path)

    def _recorded(self, path: Path | None) -> None:
        if path is not None:
            text = self.tr("The recording is complete: {path}").format(path=path)
            self._host.say(Said("record", text, buttons=(("show_folder", self.tr("Open folder")),)))

    def _failed_to_finish(self, error: Exception) -> None:
        self._ending -= 1
        self._host.say(problems.said("record", error))

    def ended(self, name: str) -> bool:
        """An output ended by itself: its disk is full, or its device is gone. Was it on?"""
        off: dict[str, dict[str, Any]] = {
            "record": {"recording_s": None},
            "virtual_camera": {"virtual_camera": False},
            "page": {"page": ""},
        }
        now = replace(self.now, **off.get(name, {}))
        if now == self.now:
            return False
        self._set(now)
        return True

    def tick(self, running: Running) -> None:
        """Half a second has gone by."""
        if self.now.recording_s is not None:
            self._set(replace(self.now, recording_s=running.recorded_s()))

    def snapshot(self) -> None:
        """Write the picture of now into the folder."""
        folder = self._host.folder

        def saved(path: Path) -> None:
            text = self.tr("Saved: {path}").format(path=path)
            button = ("show_folder", self.tr("Open folder"))
            self._host.say(Said("snapshot", text, buttons=(button,)))

        self._switch("snapshot", lambda running: running.snapshot(folder), saved)

    def toggle_recording(self) -> None:
        """Begin a recording, or end it."""
        folder, preferences = self._host.folder, self._host.preferences

        def ended(path: Path | None) -> None:
            self._set(replace(self.now, recording_s=None))
            self._recorded(path)

        if self.now.recording_s is not None:
            self._switch("record", lambda running: running.stop_recording(), ended)
        else:
            self._switch(
                "record",
                lambda running: running.record(folder, preferences),
                lambda _: self._set(replace(self.now, recording_s=0.0)),
            )

    def toggle_virtual_camera(self) -> None:
        """Switch the virtual camera on or off."""
        preferences, on = self._host.preferences, not self.now.virtual_camera

        def switched(name: str) -> None:
            self._set(replace(self.now, virtual_camera=on))
            if on and name:
                text = self.tr("In the call, choose the camera “{name}”.").format(name=name)
                self._host.say(Said("virtual_camera", text))

        self._switch(
            "virtual_camera",
            lambda running: running.virtual_camera(preferences if on else None),
            switched,
        )

    def toggle_page(self) -> None:
        """Switch the web page on or off."""
        on = not self.now.page

        def switched(address: str) -> None:
            self._set(replace(self.now, page=address))
            if on:
                text = self.tr("Programs on this computer can read the picture from {address}")
                self._host.say(Said("page", text.format(address=address)))

        self._switch("page", lambda running: running.page(on), switched)

    def _switch(
        self, name: str, work: Callable[[Running], Any], done: Callable[[Any], None]
    ) -> None:
        running = self._host.running
        if running is None:
            self._host.say(Said("start_first", self.tr("Start the camera first.")))
            return
        if name in self._busy:  # a key pressed twice must not switch on what was just switched off
            return
        self._busy.add(name)

        def finished(value: Any) -> None:
            self._busy.discard(name)
            if self._host.running is running:
                done(value)

        def failed(error: Exception) -> None:
            self._busy.discard(name)
            self._host.say(problems.said(name, error))
            if self._host.running is running:
                self.ended(name)  # what could not be switched off well is over all the same
            self.changed.emit(self.now)

        self._work.run(lambda: work(running), finished, failed)

    def _set(self, now: Outputs) -> None:
        self.now = now
        self.changed.emit(now)
