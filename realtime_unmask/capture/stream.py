"""Sources that go on until they are told to stop: cameras, streams, looping files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from realtime_unmask.errors import UsageError
from realtime_unmask.types import Frame


class LiveSource(Protocol):
    """Gives frames as they come. Belongs to one thread, but for interrupt().

    Made at once; what takes time (a camera that wakes up) happens inside read().

    Attributes:
        missed: frames that the source saw and never gave out, since it was made.
    """

    missed: int

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame; None if none came within `timeout_s`, or after interrupt().

        The frame's captured_ns is set; its index counts all frames of the source, also those
        that were missed.

        Raises:
            MediaError: the source cannot be opened, or is gone. A CameraError may pass by
                itself; for any other, opening it again would not help.
        """
        ...

    def interrupt(self) -> None:
        """Make a read() that waits return; from any thread."""
        ...

    def close(self) -> None:
        """Let go of the device; safe to call again."""
        ...


class SourceSpec(Protocol):
    """Says which source is meant; the same spec opens the same device again.

    Attributes:
        name: for people.
        opens_in_s: how long the first frame may take before the source counts as stalled.
    """

    @property
    def name(self) -> str: ...

    @property
    def opens_in_s(self) -> float: ...

    def open(self) -> LiveSource:
        """A fresh source."""
        ...


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A video, a photo, or a folder of photos, shown again and again.

    Attributes:
        path: the file or folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """For people."""
        return self.path.name

    @property
    def opens_in_s(self) -> float:
        """Large videos on slow disks take a while."""
        return 5.0

    def open(self) -> LiveSource:
        """A source that begins at the beginning."""
        from realtime_unmask.capture.loop import LoopingSource

        return LoopingSource(self.path)


@dataclass(frozen=True, slots=True)
class UrlSpec:
    """A video stream over http or rtsp.

    Attributes:
        url: its address.
    """

    url: str

    @property
    def name(self) -> str:
        """For people, without the password that an address may hold."""
        from realtime_unmask.capture.stream_url import without_password

        return without_password(self.url)

    @property
    def opens_in_s(self) -> float:
        """A server may be far away."""
        return 15.0

    def open(self) -> LiveSource:
        """Connects in a process of its own: a read over a dead network cannot be stopped."""
        from realtime_unmask.capture.camera_process import ProcessSource
        from realtime_unmask.capture.stream_url import read_url

        return ProcessSource(read_url, (self.url,))


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera, known by what it is and where it is plugged in; never by its number.

    Attributes:
        identity: see capture.devices.CameraInfo.
        size: (width, height), px, or None for what suits best.
        fps: frames a second, or None for what suits best.
    """

    identity: str
    size: tuple[int, int] | None = None
    fps: float | None = None

    @property
    def name(self) -> str:
        """For people."""
        from realtime_unmask.capture.devices import name_of

        return name_of(self.identity)

    @property
    def opens_in_s(self) -> float:
        """Some cameras take several seconds to wake up."""
        return 8.0

    def open(self) -> LiveSource:
        """Opens the camera in a process of its own: a driver that hangs can be killed."""
        from realtime_unmask.capture.camera import read_camera
        from realtime_unmask.capture.camera_process import ProcessSource

        return ProcessSource(read_camera, (self.identity, self.size, self.fps))


def spec_of(text: str) -> SourceSpec:
    """The source that `text` names: a camera's identity, an address, or a file or folder.

    Raises:
        UsageError: it begins like an address and is none.
    """
    if text.startswith(("http://", "https://", "rtsp://", "rtsps://")):
        try:
            urlsplit(text)
        except ValueError as error:
            raise UsageError(
                f"{text} is not an address ({error}). Check what was typed."
            ) from error
        return UrlSpec(text)
    if text.startswith("camera:"):
        return CameraSpec(text)
    return FileSpec(Path(text))
