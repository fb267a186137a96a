"""Everything that can go wrong, as one tree.

    UnmaskError                  base of all; str(error) is a sentence for a person
    ├── UsageError               the request itself is wrong (exit code 2)
    ├── MediaError               an input cannot be used
    │   ├── MediaMissing         there is no such file, or it may not be read
    │   ├── MediaUnsupported     readable, but not something this program handles
    │   │   └── FaceUnsuitable   no bare face, or none that paint could follow
    │   ├── MediaDamaged         broken or cut short; what could be read was kept
    │   └── CameraError          a camera, microphone or stream is not there, or gives nothing
    ├── OutputError              a result cannot be written (disk full, no permission)
    │   ├── OutputUnfinished     what it was handed is not written yet; that goes on
    │   ├── VirtualCameraError   there is no virtual camera, or it is gone
    │   └── WebPageError         the web page cannot be offered, or does not work any more
    ├── EngineError              a network cannot be run
    │   ├── EngineUnavailable    its package, driver or device is not here
    │   │   └── EngineNotBuilt   it has to be built for the card first
    │   ├── EngineDamaged        its file is missing, altered or of another kind
    │   └── EngineLost           its device ran out of memory or is gone; the CPU can go on
    ├── WindowError              no window can be opened here
    └── AssetError               a file or package that the program needs is missing or altered

Each message says what happened, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from realtime_unmask import missing


class UnmaskError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(UnmaskError):
    """The request itself is wrong: nothing was started, nothing was written."""


class MediaError(UnmaskError):
    """An input cannot be used."""


class MediaMissing(MediaError):
    """There is no such file, or it may not be read."""


class MediaUnsupported(MediaError):
    """The file can be read, but is not something that this program handles."""


class FaceUnsuitable(MediaUnsupported):
    """The picture shows no bare face that the paint could follow.

    Attributes:
        kind: "no_face", "several_faces", "small_face", "masked_face", "cut_face" or "dark_face".
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class MediaDamaged(MediaError):
    """The file is broken or ends too soon.

    Attributes:
        position_s: where the damage was met, seconds from the start; None if unknown.
        frames_kept: how many frames were read before it.
    """

    def __init__(
        self, message: str, *, position_s: float | None = None, frames_kept: int = 0
    ) -> None:
        super().__init__(message)
        self.position_s = position_s
        self.frames_kept = frames_kept


class CameraError(MediaError):
    """A camera, microphone or stream is not there, or gives nothing.

    Attributes:
        kind: "no_camera", "camera_busy", "camera_denied", "camera_failed", "no_microphone",
            "no_stream" or "no_picture" (yet).
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class OutputError(UnmaskError):
    """A result cannot be written. What the system said, if it did, is the `__cause__`."""


class OutputUnfinished(OutputError):
    """An output has not written yet what it was handed; it goes on by itself."""

    kind = "output_unfinished"


class WebPageError(OutputError):
    """The web page cannot be offered, or does not work any more."""

    kind = "output_failed"


class VirtualCameraError(OutputError):
    """There is no virtual camera, or it is gone.

    Attributes:
        kind: "no_vcam_package", "no_virtual_camera", "virtual_camera_refused" (it is there, and
            cannot be used) or "virtual_camera_gone".
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class EngineError(UnmaskError):
    """A network cannot be run."""


class EngineUnavailable(EngineError):
    """The package, driver or device that the backend needs is not here."""


class EngineNotBuilt(EngineUnavailable):
    """It has to be built for this card first, which takes seconds to minutes."""


class EngineDamaged(EngineError):
    """The network's file is missing, altered, or of another kind than its manifest says."""


class EngineLost(EngineError):
    """The device ran out of memory or is gone: this engine is over, one on the CPU can go on."""


class WindowError(UnmaskError):
    """No window can be opened here: no display, or a library of Qt is missing."""


class AssetError(UnmaskError):
    """A file of the program, a package or a library of the system is missing or altered."""


@contextmanager
def refusing() -> Iterator[None]:
    """While it is checked what a person asked for: a path that cannot be used is their matter.

    Raises:
        UsageError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        what = error.filename if error.filename is not None else "The current folder"
        raise UsageError(
            f"{what} cannot be used ({error.strerror or error}). Check it and its permissions."
        ) from error


def own_fault(error: Exception) -> UnmaskError:
    """What is said of an exception that nobody foresaw, where the program goes on without it."""
    if lacking := missing.words(error):
        return AssetError(lacking)
    detail = f"{type(error).__name__}: {error}"
    return UnmaskError(f"A fault of this program ({detail}). Please report it.")
