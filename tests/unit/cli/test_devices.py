"""`devices`: a list in every case."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from realtime_unmask.capture import devices
from realtime_unmask.capture.devices import CameraFormat, CameraInfo, DeviceInfo
from realtime_unmask.errors import CameraError

from .conftest import Ran

Command = Callable[..., Ran]


def test_what_there_is_is_listed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = CameraInfo(
        "camera:HD Webcam@usb-1", "HD Webcam", "/dev/video0", "v4l2",
        (CameraFormat(1280, 720, 30.0, "mjpeg"), CameraFormat(640, 480, 15.0, "yuyv422")),
    )  # fmt: skip
    monkeypatch.setattr(devices, "cameras", lambda: (camera,))
    monkeypatch.setattr(devices, "microphones", lambda: (DeviceInfo("Mic", "Built-in"),))
    monkeypatch.setattr(
        devices, "virtual_cameras", lambda: (DeviceInfo("/dev/video9", "Loopback"),)
    )
    ran = command("devices")
    assert ran.code == 0
    for words in ("camera:HD Webcam@usb-1", "mjpeg: 1280x720@30", "Built-in", "/dev/video9"):
        assert words in "\n".join(ran.out)


def test_nothing_is_said_as_well(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied() -> tuple[CameraInfo, ...]:
        raise CameraError("/dev/video0 may not be used.", "camera_denied")

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(devices, "cameras", denied)
    monkeypatch.setattr(devices, "microphones", lambda: ())
    monkeypatch.setattr(devices, "virtual_cameras", lambda: ())
    ran = command("devices")
    assert ran.code == 0
    assert "may not be used" in "\n".join(ran.out)
    assert "v4l2loopback" in "\n".join(ran.out)


@pytest.mark.parametrize("when", ["imported", "asked"])
def test_a_sound_system_that_does_not_start_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    class PortAudioError(Exception):
        """As of sounddevice: no OSError."""

    def refuse(*_: object) -> None:
        raise PortAudioError("Error initializing PortAudio")

    module = ModuleType("sounddevice")
    module.PortAudioError, module.query_devices = PortAudioError, refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    if when == "imported":
        monkeypatch.delitem(sys.modules, "sounddevice")
        monkeypatch.setattr("builtins.__import__", _refusing(__import__, refuse))
    assert devices.microphones() == ()


def _refusing(real: Callable[..., object], refuse: Callable[[], None]) -> Callable[..., object]:
    """`import sounddevice` calls `refuse`."""

    def importing(name: str, *rest: object) -> object:
        if name == "sounddevice":
            refuse()
        return real(name, *rest)

    return importing
