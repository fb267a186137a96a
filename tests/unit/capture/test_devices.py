"""What the kernel says about cameras, by a kernel that a test has written."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from realtime_unmask.capture import devices, devices_linux
from realtime_unmask.capture.devices import CameraFormat, best_format, identity_of, name_of
from realtime_unmask.errors import CameraError

CAPTURE, OUTPUT, PER_NODE = 0x1, 0x2, 0x80000000


@dataclass
class Fake:
    """One device node."""

    card: str
    bus: str
    abilities: int = CAPTURE
    formats: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    rates: tuple[int, ...] = (30,)
    ranges: bool = False


class Kernel:
    """Answers ioctl for the nodes in a folder of empty files, known by their names."""

    def __init__(self, folder: Path, **nodes: Fake) -> None:
        self.nodes = nodes
        for name in nodes:
            (folder / name).touch()

    def __call__(self, handle: int, request: int, buffer: bytearray) -> None:
        node = self.nodes[Path(f"/proc/self/fd/{handle}").readlink().name]
        if request == 0x80685600:
            struct.pack_into(
                "<16s32s32sIII", buffer, 0, b"uvcvideo", node.card.encode(), node.bus.encode(),
                0, node.abilities | 0x84A00001 | PER_NODE, node.abilities,
            )  # fmt: skip
            return
        numbers = struct.unpack_from("<4I", buffer)
        index, codes = numbers[0], list(node.formats)
        if request == 0xC0405602:
            self._check(index < len(codes))
            struct.pack_into("<I", buffer, 44, int.from_bytes(codes[index], "little"))
            return
        sizes = node.formats[numbers[1].to_bytes(4, "little")]
        if request == 0xC02C564A:
            self._check(index < len(sizes))
            if node.ranges:
                struct.pack_into("<7I", buffer, 8, 3, 16, 1300, 2, 16, 800, 2)
            else:
                struct.pack_into("<3I", buffer, 8, 1, *sizes[index])
        else:
            assert request == 0xC034564B
            self._check(index < len(node.rates) and numbers[2:] in sizes or node.ranges)
            self._check(index < len(node.rates))
            struct.pack_into("<3I", buffer, 16, 1, 1, node.rates[index])

    @staticmethod
    def _check(there: bool) -> None:
        if not there:
            raise OSError(errno.EINVAL, "Invalid argument")


WEBCAM = {b"MJPG": [(1280, 720), (1920, 1080)], b"YUYV": [(640, 480)]}


def test_a_camera_is_known_by_name_and_bus(tmp_path: Path) -> None:
    kernel = Kernel(
        tmp_path,
        video0=Fake("HD Webcam", "usb-0000:00:14.0-2", formats=WEBCAM, rates=(30, 15)),
        video1=Fake("HD Webcam", "usb-0000:00:14.0-2", abilities=0x00800000),  # its metadata
        video10=Fake("Desk", "usb-0000:00:14.0-3", formats={b"YUYV": [(640, 480)]}),
    )
    first, second = devices_linux.cameras(tmp_path, kernel)
    assert first.identity == "camera:HD Webcam@usb-0000:00:14.0-2"
    assert (first.name, Path(first.device).name) == ("HD Webcam", "video0")
    assert CameraFormat(1920, 1080, 15.0, "mjpeg") in first.formats
    assert len(first.formats) == 6
    assert Path(second.device).name == "video10"
    assert name_of(first.identity) == "HD Webcam"


def test_another_number_after_a_replug_is_the_same_camera(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    node = Fake("HD Webcam", "usb-1", formats=WEBCAM)
    (before,) = devices_linux.cameras(tmp_path / "a", Kernel(tmp_path / "a", video0=node))
    (after,) = devices_linux.cameras(tmp_path / "b", Kernel(tmp_path / "b", video7=node))
    assert before.identity == after.identity
    assert before.device != after.device


def test_two_eyes_of_one_camera_are_told_apart(tmp_path: Path) -> None:
    kernel = Kernel(
        tmp_path,
        video0=Fake("Integrated", "usb-1", formats=WEBCAM),
        video2=Fake("Integrated", "usb-1", formats={b"GREY": [(640, 360)]}),
    )
    first, second = devices_linux.cameras(tmp_path, kernel)
    assert first.identity != second.identity


def test_a_camera_with_ranges_offers_the_usual_sizes(tmp_path: Path) -> None:
    kernel = Kernel(
        tmp_path, video0=Fake("Any", "pci-1", formats={b"YUYV": [(0, 0)]}, ranges=True)
    )
    (camera,) = devices_linux.cameras(tmp_path, kernel)
    assert {(f.width, f.height) for f in camera.formats} == {(640, 480), (1280, 720)}


def test_virtual_cameras_are_those_that_take_pictures(tmp_path: Path) -> None:
    kernel = Kernel(
        tmp_path,
        video0=Fake("HD Webcam", "usb-1", formats=WEBCAM),
        video9=Fake("Loopback", "platform:v4l2loopback-009", abilities=OUTPUT),
    )
    (found,) = devices_linux.virtual_cameras(tmp_path, kernel)
    assert (found.name, Path(found.identity).name) == ("Loopback", "video9")


def test_cameras_that_may_not_be_used_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    kernel = Kernel(tmp_path, video0=Fake("HD Webcam", "usb-1", formats=WEBCAM))
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(CameraError, match="group 'video'") as caught:
        devices_linux.cameras(tmp_path, kernel)
    assert caught.value.kind == "camera_denied"


def test_no_other_camera_is_taken_for_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(tmp_path, video0=Fake("Other", "usb-2", formats=WEBCAM))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(
        devices_linux, "cameras", lambda cameras=devices_linux.cameras: cameras(tmp_path, kernel)
    )
    found = devices.find_camera(identity_of("Other", "usb-2"))
    assert found.name == "Other"
    for gone in (identity_of("Other", "usb-1"), identity_of("HD Webcam", "usb-2")):
        with pytest.raises(CameraError, match="not connected"):
            devices.find_camera(gone)


Offer = Callable[..., CameraFormat]


@pytest.mark.parametrize(
    ("size", "fps", "best"),
    [
        (None, None, CameraFormat(1280, 720, 30, "mjpeg")),
        ((640, 480), None, CameraFormat(640, 480, 30, "yuyv422")),
        ((1920, 1080), 60, CameraFormat(1920, 1080, 60, "mjpeg")),
        ((4000, 3000), None, CameraFormat(1920, 1080, 30, "mjpeg")),
    ],
)
def test_the_nearest_format_is_chosen(
    size: tuple[int, int] | None, fps: float | None, best: CameraFormat
) -> None:
    offered = (
        CameraFormat(640, 480, 30, "mjpeg"),
        CameraFormat(640, 480, 30, "yuyv422"),
        CameraFormat(1280, 720, 10, "yuyv422"),
        CameraFormat(1280, 720, 30, "mjpeg"),
        CameraFormat(1920, 1080, 30, "mjpeg"),
        CameraFormat(1920, 1080, 60, "mjpeg"),
    )
    assert best_format(offered, size, fps) == best
    assert best_format((), size, fps) is None
