"""Reads a camera with FFmpeg; runs in a process of its own (see camera_process.py)."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping

import av
import numpy as np

from realtime_unmask.capture.camera_process import Shot
from realtime_unmask.capture.devices import CameraInfo, best_format, find_camera
from realtime_unmask.capture.packets import decodable
from realtime_unmask.errors import CameraError
from realtime_unmask.media import DECODER_FAULTS, reason


def read_camera(identity: str, size: tuple[int, int] | None, fps: float | None) -> Iterator[Shot]:
    """The pictures of a camera as they come.

    Args:
        identity: see CameraInfo.
        size, fps: what is wanted; the nearest that the camera offers is taken.

    Raises:
        CameraError: it is not connected, busy, may not be used, or was unplugged.
    """
    camera = find_camera(identity)
    options = {}
    chosen = best_format(camera.formats, size, fps)
    if chosen is not None:
        options = {
            "video_size": f"{chosen.width}x{chosen.height}",
            "framerate": f"{chosen.fps:g}",
            "input_format": chosen.pixel_format,
        }
    yield from read_device(camera, options)


def read_device(camera: CameraInfo, options: Mapping[str, str]) -> Iterator[Shot]:
    """The pictures of camera.device, opened with FFmpeg's `options`.

    Raises:
        CameraError: as read_camera.
    """
    try:
        container = av.open(camera.device, format=camera.driver, container_options=dict(options))
    except DECODER_FAULTS as error:
        raise _cannot_open(camera, error) from error
    with container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # frames in parallel would come late
        try:
            for captured_ns, picture in decodable(container, stream):
                image = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                yield Shot(captured_ns, image)
        except DECODER_FAULTS as error:
            raise CameraError(
                f"The camera “{camera.name}” gives no more pictures ({reason(error)}): "
                "it was unplugged, or another program took it.",
                "no_camera",
            ) from error
    raise CameraError(f"The camera “{camera.name}” has ended.", "no_camera")


def _cannot_open(camera: CameraInfo, error: Exception) -> CameraError:
    number = getattr(error, "errno", None)
    if number == errno.EBUSY:
        return CameraError(
            f"The camera “{camera.name}” is in use by another program. Close that, or choose "
            "another camera.",
            "camera_busy",
        )
    if number in (errno.EACCES, errno.EPERM):
        return CameraError(
            f"The camera “{camera.name}” may not be used. Check its permissions.",
            "camera_denied",
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return CameraError(f"The camera “{camera.name}” is not connected.", "no_camera")
    return CameraError(
        f"The camera “{camera.name}” cannot be opened ({reason(error)}). "
        "Plug it in again, or choose another one.",
        "camera_failed",
    )
