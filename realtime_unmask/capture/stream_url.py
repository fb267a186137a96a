"""Video streams over http and rtsp, read in a process of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import av
import numpy as np

from realtime_unmask.capture.camera_process import Shot
from realtime_unmask.capture.packets import decodable
from realtime_unmask.errors import CameraError
from realtime_unmask.media import DECODER_FAULTS, pixel_aspect, reason, sample_aspect_of

# Seconds to connect, and to wait for data.
_TIMEOUT_S = (10.0, 5.0)


def without_password(url: str) -> str:
    """`url` without the name and password that it may hold."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def read_url(url: str) -> Iterator[Shot]:
    """The pictures of a stream as they come.

    Raises:
        CameraError: it cannot be reached, is no video, or has ended.
    """
    name = without_password(url)
    options = {"protocol_whitelist": "http,https,tcp,tls,udp,rtp,rtsp,rtsps,crypto"}
    if url.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        container = av.open(url, timeout=_TIMEOUT_S, container_options=options)
    except DECODER_FAULTS as error:
        raise CameraError(
            f"{name} cannot be reached or is no video ({reason(error)}). Check the address.",
            "no_stream",
        ) from error
    with container:
        if not container.streams.video:
            raise CameraError(f"{name} has no pictures.", "no_stream")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # frames in parallel would come late
        aspect = pixel_aspect(sample_aspect_of(stream))
        try:
            began: float | None = None
            for _, picture in decodable(container, stream):
                # A file on a server comes faster than it is to be shown; a live stream, which has
                # no length, is not held up.
                if container.duration is not None and picture.time is not None:
                    now = time.monotonic()
                    began = now - picture.time if began is None else began
                    time.sleep(max(0.0, began + picture.time - now))
                captured_ns = time.perf_counter_ns()
                image = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                yield Shot(captured_ns, image, aspect)
        except DECODER_FAULTS as error:
            raise CameraError(
                f"{name} gives no more pictures ({reason(error)}).", "no_stream"
            ) from error
    raise CameraError(f"{name} has ended.", "no_stream")
