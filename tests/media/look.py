"""Says what is in a video file, without any of the program's own code."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tests.media.make import CORNERS


@dataclass
class Look:
    """What was found; times in seconds."""

    pts: list[Fraction]
    images: list[NDArray[np.uint8]]
    packets: dict[int, list[bytes]] = field(default_factory=dict)  # of tracks beside the pictures
    packet_times: dict[int, list[Fraction]] = field(default_factory=dict)
    kinds: list[tuple[str, str]] = field(default_factory=list)  # type, language
    duration: float = 0.0
    rotated: bool = False
    codec: str = ""
    pix_fmt: str = ""
    sample_aspect: Fraction | None = None
    colour: tuple[int, int, int, int] = (2, 2, 2, 0)
    interlaced: bool = False
    key_times: list[Fraction] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    chapters: list[tuple[Fraction, Fraction, str]] = field(default_factory=list)
    rate: Fraction | None = None


def look(path: Path, images: bool = False) -> Look:
    """Decode all of `path`; with `images`, keep the pictures (RGB, by the stream's own tags)."""
    with av.open(f"file:{path}") as file:
        stream = file.streams.video[0]
        found = Look([], [])
        for frame in file.decode(stream):
            assert frame.pts is not None and frame.time_base is not None
            found.pts.append(frame.pts * frame.time_base)
            found.rotated |= any(data.type.name == "DISPLAYMATRIX" for data in frame.side_data)
            found.interlaced = frame.interlaced_frame
            found.colour = (
                frame.color_primaries,
                frame.color_trc,
                frame.colorspace,
                frame.color_range,
            )
            if images:
                found.images.append(frame.to_ndarray(format="rgb24"))
        found.codec, found.pix_fmt = stream.codec_context.name, stream.codec_context.pix_fmt or ""
        found.sample_aspect = stream.sample_aspect_ratio
        found.duration = (file.duration or 0) / av.time_base
        found.metadata = dict(file.metadata)
        found.rate = stream.average_rate
        found.chapters = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
            for c in file.chapters()
            if c["time_base"] is not None
        ]
    _look_at_packets(path, found)
    return found


def _look_at_packets(path: Path, found: Look) -> None:
    packets, times = defaultdict(list), defaultdict(list)
    with av.open(f"file:{path}") as file:
        found.kinds = [
            (s.type, s.language or "")
            for s in file.streams
            if not s.disposition & Disposition.attached_pic
        ]
        for packet in file.demux():
            if not packet.size or packet.pts is None:
                continue
            time = packet.pts * packet.time_base
            if packet.stream.type == "video":
                if packet.is_keyframe:
                    found.key_times.append(time)
            else:
                packets[packet.stream_index].append(bytes(packet))
                times[packet.stream_index].append(time)
    found.packets, found.packet_times = dict(packets), dict(times)


def corners(image: NDArray[np.uint8]) -> list[int]:
    """Which of make.CORNERS is nearest at top left, top right, bottom left, bottom right."""
    height, width = image.shape[:2]
    y, x = height // 10, width // 10
    seen = [image[y, x], image[y, -x], image[-y, x], image[-y, -x]]
    known = np.array(CORNERS, np.int64)
    return [int(np.abs(known - colour.astype(np.int64)).sum(1).argmin()) for colour in seen]


def playable(path: Path) -> list[Fraction]:
    """When the pictures are shown that come out before the end or the first fault, seconds."""
    times = []
    with suppress(av.FFmpegError), av.open(str(path)) as file:
        for frame in file.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            times.append(frame.pts * frame.time_base)
    return times
