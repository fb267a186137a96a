"""Looks at a video file: VideoInfo, from its header and its first picture."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.stream import VideoStream

from realtime_unmask.errors import MediaDamaged, MediaUnsupported
from realtime_unmask.media import (
    DECODER_FAULTS,
    Colour,
    Grading,
    Orientation,
    StreamInfo,
    VideoInfo,
    open_input,
    sample_aspect_of,
)

# Formats whose clock starts anywhere; in the others a late start is meant.
_FREE_CLOCKS = frozenset({"mpegts", "mpeg"})
_FIELD_ORDERS = {2: "top", 3: "bottom", 4: "bottom", 5: "top"}  # AV_FIELD_TT, BB, TB, BT
_FULL_RANGE = 2
# The tags that encoders take; a damaged file may hold any number.
_PRIMARIES, _TRANSFERS, _MATRICES = range(1, 13), range(1, 19), range(15)
_RGB_MATRIX = 0
# FFmpeg's AVMasteringDisplayMetadata: ten fractions, and whether colours and light are said.
_DISPLAY = struct.Struct("=20i2i")
# In which units HDR10 counts them.
_DISPLAY_UNITS = (50_000,) * 8 + (10_000,) * 2
# A tag that anybody can write: no other number may be read as one.
_MATROSKA_DURATION = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
# AVContentLightMetadata.
_LIGHT = struct.Struct("=2I")


def probe(path: Path) -> VideoInfo:
    """What is in the video file `path`.

    Raises:
        MediaMissing: there is no such file, or it may not be read.
        MediaUnsupported: it holds no video, or one of a kind that cannot be decoded.
        MediaDamaged: it is broken so that not even the first picture can be read.
    """
    with open_input(path) as container:
        stream = _video_stream(path, container)
        picture = _first_picture(path, container, stream)
        return _info(path, container, stream, picture)


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        if container.streams.video:
            raise MediaUnsupported(f"{path} holds a cover picture and no video. Give a video file.")
        raise MediaUnsupported(f"{path} holds no video track. Give a video file.")
    # Where a file has several, players take the one that is marked, else the largest.
    decodable = [s for s in videos if cast(object, s.codec_context) is not None]
    if not decodable:
        raise MediaUnsupported(
            f"The video in {path} is of a codec that this program does not know. "
            "Convert it to H.264 first."
        )
    return max(
        decodable,
        key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height),
    )


def _first_picture(path: Path, container: InputContainer, stream: VideoStream) -> av.VideoFrame:
    try:
        # With the empty packet at the end, which makes the decoder give what it holds.
        for packet in container.demux(stream):
            try:
                pictures = packet.decode()
            except av.InvalidDataError:
                continue
            for picture in pictures:
                return picture
    except av.error.LookupError as error:
        raise MediaUnsupported(
            f"The video in {path} is of a codec that this program does not know "
            f"({error.strerror}). Convert it to H.264 first."
        ) from error
    except av.error.NotImplementedError as error:
        raise MediaUnsupported(
            f"The video in {path} uses a feature of its codec ({stream.codec_context.name}) that "
            "cannot be decoded here. Convert it to H.264 first."
        ) from error
    except (*DECODER_FAULTS, IndexError):
        pass
    raise MediaDamaged(
        f"No picture in {path} can be read: it is damaged. Fetch it again from its source."
    )


def _info(
    path: Path, container: InputContainer, stream: VideoStream, picture: av.VideoFrame
) -> VideoInfo:
    codec = stream.codec_context
    orientation = _orientation(picture)
    width, height = picture.width, picture.height
    aspect = sample_aspect_of(stream)
    if orientation.transpose:
        width, height, aspect = height, width, 1 / aspect
    rate = _rate(stream)
    timed = picture.pts is not None or picture.dts is not None
    time_base = stream.time_base or Fraction(1, 90000)
    if not timed:
        time_base = Fraction(1, (rate or Fraction(25)).numerator * 1000)
    origin = _origin(container)
    duration, declares = _duration(container, stream, origin)
    depth = max(c.bits for c in picture.format.components)
    streams = tuple(
        StreamInfo(s.index, s.type, (getattr(s, "name", None) or "unknown"))
        for s in container.streams
    )
    return VideoInfo(
        path=path,
        container=container.format.name,
        codec=codec.name,
        stream_index=stream.index,
        width=width,
        height=height,
        sample_aspect=aspect,
        frame_rate=rate,
        time_base=time_base,
        origin=origin,
        until=None,
        cut=False,
        duration=duration,
        declares_video_end=declares,
        timed=timed,
        bit_depth=depth,
        chroma=_chroma(picture),
        colour=_colour(stream, picture),
        grading=_grading(picture),
        orientation=orientation,
        field_order=_field_order(stream, picture),
        streams=streams,
        metadata=dict(container.metadata),
    )


def _orientation(picture: av.VideoFrame) -> Orientation:
    for data in cast(Iterable[SideData], picture.side_data):
        if data.type.name == "DISPLAYMATRIX":
            return Orientation.from_matrix(bytes(data))
    return Orientation()


def _rate(stream: VideoStream) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate
    return rate if rate and 0 < rate <= 1000 else None


def _origin(container: InputContainer) -> Fraction:
    start = Fraction(container.start_time or 0, av.time_base)
    if start < 0 or container.format.name in _FREE_CLOCKS:
        return start
    return Fraction(0)


def _duration(
    container: InputContainer, stream: VideoStream, origin: Fraction
) -> tuple[Fraction | None, bool]:
    """(seconds from `origin` to the declared end, whether it is the pictures' own end)."""
    if stream.duration is not None and stream.time_base is not None:
        end = ((stream.start_time or 0) + stream.duration) * stream.time_base
        return end - origin, True
    said = _MATROSKA_DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if said is not None:
        return 3600 * int(said[1]) + 60 * int(said[2]) + Fraction(said[3]), True
    if container.duration is not None:
        return Fraction(container.duration, av.time_base), False
    return None, False


def _chroma(picture: av.VideoFrame) -> str:
    if picture.format.is_rgb or picture.format.has_palette or picture.colorspace == _RGB_MATRIX:
        return "rgb"
    half_width = picture.format.chroma_width(64) == 32
    half_height = picture.format.chroma_height(64) == 32
    return "420" if half_height else "422" if half_width else "444"


def _colour(stream: VideoStream, picture: av.VideoFrame) -> Colour:
    codec = stream.codec_context
    unspecified = Colour()

    def known(seen: int, declared: int, none: int, valid: range) -> int:
        value = seen if seen != none else declared
        return value if value in valid else none

    value_range = known(picture.color_range, codec.color_range, 0, range(3))
    if picture.format.name.startswith("yuvj"):
        value_range = _FULL_RANGE
    return Colour(
        known(picture.color_primaries, codec.color_primaries, unspecified.primaries, _PRIMARIES),
        known(picture.color_trc, codec.color_trc, unspecified.transfer, _TRANSFERS),
        known(picture.colorspace, codec.colorspace, unspecified.matrix, _MATRICES),
        value_range,
    )


def _grading(picture: av.VideoFrame) -> Grading:
    display: tuple[int, ...] = ()
    light: tuple[int, ...] = ()
    for data in cast(Iterable[SideData], picture.side_data):
        if data.type.name == "MASTERING_DISPLAY_METADATA" and len(bytes(data)) == _DISPLAY.size:
            *parts, has_colours, has_light = _DISPLAY.unpack(bytes(data))
            if has_colours and has_light and all(parts[1::2]):
                shares = map(Fraction, parts[::2], parts[1::2])
                display = tuple(
                    round(share * unit) for share, unit in zip(shares, _DISPLAY_UNITS, strict=True)
                )
        elif data.type.name == "CONTENT_LIGHT_LEVEL" and len(bytes(data)) >= _LIGHT.size:
            light = _LIGHT.unpack_from(bytes(data))
    # What a damaged file says beyond these, no encoder takes.
    limits = (2**16,) * 8 + (2**32,) * 2
    if not all(0 <= value < limit for value, limit in zip(display, limits, strict=False)):
        display = ()
    return Grading(display, light if all(value < 2**16 for value in light) else ())


def _field_order(stream: VideoStream, picture: av.VideoFrame) -> str:
    if not picture.interlaced_frame:
        return ""
    return _FIELD_ORDERS.get(stream.codec_context.field_order, "top")
