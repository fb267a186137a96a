"""The wearer's own bare face, which the paint follows: enrolled once, remembered in one file."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol
from zipfile import BadZipFile

import numpy as np
from PyQt6.QtCore import QObject, pyqtSignal

from realtime_unmask.errors import OutputError
from realtime_unmask.types import Likeness, UInt8
from realtime_unmask.ui import problems
from realtime_unmask.ui.background import Background
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.studio import Running, Studio

# Which arrays the file holds, with their forms and types.
_ARRAYS = {
    "crop": ((256, 256, 3), np.uint8),
    "landmarks": ((478, 3), np.float32),
    "known": ((256, 256), np.uint8),
}


class Host(Protocol):
    """What is needed of the controller."""

    @property
    def running(self) -> Running | None: ...

    @property
    def before_camera(self) -> bool:
        """Whether the chosen source is a camera, and no file that shows others."""
        ...

    def say(self, said: Said) -> None: ...


class OwnFace(QObject):
    """Knows the wearer's bare face, or none; the work is done on the controller's thread.

    Args:
        path: where it is remembered; None for nowhere.

    Signals:
        changed(): `now` did.

    Attributes:
        now: the face; None while none is known.
    """

    changed = pyqtSignal()

    def __init__(
        self,
        host: Host,
        studio: Studio,
        path: Path | None,
        work: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._host, self._studio, self._path, self._work = host, studio, path, work
        self.now = read(path)

    @property
    def kept(self) -> bool:
        """Whether there is something to forget, if only a file that makes no sense."""
        return self.now is not None or (self._path is not None and os.path.lexists(self._path))

    def from_camera(self) -> None:
        """Take the face in the picture of now."""
        running = self._host.running
        if running is None or not self._host.before_camera:
            self._host.say(Said("own_face", self.tr("Start the camera first.")))
            return
        self._enrol(running.frame)

    def from_photo(self, path: Path) -> None:
        """Take the face in a photo."""
        self._enrol(lambda: path)

    def forget(self) -> None:
        """Know none any more."""
        # After what is under way: else a face that is being enrolled would come back.
        self._work.run(self._delete, lambda _: self._set(None), self._failed)

    def _delete(self) -> None:
        if self._path is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be deleted ({error.strerror}). Delete it yourself."
            ) from error

    def _failed(self, error: Exception) -> None:
        self._host.say(problems.said("own_face", error))

    def _enrol(self, find: Callable[[], Path | UInt8]) -> None:
        self._host.say(Said("own_face", self.tr("Looking at your face…")))

        def work() -> Likeness:
            found = self._studio.enrol(find())
            if self._path is not None:
                write(self._path, found)
            return found

        def done(found: Likeness) -> None:
            self._set(found)
            text = self.tr("From now on the paint follows your face. It is kept on this computer.")
            if self._path is None:
                text = self.tr("The paint follows your face until the window is closed.")
            if found.blurred:
                text += " " + self.tr(
                    "The picture of it is blurred, and so the paint will be soft: take a sharper "
                    "one if you can."
                )
            self._host.say(Said("own_face", text))

        self._work.run(work, done, self._failed)

    def _set(self, now: Likeness | None) -> None:
        self.now = now
        self.changed.emit()


def read(path: Path | None) -> Likeness | None:
    """What `write` wrote; None where there is nothing, or nothing that makes sense."""
    if path is None:
        return None
    try:
        if not path.is_file():  # a pipe, for example, would never end
            return None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, TypeError,
            RuntimeError, MemoryError):  # fmt: skip
        return None  # RuntimeError: also what is encrypted, or compressed in an unknown way
    if any((found[n].shape, found[n].dtype) != form for n, form in _ARRAYS.items()):
        return None
    if not np.isfinite(found["landmarks"]).all():
        return None
    return Likeness(**found)


def write(path: Path, face: Likeness) -> None:
    """Remember a face, for this user's eyes only.

    Raises:
        OutputError: it cannot be written.
    """
    from realtime_unmask.sinks.images import write_whole

    def put(file: BinaryIO) -> None:
        if os.name == "posix":
            os.fchmod(file.fileno(), 0o600)
        np.savez_compressed(file, **{name: getattr(face, name) for name in _ARRAYS})

    write_whole(path, put)
