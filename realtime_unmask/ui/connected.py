"""What is connected to this machine: cameras, microphones, virtual cameras."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from realtime_unmask.ui import problems
from realtime_unmask.ui.background import Background
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.sayings import Sayings
from realtime_unmask.ui.studio import Camera, Devices, Studio

_SEARCH_MS = 2000  # between two looks for a camera while there is none


class Connected(QObject):
    """Lists what there is, on a thread of its own.

    Args:
        studio: knows it.
        sayings: hear why it cannot be listed.

    Signals:
        looked(): cameras were looked for, in vain or not.
        cameras_changed(), devices_changed(): there are others than at the look before.

    Attributes:
        cameras, devices: those of the last look.
        search: looks for cameras again and again while it is on.
    """

    looked = pyqtSignal()
    cameras_changed = pyqtSignal()
    devices_changed = pyqtSignal()

    def __init__(self, studio: Studio, sayings: Sayings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._studio, self._sayings = studio, sayings
        self.cameras: tuple[Camera, ...] = ()
        self.devices = Devices()
        self._unlisted: Said | None = None  # why the cameras could not be listed
        self._thread = Background("window devices", self)
        self.search = QTimer(self)
        self.search.setInterval(_SEARCH_MS)
        self.search.timeout.connect(self.look_for_cameras)

    def look_for_cameras(self) -> None:
        """Ask again which cameras there are."""
        if not self._thread.busy:
            self._thread.run(self._studio.cameras, self._take_cameras, self._no_cameras)

    def look_for_devices(self) -> None:
        """Ask again what else there is."""
        self._thread.run(self._studio.devices, self._take_devices, self._no_devices)

    def close(self, timeout_s: float) -> bool:
        """End the thread; False: it is stuck."""
        self.search.stop()
        return self._thread.close(timeout_s)

    def _take_cameras(self, cameras: tuple[Camera, ...]) -> None:
        if self._unlisted is not None:
            self._sayings.forget(self._unlisted.key)
            self._unlisted = None
        if cameras != self.cameras:
            self.cameras = cameras
            self.cameras_changed.emit()
        self.looked.emit()

    def _no_cameras(self, error: Exception) -> None:
        said = problems.said("cameras", error)
        if said != self._unlisted:  # the same comes again at each look, also after it was closed
            self._unlisted = said
            self._sayings.say(said)
        self.looked.emit()

    def _take_devices(self, devices: Devices) -> None:
        self.devices = devices
        self.devices_changed.emit()

    def _no_devices(self, error: Exception) -> None:
        self._sayings.say(problems.said("devices", error))
