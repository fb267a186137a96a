"""What a video file is: the vocabulary that capture and sinks share, and how a file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from realtime_unmask.errors import MediaDamaged, MediaMissing, MediaUnsupported
from realtime_unmask.types import UInt8

# What PyAV raises on broken files: its own tree, and what its conversions let through.
DECODER_FAULTS = (av.FFmpegError, UnicodeDecodeError, ValueError, OverflowError)

# Bicubic, with full chroma and exact rounding: swscale's quick default is off by several levels.
SWS_FLAGS = int(
    av.video.reformatter.Interpolation.BICUBIC
    | av.video.reformatter.Interpolation.ACCURATE_RND
    | av.video.reformatter.Interpolation.FULL_CHR_H_INT
    | av.video.reformatter.Interpolation.FULL_CHR_H_INP
)

# Names of FFmpeg's demuxers. Playlists and the like stay out: they make it open other files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,avi,flv,asf,ogg,mxf,ivf,dv,"
    "h264,hevc,m4v,h263,obu,gif,nut,rm,y4m,yuv4mpegpipe,mp3,aac,flac,wav"
)
# A file that is read without any timestamps gets them from its frame rate, or from this one.
_FALLBACK_RATE = Fraction(25)

_UNSPECIFIED = 2  # in FFmpeg's enumerations of primaries, transfer and matrix
_FULL_RANGE, _LIMITED_RANGE = 2, 1
# FFmpeg's matrix numbers (AVCOL_SPC) -> those of swscale; others it cannot convert.
_SWS_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_SMPTE170M, _BT709 = 6, 1


@dataclass(frozen=True, slots=True)
class Colour:
    """How numbers in a file stand for colours, in FFmpeg's (= H.273's) numbers; 2 = not said.

    Attributes:
        primaries, transfer, matrix: AVCOL_PRI, AVCOL_TRC, AVCOL_SPC.
        range: 1 = limited (16..235), 2 = full, 0 = not said.
    """

    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    matrix: int = _UNSPECIFIED
    range: int = 0

    def working_matrix(self, height: int) -> int:
        """The matrix to convert with (AVCOL_SPC): the file's own, or the custom for its height."""
        if self.matrix in _SWS_MATRIX:
            return self.matrix
        return _BT709 if height >= 720 else _SMPTE170M

    def sws_matrix(self, height: int) -> int:
        """`working_matrix` in swscale's numbering."""
        return _SWS_MATRIX[self.working_matrix(height)]

    @property
    def working_range(self) -> int:
        """The range to convert with; video that says nothing is limited."""
        return _FULL_RANGE if self.range == _FULL_RANGE else _LIMITED_RANGE


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned for display: first transposed, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: bytes) -> Orientation:
        """From FFmpeg's display matrix, nine int32; angles between go to the nearest quarter."""
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
        # Row vectors: x' = a x + c y, y' = b x + d y.
        if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
            return cls(False, bool(a < 0), bool(d < 0))
        return cls(True, bool(c < 0), bool(b < 0))

    def apply(self, image: UInt8) -> UInt8:
        """`image` (h, w, c) as it is to be seen, contiguous; itself where nothing changes."""
        if not (self.transpose or self.flip_x or self.flip_y):
            return image
        turned = image.transpose(1, 0, 2) if self.transpose else image
        turned = turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(turned)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One track of a file.

    Attributes:
        index: its number in the file.
        kind: "video", "audio", "subtitle", "data" or "attachment".
        codec: FFmpeg's name; "unknown" where it has none.
    """

    index: int
    kind: str
    codec: str


@dataclass(frozen=True, slots=True)
class Grading:
    """For which screen an HDR10 picture was made, and how bright it gets.

    Attributes:
        display: SMPTE ST 2086: x and y of red, green, blue and white in 0.00002, then the least and
            the most light in 0.0001 cd/m2; () = not said.
        light: CTA-861.3: the brightest pixel and the brightest picture's mean, cd/m2; () = not
            said.
    """

    display: tuple[int, ...] = ()
    light: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.display or self.light)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known about a video before its frames are read.

    Attributes:
        path: the file.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the video codec.
        stream_index: which of `streams` the frames come from.
        width, height: displayed upright, px (before the sample aspect stretches them).
        sample_aspect: width of a pixel over its height, upright; 1 = square.
        frame_rate: nominal, frames a second; None for variable or unknown.
        time_base: seconds; every timestamp is a multiple of it.
        origin: seconds in the file's own clock that frames and tracks count as 0.
        until: seconds in the file's own clock where the wanted part ends; None = the end.
        cut: only a part of the file is wanted.
        duration: seconds of the wanted part, as the file declares; None if it does not.
        declares_video_end: the duration is that of the pictures, not just of the longest track.
        timed: the file has timestamps (a raw stream has none).
        bit_depth: bits a component.
        chroma: "420", "422", "444" or "rgb".
        colour, grading, orientation: see there.
        field_order: "" (progressive), "top" or "bottom" (first field).
        streams: all tracks.
        metadata: the container's.
    """

    path: Path
    container: str
    codec: str
    stream_index: int
    width: int
    height: int
    sample_aspect: Fraction
    frame_rate: Fraction | None
    time_base: Fraction
    origin: Fraction
    until: Fraction | None
    cut: bool
    duration: Fraction | None
    declares_video_end: bool
    timed: bool
    bit_depth: int
    chroma: str
    colour: Colour
    grading: Grading
    orientation: Orientation
    field_order: str
    streams: tuple[StreamInfo, ...]
    metadata: dict[str, str]

    @property
    def exact_index(self) -> bool:
        """The file lists every picture, so that a gap between two is meant."""
        return self.container.startswith("mov")

    @property
    def pixel_aspect(self) -> float:
        """As `pixel_aspect` says of the sample aspect."""
        return pixel_aspect(self.sample_aspect)

    @property
    def step(self) -> Fraction:
        """Seconds from one frame to the next where nothing better is known."""
        return 1 / (self.frame_rate or _FALLBACK_RATE)


