"""The picture as a camera that other programs can choose (package pyvirtualcam, an extra)."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime_unmask.errors import VirtualCameraError
from realtime_unmask.missing import install_extra
from realtime_unmask.sinks.card import waiting_card
from realtime_unmask.sinks.fit import even, fitted
from realtime_unmask.types import Frame, UInt8

FPS = 30.0
# How often it is looked whether the device is still there.
_LOOK_S = 0.5
_LABELS = Path("/sys/class/video4linux")


class VirtualCamera:
    """Sends frames to a virtual camera at its own pace; a Sink and a PacedSink.

    Frames that come faster than that replace each other, the last one is repeated when none
    comes, and a card takes its place while the camera is gone. Frames of another size than the
    first are fitted into it, since programs that watch a camera do not follow a change.

    Args:
        width, height: of the first frame, px; the device gets the next smaller even numbers.
        device: "/dev/video9" or the name of a camera; "" takes the first free one.
        fps: pictures a second, above 0.
        clock: seconds.

    Attributes:
        width, height: of the device's pictures, px.
        device: what it is opened by.
        name: what the programs that watch it call it.

    Raises:
        VirtualCameraError: the package is missing, there is no device, or it cannot be used.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        device: str = "",
        fps: float = FPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The formats that cameras use halve the colours' resolution: no odd sizes.
        self.width, self.height = even(width, height)
        self._step_s, self._clock = 1 / fps, clock
        self._camera: Any = _open(self.width, self.height, fps, device)
        self.device: str = self._camera.device
        self.name = _name(self.device)
        self._node = _node(self.device)
        self._looked = self._due = clock()
        self._picture: UInt8 | None = None
        self._card: UInt8 | None = None
        self._fresh = False  # the picture has not been sent yet

    @property
    def interval_s(self) -> float:
        """Seconds until write() or tick() has to be called again, 0 or more."""
        return max(0.0, self._send_from() - self._clock())

    def write(self, frame: Frame) -> None:
        """See Sink; of any size.

        Raises:
            VirtualCameraError: the device is gone; the sink has ended.
        """
        self._picture = fitted(frame.image, self.width, self.height)
        self._card, self._fresh = None, True
        self._send()

    def tick(self, trouble: str) -> None:
        """See PacedSink. What `trouble` says stays in this program.

        Raises:
            VirtualCameraError: the device is gone; the sink has ended.
        """
        # Once shown, the card stays until the next frame.
        if trouble and self._card is None and self._picture is not None:
            self._card = waiting_card(self._picture)
        self._send()

    def close(self) -> None:
        """Let go of the device; safe to call again."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def abort(self) -> None:
        """The same as close()."""
        self.close()

    def _send_from(self) -> float:
        # Cameras are not punctual. A new picture may go half a step early, and the old one is
        # repeated half a step late: at equal rates, each picture is then sent at once, and once.
        return self._due + (-0.5 if self._fresh else 0.5) * self._step_s

    def _send(self) -> None:
        now = self._clock()
        picture = self._card if self._card is not None else self._picture
        if self._camera is None or picture is None or now < self._send_from():
            return
        # Its Linux part hides that a picture could not be written.
        if now - self._looked >= _LOOK_S:
            self._looked = now
            if _node(self.device) != self._node:
                raise self._gone("its device node has vanished")
        try:
            self._camera.send(picture)
        except (RuntimeError, OSError) as error:
            raise self._gone(str(error)) from error
        self._fresh = False
        # One that was sent early is made up for; time that went by is not.
        self._due = max(self._due, now - 0.5 * self._step_s) + self._step_s

    def _gone(self, why: str) -> VirtualCameraError:
        self.close()
        return VirtualCameraError(
            f"The virtual camera {self.name} is gone ({why}). Switch it on when it is back.",
            "virtual_camera_gone",
        )


def _open(width: int, height: int, fps: float, device: str) -> Any:
    try:
        import pyvirtualcam
    except ImportError as error:
        raise VirtualCameraError(
            "The package for virtual cameras is not installed "
            f"({install_extra('vcam')}).",
            "no_vcam_package",
        ) from error
    try:
        return pyvirtualcam.Camera(width, height, fps, device=device or None)
    except RuntimeError as error:
        raise _refused(str(error).replace("\n", "; "), device) from error


def _refused(detail: str, device: str) -> VirtualCameraError:
    """Why a virtual camera could not be opened; `detail` is pyvirtualcam's message."""
    if os.path.exists(device) or (
        not device and re.search(r"/dev/video\d", detail)  # it found one, and names it
    ):
        return VirtualCameraError(
            f"The virtual camera cannot be used: {detail.rstrip('.')}. Close the program that "
            "sends to it, or choose another virtual camera.",
            "virtual_camera_refused",
        )
    what = f"no virtual camera “{device}”" if device else "no virtual camera"
    if sys.platform.startswith("linux"):
        text = (
            f"There is {what} on this computer "
            "(sudo modprobe v4l2loopback devices=1 exclusive_caps=1)."
        )
    else:
        text = f"There is {what} on this computer: OBS Studio brings one ({detail})."
    return VirtualCameraError(text, "no_virtual_camera")


def _name(device: str) -> str:
    """Linux opens by path and shows a label; elsewhere they are the same."""
    try:
        return (_LABELS / Path(device).name / "name").read_text("utf-8").strip() or device
    except (OSError, ValueError):
        return device


def _node(device: str) -> tuple[int, int, int] | None:
    """What tells this device node from a later one of the same name; None for no path, or gone."""
    if not os.path.isabs(device):
        return None
    try:
        found = os.stat(device)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_rdev
