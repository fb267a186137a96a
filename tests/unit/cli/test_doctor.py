"""`doctor`: the whole list in every case, and an exit code that tells sound from broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime_unmask.capture.devices import CameraInfo
from realtime_unmask.errors import AssetError, CameraError
from realtime_unmask.types import Frame

from .conftest import FACE, MASK, Opened, Ran

Command = Callable[..., Ran]

DOCTOR = "realtime_unmask.cli.doctor"


class Clip:
    """Stands for VideoSource: one frame with a masked face."""

    def __init__(self, path: Path) -> None:
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[0, 0], pixels[4:, :] = FACE, MASK
        self.frame = Frame(pixels)

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        return iter([self.frame])


def backend(name: str, available: bool, reason: str) -> Any:
    return SimpleNamespace(name=name, available=available, reason=reason, version="1.2")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> SimpleNamespace:
    """A sound machine without cameras, to be changed by the tests."""
    here = SimpleNamespace(
        backends=[backend("openvino", True, "CPU, bf16"), backend("onnxruntime", True, "CPU")],
        checks=[("network, map", lambda: "ab" * 32)],
        cameras=(),
    )
    monkeypatch.setattr("realtime_unmask.inference.engine.probe_backends", lambda: here.backends)
    monkeypatch.setattr("realtime_unmask.capture.video.VideoSource", Clip)
    monkeypatch.setattr("realtime_unmask.resources.folder", Path)
    monkeypatch.setattr(f"{DOCTOR}._checks", lambda: here.checks)
    monkeypatch.setattr("realtime_unmask.capture.devices.cameras", lambda: here.cameras)
    return here


def test_sound_machine(command: Command) -> None:
    ran = command("doctor")
    assert (ran.code, ran.err) == (0, [])
    text = "\n".join(ran.out)
    for words in (
        "realtime-unmask 0.1.0",
        "Python 3.",
        "pillow",
        "works (1.2): CPU, bf16",
        "sha256 abababababab..., as shipped",
        "1 face, 1 mask",
        "All is well.",
    ):
        assert words in text


def test_backend_that_does_not_work_is_told_with_its_reason(
    command: Command, machine: SimpleNamespace
) -> None:
    machine.backends[1] = backend("onnxruntime", False, "The package is not installed.")
    ran = command("doctor")
    assert ran.code == 0
    assert any("does not work (1.2): The package is not installed." in line for line in ran.out)


def test_no_backend_at_all_is_a_fault(command: Command, machine: SimpleNamespace) -> None:
    machine.backends = [backend("openvino", False, "No such package.")]
    ran = command("doctor")
    assert ran.code == 1
    assert "missing or broken" in ran.err[0]


def test_altered_file_is_told_and_the_list_goes_on(
    command: Command, machine: SimpleNamespace
) -> None:
    def altered() -> str:
        raise AssetError("map.onnx is not the file that was shipped.")

    machine.checks.insert(0, ("network, editor", altered))
    ran = command("doctor")
    assert ran.code == 1
    text = "\n".join(ran.out)
    assert "map.onnx is not the file that was shipped." in text
    assert "network, map" in text
    assert "One frame of the demo clip" in text


def test_missing_package_is_a_fault(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{DOCTOR}.PACKAGES", ("numpy", "no-such-package-anywhere"))
    ran = command("doctor")
    assert ran.code == 1
    assert any("no-such-package-anywhere" in s and "not installed" in s for s in ran.out)
    assert any("pip install -c constraints.txt" in s for s in ran.out)


@pytest.mark.parametrize(
    ("place", "heading"),
    [
        ("realtime_unmask.inference.engine.probe_backends", "Backends"),
        (f"{DOCTOR}._checks", "Shipped files"),
        ("realtime_unmask.capture.devices.cameras", "Cameras"),
        (f"{DOCTOR}._timed", "One frame of the demo clip"),
    ],
)
def test_what_a_missing_package_leaves_undone_is_said_in_its_place(
    command: Command, monkeypatch: pytest.MonkeyPatch, place: str, heading: str
) -> None:
    def halted(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(place, halted)
    ran = command("doctor")
    assert ran.code == 1
    said = ran.out[ran.out.index(heading) + 1]
    assert "The package opencv-python is missing in this Python" in said
    assert "One frame of the demo clip" in ran.out


def test_cameras_are_named(command: Command, machine: SimpleNamespace) -> None:
    machine.cameras = tuple(
        CameraInfo(f"camera:{name}@usb-{n}", name, f"/dev/video{n}", "v4l2")
        for n, name in enumerate(["HD Webcam", "Other"])
    )
    out = command("doctor").out
    assert any("/dev/video0" in line and line.endswith("HD Webcam") for line in out)
    assert any("/dev/video1" in line and line.endswith("Other") for line in out)


def test_no_camera_is_no_fault(command: Command) -> None:
    ran = command("doctor")
    assert ran.code == 0
    assert any("work without one" in line for line in ran.out)


def test_cameras_that_may_not_be_used_are_no_fault_and_said(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied() -> tuple[CameraInfo, ...]:
        raise CameraError("/dev/video0 may not be used.", "camera_denied")

    monkeypatch.setattr("realtime_unmask.capture.devices.cameras", denied)
    ran = command("doctor")
    assert ran.code == 0
    assert any("may not be used" in line for line in ran.out)


def test_one_frame_is_timed_with_the_settings_given(command: Command, opened: Opened) -> None:
    command("doctor", "--backend", "onnxruntime", "--threads", "2")
    assert (opened.settings[0].backend, opened.settings[0].threads) == ("onnxruntime", 2)
    assert opened.unmaskers[0].calls == 6
    assert opened.unmaskers[0].closed
