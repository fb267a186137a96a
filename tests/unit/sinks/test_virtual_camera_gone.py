"""The virtual camera: what is said when it is missing, refuses or vanishes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.errors import VirtualCameraError
from realtime_unmask.pipeline.live import LiveOptions, LiveSession
from realtime_unmask.sinks.virtual_camera import VirtualCamera
from tests.unit.pipeline.live_fakes import FakeUnmasker, wait_until
from tests.unit.sinks.virtual_camera_fakes import Clock, FakeDevice, grey, opened


def test_a_device_that_vanishes_is_noticed_though_writing_seems_to_work(
    fake: type[FakeDevice], clock: Clock, tmp_path: Path
) -> None:
    node = tmp_path / "video9"
    node.touch()
    fake.name = str(node)
    camera = opened(clock)
    camera.write(grey(1))
    clock.now += 1.0
    camera.write(grey(2))
    node.unlink()
    clock.now += 1.0
    with pytest.raises(VirtualCameraError, match=r"video9 is gone \(its device node") as caught:
        camera.tick("")
    assert caught.value.kind == "virtual_camera_gone"
    assert len(fake.sent) == 2 and fake.closed == 1
    camera.abort()
    assert fake.closed == 1


def test_another_device_of_the_same_name_is_not_taken_for_it(
    fake: type[FakeDevice], clock: Clock, tmp_path: Path
) -> None:
    node, other = tmp_path / "video9", tmp_path / "other"
    node.touch()
    other.touch()
    fake.name = str(node)
    camera = opened(clock)
    os.replace(other, node)
    clock.now += 1.0
    with pytest.raises(VirtualCameraError, match="is gone"):
        camera.write(grey(1))


def test_a_device_that_fails_is_said_to_be_gone(fake: type[FakeDevice], clock: Clock) -> None:
    camera = opened(clock)
    fake.fails = "OBS took it"
    with pytest.raises(VirtualCameraError, match=r"Fake is gone \(OBS took it\)") as caught:
        camera.write(grey(1))
    assert caught.value.kind == "virtual_camera_gone"
    assert fake.closed == 1


def test_a_live_session_feeds_it_while_the_camera_is_gone_and_tells_its_end(
    fake: type[FakeDevice], tmp_path: Path
) -> None:
    node = tmp_path / "video9"
    node.touch()
    fake.name = str(node)
    camera = ScriptedCamera((Step(frames=20, gone_s=1.0),), size=(320, 180), fps=50.0)
    with LiveSession(camera, FakeUnmasker, options=LiveOptions(badge=False)) as session:
        session.start()
        session.attach("virtual_camera", lambda first: VirtualCamera(first.width, first.height))
        # The pictures are as good as white until then.
        wait_until(lambda: bool(fake.sent) and fake.sent[-1].min() < 100, "the card")
        count = len(fake.sent)
        wait_until(lambda: len(fake.sent) > count + 5, "the card goes on")
        wait_until(lambda: camera.given > 25, "the camera is back")
        node.unlink()
        wait_until(lambda: session.stats().outputs == {}, "the end of that output")
        ended = [one for one in session.notices() if one.output == "virtual_camera"]
        assert [one.kind for one in ended] == ["virtual_camera_gone"]
        assert fake.closed == 1
        shown = session.stats().shown
        wait_until(lambda: session.stats().shown > shown + 5, "the session goes on")


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(
        VirtualCameraError, match=r"pip install 'realtime-unmask\[vcam\]'"
    ) as caught:
        VirtualCamera(64, 36)
    assert caught.value.kind == "no_vcam_package"


NO_DEVICE = (
    "No v4l2 loopback device found at /dev/video[0-99]. Did you run 'modprobe v4l2loopback'?"
)
BUSY = "Virtual camera device /dev/video9 could not be configured: Device or resource busy."


@pytest.mark.parametrize(
    ("system", "detail", "kind", "says"),
    [
        ("linux", NO_DEVICE, "no_virtual_camera", "sudo modprobe v4l2loopback"),
        ("linux", BUSY, "virtual_camera_refused", "resource busy. Close the program"),
        ("win32", "it is not installed", "no_virtual_camera", "OBS Studio brings one"),
        ("darwin", "it is not installed", "no_virtual_camera", "OBS Studio brings one"),
    ],
)
def test_a_refusal_says_what_to_do_next(
    fake: type[FakeDevice],
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    detail: str,
    kind: str,
    says: str,
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    fake.refuses = detail
    with pytest.raises(VirtualCameraError) as caught:
        VirtualCamera(64, 36)
    assert caught.value.kind == kind
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_chosen_device_that_is_not_there_is_named(tmp_path: Path, fake: type[FakeDevice]) -> None:
    fake.refuses = f"Device {tmp_path}/video9 does not exist."
    with pytest.raises(VirtualCameraError, match=f"no virtual camera “{tmp_path}/video9”") as one:
        VirtualCamera(64, 36, device=f"{tmp_path}/video9")
    assert one.value.kind == "no_virtual_camera"
    (tmp_path / "video9").touch()
    fake.refuses = f"Device {tmp_path}/video9 is not a video output device."
    with pytest.raises(VirtualCameraError, match="not a video output device. Close the") as other:
        VirtualCamera(64, 36, device=f"{tmp_path}/video9")
    assert other.value.kind == "virtual_camera_refused"


def test_the_real_package_without_a_device_is_understood() -> None:
    pytest.importorskip("pyvirtualcam", reason="needs the extra vcam")
    if not sys.platform.startswith("linux") or list(Path("/dev").glob("video*")):
        pytest.skip("needs a Linux without any video device")
    with pytest.raises(VirtualCameraError, match="no virtual camera on this computer") as caught:
        VirtualCamera(64, 36)
    assert caught.value.kind == "no_virtual_camera"
    with pytest.raises(VirtualCameraError, match="“/dev/video3”") as caught:
        VirtualCamera(64, 36, device="/dev/video3")
    assert caught.value.kind == "no_virtual_camera"
