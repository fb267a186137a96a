"""Which cameras, microphones and virtual cameras this machine has."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from realtime_unmask.errors import CameraError


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """One of the ways in which a camera gives pictures.

    Attributes:
        width, height: px.
        fps: frames a second.
        pixel_format: FFmpeg's name of the pixel format or codec.
    """

    width: int
    height: int
    fps: float
    pixel_format: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{self.fps:g}"


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera that is connected.

    Attributes:
        identity: "camera:NAME@BUS": what it is and where it is plugged in. The same after it was
            unplugged and plugged in again; never that of another camera.
        name: for people.
        device: what it is opened by just now.
        driver: FFmpeg's name of the system that it belongs to.
        formats: what it offers; empty where the system does not tell.
    """

    identity: str
    name: str
    device: str
    driver: str
    formats: tuple[CameraFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A microphone or a virtual camera.

    Attributes:
        identity: what it is opened by.
        name: for people.
    """

    identity: str
    name: str


def identity_of(name: str, bus: str) -> str:
    """See CameraInfo.identity."""
    return f"camera:{name}@{bus}"


def name_of(identity: str) -> str:
    """The camera's name, from its identity."""
    return identity.removeprefix("camera:").rpartition("@")[0] or identity


def cameras() -> tuple[CameraInfo, ...]:
    """The cameras that are connected, in the system's order.

    Raises:
        CameraError: there are some, but they may not be used.
    """
    if sys.platform.startswith("linux"):
        from realtime_unmask.capture import devices_linux

        return devices_linux.cameras()
    from realtime_unmask.capture import devices_other

    return devices_other.cameras()


def find_camera(identity: str) -> CameraInfo:
    """The camera with this identity.

    Raises:
        CameraError: it is not connected, or may not be used.
    """
    for camera in cameras():
        if camera.identity == identity:
            return camera
    raise CameraError(
        f"The camera “{name_of(identity)}” is not connected. Plug it in where it was before, "
        "or choose another one.",
        "no_camera",
    )


def microphones() -> tuple[DeviceInfo, ...]:
    """What sound can be recorded from; empty where there is no sound system."""
    from realtime_unmask.capture.audio import input_devices

    return input_devices()


def virtual_cameras() -> tuple[DeviceInfo, ...]:
    """Devices that other programs take for a camera; elsewhere than on Linux they are found when
    they are opened."""
    if sys.platform.startswith("linux"):
        from realtime_unmask.capture import devices_linux

        return devices_linux.virtual_cameras()
    return ()


def best_format(
    formats: tuple[CameraFormat, ...],
    size: tuple[int, int] | None,
    fps: float | None,
) -> CameraFormat | None:
    """The format that is nearest to what is wanted; None where nothing is known.

    Without wishes: 1280 x 720, 30 frames a second, and pictures that were not compressed.
    """
    width, height = size or (1280, 720)
    rate = fps or 30.0

    def distance(one: CameraFormat) -> tuple[float, ...]:
        return (
            abs(one.width - width) + abs(one.height - height),
            max(0.0, rate - one.fps),
            max(0.0, one.fps - rate),
            one.pixel_format in ("mjpeg", "h264"),
        )

    return min(formats, key=distance, default=None)
