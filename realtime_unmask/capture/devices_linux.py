"""Cameras and virtual cameras on Linux, asked of the kernel (Video4Linux 2)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from realtime_unmask.capture.devices import CameraFormat, CameraInfo, DeviceInfo, identity_of
from realtime_unmask.errors import CameraError

# ioctl numbers and layouts of linux/videodev2.h.
_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("<16s32s32sIII3I")
_ENUM_FMT, _FMTDESC = 0xC0405602, struct.Struct("<III32sII3I")
_ENUM_FRAMESIZES, _FRAMESIZE = 0xC02C564A, struct.Struct("<III6I2I")
_ENUM_FRAMEINTERVALS, _INTERVAL = 0xC034564B, struct.Struct("<IIIII6I2I")
_CAN_CAPTURE, _CAN_OUTPUT, _PER_NODE = 0x1, 0x2, 0x80000000
_DISCRETE = 1
# The kernel's four letters -> FFmpeg's names.
_FOURCC = {
    b"MJPG": "mjpeg", b"JPEG": "mjpeg", b"H264": "h264", b"YUYV": "yuyv422", b"UYVY": "uyvy422",
    b"NV12": "nv12", b"YU12": "yuv420p", b"RGB3": "rgb24", b"BGR3": "bgr24", b"GREY": "gray",
}  # fmt: skip
# Offered where a camera names ranges in place of sizes.
_USUAL = ((640, 480), (1280, 720), (1920, 1080))
_MOST = 64  # entries of a list: a broken driver may have no end

Ask = Callable[[int, int, bytearray], None]


@dataclass(frozen=True, slots=True)
class _Node:
    """One /dev/video*."""

    path: str
    name: str
    bus: str
    abilities: int


def ask_kernel(handle: int, request: int, buffer: bytearray) -> None:
    """ioctl; raises OSError."""
    fcntl.ioctl(handle, request, buffer, True)


def cameras(devices: Path = Path("/dev"), ask: Ask = ask_kernel) -> tuple[CameraInfo, ...]:
    """See capture.devices.cameras."""
    found, denied = [], []
    seen: dict[str, int] = {}
    for path in _paths(devices):
        try:
            handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            denied += [path] if error.errno == errno.EACCES else []
            continue
        try:
            node = _node(path, handle, ask)
            if node is None or not node.abilities & _CAN_CAPTURE:
                continue
            formats = tuple(_formats(handle, ask))
        except OSError:  # it vanished while it was asked
            continue
        finally:
            os.close(handle)
        if not formats and "loopback" not in node.bus:
            continue  # a node for metadata
        # A second eye of the same camera (infra-red, for example) is another camera.
        seen[node.bus] = seen.get(node.bus, 0) + 1
        bus = node.bus if seen[node.bus] == 1 else f"{node.bus}#{seen[node.bus]}"
        identity = identity_of(node.name, bus)
        found.append(CameraInfo(identity, node.name, node.path, "v4l2", formats))
    if denied and not found:
        raise CameraError(
            f"{denied[0]} may not be used. Add yourself to the group 'video' "
            "(sudo usermod -aG video $USER), then log in again.",
            "camera_denied",
        )
    return tuple(found)


def virtual_cameras(
    devices: Path = Path("/dev"), ask: Ask = ask_kernel
) -> tuple[DeviceInfo, ...]:
    """Devices that take pictures, and give them to other programs."""
    found = []
    for path in _paths(devices):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            try:
                node = _node(path, handle, ask)
            finally:
                os.close(handle)
            if node is not None and node.abilities & _CAN_OUTPUT:
                found.append(DeviceInfo(node.path, node.name))
    return tuple(found)


def _paths(devices: Path) -> list[str]:
    numbered = [p for p in devices.glob("video*") if p.name[5:].isdigit()]
    return [str(p) for p in sorted(numbered, key=lambda p: int(p.name[5:]))]


def _node(path: str, handle: int, ask: Ask) -> _Node | None:
    answer = bytearray(_CAPABILITY.size)
    try:
        ask(handle, _QUERYCAP, answer)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            return None  # no video device
        raise
    _, card, bus, _, abilities, of_node, *_ = _CAPABILITY.unpack(bytes(answer))
    return _Node(
        path, _text(card), _text(bus), of_node if abilities & _PER_NODE else abilities
    )


def _formats(handle: int, ask: Ask) -> Iterator[CameraFormat]:
    for described in _listed(handle, ask, _ENUM_FMT, _FMTDESC, (1,)):
        fourcc = described[4]
        name = _FOURCC.get(fourcc.to_bytes(4, "little"))
        if name is None:
            continue
        for width, height in _sizes(handle, ask, fourcc):
            rates = _rates(handle, ask, (fourcc, width, height)) or {30.0}
            for fps in sorted(rates, reverse=True):
                yield CameraFormat(width, height, fps, name)


def _sizes(handle: int, ask: Ask, fourcc: int) -> Iterator[tuple[int, int]]:
    for one in _listed(handle, ask, _ENUM_FRAMESIZES, _FRAMESIZE, (fourcc,)):
        if one[2] == _DISCRETE:
            yield one[3], one[4]
            continue
        narrowest, widest, _, lowest, highest, _ = one[3:9]
        for width, height in _USUAL:
            if narrowest <= width <= widest and lowest <= height <= highest:
                yield width, height
        return


def _rates(handle: int, ask: Ask, what: tuple[int, int, int]) -> set[float]:
    rates = set()
    for one in _listed(handle, ask, _ENUM_FRAMEINTERVALS, _INTERVAL, what):
        kind, top, bottom = one[4:7]
        if top:
            rates.add(round(bottom / top, 3))  # of a range, its shortest interval
        if kind != _DISCRETE:
            break
    return rates


def _listed(
    handle: int, ask: Ask, request: int, layout: struct.Struct, keys: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """The entries of one of the kernel's lists."""
    for index in range(_MOST):
        buffer = bytearray(layout.size)
        struct.pack_into(f"<{1 + len(keys)}I", buffer, 0, index, *keys)
        try:
            ask(handle, request, buffer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        yield layout.unpack(bytes(buffer))


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
