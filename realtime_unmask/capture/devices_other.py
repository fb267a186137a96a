"""Cameras on Windows and macOS, by what FFmpeg lists. Never run so far: see docs/live.md."""

from __future__ import annotations

import sys

import av

from realtime_unmask.capture.devices import CameraInfo, identity_of
from realtime_unmask.errors import CameraError
from realtime_unmask.media import DECODER_FAULTS, reason

DRIVER = "dshow" if sys.platform == "win32" else "avfoundation"


def cameras() -> tuple[CameraInfo, ...]:
    """See capture.devices.cameras; these systems do not tell the formats this way."""
    try:
        listed = av.enumerate_input_devices(DRIVER)
    except DECODER_FAULTS as error:
        raise CameraError(
            f"The cameras cannot be listed ({reason(error)}). Allow this program the use of the "
            "camera in the system's privacy settings.",
            "camera_denied",
        ) from error
    found = []
    for one in listed:
        if "video" not in one.media_types:
            continue
        # Windows' own path names the port; macOS tells a unique number.
        device = f"video={one.name}" if DRIVER == "dshow" else one.description
        found.append(
            CameraInfo(identity_of(one.description, one.name), one.description, device, DRIVER)
        )
    return tuple(found)