def sample_aspect_of(stream: VideoStream) -> Fraction:
    """Width of a stored pixel over its height, by the file or stream, or by its codec; else 1."""
    said = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return said or Fraction(1)


def pixel_aspect(sample_aspect: Fraction) -> float:
    """A sample aspect, where it can be meant; else 1."""
    return float(sample_aspect) if 1 / 4 <= sample_aspect <= 4 else 1.0


def ffmpeg_name(path: Path) -> str:
    """`path` so that FFmpeg takes it for a file whatever its name looks like."""
    return f"file:{os.path.abspath(path)}"


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """The video file `path`, open for reading.

    Raises:
        MediaMissing: there is none, or it may not be read.
        MediaUnsupported: it is no video file.
        MediaDamaged: it is one, but its beginning is broken.
    """
    with cast(InputContainer, _open(path)) as container:
        yield container


def packets_of(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Any]]:
    """The packets of `streams` in the file's order, without the empty ones at the end.

    Raises:
        DECODER_FAULTS: the file cannot be read on.
    """
    try:
        for packet in container.demux(streams):
            if packet.size:
                yield packet
    except IndexError:
        return  # PyAV at the end of a file in which tracks appeared on the way


def whole_ticks(seconds: Fraction, tick: Fraction) -> int:
    """The tick that is nearest to `seconds`; of two equally near ones the later.

    So times that are a tick or more apart never become one, as they do where a half goes to the
    even number.
    """
    return floor(seconds / tick + Fraction(1, 2))


def leaps(pts: Fraction, last: Fraction | None, like: VideoInfo) -> bool:
    """Is `pts` so far from `last`, the time before it, that the file's clock must have changed?

    Back by half a second or more: another recording is glued on. Forward by a minute to a place
    after the declared end, or by an hour: the time itself is damaged.
    """
    if last is None:
        return False
    beyond = like.duration is not None and pts > like.duration + 60
    return last - pts >= Fraction(1, 2) or pts - last > (60 if beyond else 3600)


def unreadable(path: Path, error: OSError) -> MediaMissing:
    """The system does not even say what `path` is, or gives nothing of it."""
    return MediaMissing(
        f"{path} cannot be read ({reason(error)}). Check its name and its permissions."
    )


def _open(path: Path) -> object:
    try:
        _check_file(path)
    except OSError as error:  # its folder is closed, say, or its name too long
        raise unreadable(path, error) from error
    try:
        return av.open(
            ffmpeg_name(path),
            metadata_errors="replace",
            container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
        )
    except av.ArgumentError as error:  # what the white list answers
        raise MediaUnsupported(
            f"{path} is not a video that this program reads. "
            "Give an MP4, MOV, MKV, WebM, AVI, MPEG or similar file."
        ) from error
    except DECODER_FAULTS as error:
        raise MediaDamaged(
            f"{path} is not a video, or its beginning or its index is damaged or missing "
            f"({reason(error)}). Fetch it again from its source."
        ) from error


def _check_file(path: Path) -> None:
    """Is it a file that may be read, and not empty?"""
    if not path.exists():
        raise MediaMissing(f"There is no file {path}. Check the name.")
    if not path.is_file():
        raise MediaUnsupported(f"{path} is not a file. Give the name of a video file.")
    if not os.access(path, os.R_OK):
        raise MediaMissing(f"{path} may not be read. Check its permissions.")
    if path.stat().st_size == 0:
        raise MediaDamaged(f"{path} is empty. Fetch the video again from its source.")


def reason(error: BaseException) -> str:
    """The short cause inside a fault of PyAV or of the system."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
