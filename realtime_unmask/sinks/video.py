"""A video file out: playable at every moment of its making, and whole when it has its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realtime_unmask.errors import OutputError
from realtime_unmask.media import DECODER_FAULTS, SWS_FLAGS, VideoInfo, reason, whole_ticks
from realtime_unmask.sinks.container import (
    NOTICE,
    TrackLength,
    metadata_of,
    muxer,
    muxer_options,
    yuv_colour,
)
from realtime_unmask.sinks.encoding import (
    ENCODERS,
    Encoding,
    bits_written,
    encoder_options,
    reductions,
)
from realtime_unmask.sinks.partial import (
    OutputFile,
    check_target,
    partial_of,
    sync_folder,
    written_as,
)
from realtime_unmask.sinks.readback import count_packets, count_pictures
from realtime_unmask.sinks.tracks import MakeTracks, TrackCopier, Tracks
from realtime_unmask.types import Frame

_INTRA = 1  # AV_PICTURE_TYPE_I
__all__ = ["NOTICE", "VideoSink"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A picture that is to be encoded; `begins` in ticks."""

    picture: av.VideoFrame
    begins: int


class VideoSink:
    """Writes frames to a video file; see `sinks.sink.Sink`.

    The frames go to NAME.partial.EXT in fragments that begin with a key frame, at least one a
    second, so that a killed program or a full disk leaves a file that plays up to there. close()
    reopens the file, counts its frames, and only then gives it its name.

    Kept from `like`: timestamps (exactly in MP4 and MOV; Matroska counts milliseconds), sample
    aspect, colour tags, metadata, chapters, and, where `tracks` is set, the sound and subtitles
    (see TrackCopier). Chroma is 4:2:0, which ordinary players ask for. A picture of odd width or
    height cannot be so stored without changing its size, and is written as 4:4:4 (VLC, mpv and
    browsers play it, some hardware players do not).

    Args:
        path: .mp4, .m4v, .mov or .mkv; its folder is made where needed.
        like: the video that the frames come from.
        encoding: codec and quality.
        size: (width, height) of the frames, px; None = those of `like`.
        notice: say in the metadata that the pictures are AI-reconstructed.
        tracks: copy sound and subtitles from like.path; or what makes other tracks, given the
            output before it is started.
        force: replace `path` and a partial file of an earlier run.
        jumps: of the source, where the tracks are copied; see TrackCopier.

    Attributes:
        notes: sentence parts on what could not be carried over.

    Raises:
        UsageError: `path` exists already, or has another ending; see also Encoding.chosen_codec.
        OutputError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        encoding: Encoding = Encoding(),  # noqa: B008  frozen
        *,
        size: tuple[int, int] | None = None,
        notice: bool = True,
        tracks: bool | MakeTracks = True,
        force: bool = False,
        jumps: Sequence[Fraction] | None = None,
    ) -> None:
        check_target(path, force=force)
        self.path = path
        self.partial = partial_of(path)
        self.notes: list[str] = []
        self._force = force
        self._like = like
        self._jumps = jumps
        self._size = size or (like.width, like.height)
        codec = encoding.chosen_codec(like, self._size)
        self._colour = yuv_colour(like)
        self._reformatter = VideoReformatter()
        self._waiting: _Waiting | None = None
        self._next_key = Fraction(-1)
        self._step = max(1, round(like.step / like.time_base))
        self._durations: dict[int, int] = {}  # of the frames inside the encoder, by time
        self._length = TrackLength()
        self._frames = 0
        self._ended = False
        self._tracks: Tracks | None = None
        try:
            self._file = OutputFile(self.partial)
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            with ExitStack() as undo:
                undo.callback(self.abort)
                self._open(codec, encoding, tracks, notice)
                undo.pop_all()
        except (OSError, *DECODER_FAULTS) as error:
            if self._file.error is None and isinstance(error, DECODER_FAULTS):
                raise self._refused(error) from error
            if isinstance(error, OSError):
                raise self._cannot_write(error) from error
            raise

    def _open(
        self, codec: str, encoding: Encoding, tracks: bool | MakeTracks, notice: bool
    ) -> None:
        like = self._like
        self._container = av.open(
            self._file,
            "w",
            format=muxer(self.path),
            container_options=muxer_options(self.path, like.time_base),
        )
        self._deep = bits_written(codec, like) > 8
        self._stream = self._add_video(codec, encoding)
        self.notes += reductions(codec, like, self._size, encoding.crf)
        self._container.metadata.update(metadata_of(like, notice))
        if callable(tracks):
            self._tracks = tracks(self._container)
        elif tracks:
            self._tracks = TrackCopier(like, self._container, self.notes, self._jumps)
        self._container.start_encoding()

    def _add_video(self, codec: str, encoding: Encoding) -> VideoStream:
        like, (width, height) = self._like, self._size
        stream = self._container.add_stream(
            ENCODERS[codec],
            rate=like.frame_rate or round(1 / like.step),
            options=encoder_options(codec, encoding, like, width * height),
        )
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = width, height
        odd = width % 2 or height % 2
        context.pix_fmt = ("yuv444p" if odd else "yuv420p") + ("10le" if self._deep else "")
        context.time_base = stream.time_base = like.time_base
        context.sample_aspect_ratio = like.sample_aspect
        context.color_primaries = self._colour.primaries
        context.color_trc = self._colour.transfer
        context.colorspace = self._colour.matrix
        context.color_range = self._colour.range
        if codec == "hevc" and self.path.suffix.lower() != ".mkv":
            context.codec_tag = "hvc1"  # the form of HEVC in MP4 that Apple's players know
        return stream

    def write(self, frame: Frame, deep: NDArray[np.uint16] | None = None) -> None:
        """Take one frame; see `Sink`.

        Args:
            frame: of the size announced; `pts` in seconds from like.origin, rising; None goes
                on by one step.
            deep: (H, W, 3) uint16, the same picture with all its bits; written in place of
                frame.image where the file has more than 8.
        """
        if (frame.width, frame.height) != self._size:
            raise ValueError(
                f"The frame is {frame.width} x {frame.height}, announced were {self._size}."
            )
        # One frame waits: only when its successor comes is known how long it lasts.
        begins = self._ticks(frame)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._guarded(lambda: self._encode(waiting, begins))
        self._waiting = _Waiting(self._yuv(frame, deep), begins)

    def wait(self, until: Fraction) -> None:
        """No frame comes before `until`, seconds: the other tracks are written up to there.

        Raises:
            OutputError: they cannot be written.
        """
        tracks = self._tracks
        if tracks is not None:
            self._guarded(lambda: tracks.copy_until(until))

    def close(self, end: Fraction | None = None) -> None:
        """Finish; see `Sink`.

        Args:
            end: seconds, when the last frame ends; None = one step after its beginning.

        Raises:
            OutputError: also where nothing was written, or the check fails.
        """
        if self._ended:
            return
        self._guarded(lambda: self._finish(end))
        self._ended = True
        self._close_file()
        try:
            self._verify()
            self._give_name()
        finally:
            self._file.release()

    def _give_name(self) -> None:
        try:
            if not self._force and self.path.exists():
                raise OutputError(
                    f"{self.path} has appeared meanwhile; the finished video is {self.partial}."
                )
            os.replace(self.partial, written_as(self.path))  # a link stays one
            sync_folder(self.partial.parent)
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be given its name ({reason(error)}); "
                f"the finished video is {self.partial}."
            ) from error

    def abort(self) -> None:
        """Give up and remove the partial file; see `Sink`."""
        if self._ended:
            return
        self._ended = True
        self._close_file()
        self._file.discard()
        self._file.release()

    def keep(self) -> None:
        """Stop here and leave what was written, playable, under the partial name."""
        if self._ended:
            return
        with suppress(av.FFmpegError, OSError):
            self._finish(None)
        self._ended = True
        self._close_file()
        self._file.release()

    def _guarded(self, step: Any) -> None:
        """Run `step`; a failure to write ends the sink and keeps what there is."""
        if self._ended:
            raise OutputError(f"{self.path} was closed already.")
        try:
            step()
        except (av.FFmpegError, OSError) as error:
            self._ended = True
            cause = self._file.error or error
            self._close_file()
            kept = self._kept(cause)
            self._file.release()
            raise kept from cause

    def _kept(self, cause: BaseException) -> OutputError:
        frames = count_pictures(self.partial)
        if not frames:
            self._file.discard()
            return self._cannot_write(cause)
        return OutputError(
            f"{self.path} cannot be finished ({reason(cause)}). The first {frames} frames are in "
            f"{self.partial}, which plays. Free some space or choose another folder."
        )

    def _cannot_write(self, cause: BaseException) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written ({reason(cause)}). "
            "Check the folder, its permissions and the free space."
        )

    def _refused(self, cause: BaseException) -> OutputError:
        width, height = self._size
        return OutputError(
            f"{self.path} cannot be written: the encoder refuses pictures of {width} x {height} "
            f"at {float(1 / self._like.step):g} a second ({reason(cause)}). Try another --codec."
        )

    def _encode(self, waiting: _Waiting, end: int) -> None:
        """Encode one frame that lasts until `end`, in ticks."""
        picture = waiting.picture
        picture.pts = waiting.begins
        picture.time_base = self._like.time_base
        time = waiting.begins * self._like.time_base
        if time >= self._next_key:
            picture.pict_type = _INTRA
            self._next_key = time + 1
        self._durations[waiting.begins] = end - waiting.begins
        self._frames += 1
        for packet in self._stream.encode(picture):
            self._mux(packet)

    def _ticks(self, frame: Frame) -> int:
        last = self._waiting.begins if self._waiting is not None else None
        if frame.pts is not None:
            ticks = whole_ticks(frame.pts, self._like.time_base)
        else:
            ticks = 0 if last is None else last + self._step
        if last is not None and ticks <= last:
            raise ValueError(f"Frame {frame.index} is not later than the one before it.")
        return ticks

    def _yuv(self, frame: Frame, deep: NDArray[np.uint16] | None) -> av.VideoFrame:
        if self._deep and deep is not None:
            source = av.VideoFrame.from_ndarray(deep, format="rgb48le")
        else:
            source = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        context = self._stream.codec_context
        picture = self._reformatter.reformat(
            source,
            format=context.pix_fmt,
            dst_colorspace=self._colour.sws_matrix(min(self._like.width, self._like.height)),
            dst_color_range=self._colour.working_range,
            interpolation=SWS_FLAGS,
        )
        # The pixels are converted; what is said about them is what the source said.
        picture.colorspace = self._colour.matrix
        picture.color_range = self._colour.range
        picture.color_primaries = self._colour.primaries
        picture.color_trc = self._colour.transfer
        return picture

    def _mux(self, packet: Packet[Any], last: tuple[int, int] | None = None) -> None:
        if packet.pts is not None:
            packet.duration = self._durations.pop(packet.pts, self._step)
            if last is not None:
                self._length.end(packet, *last)
            self._length.note(packet)
        if self._tracks is not None and packet.dts is not None:
            self._tracks.copy_until(packet.dts * packet.time_base)
            self._tracks.mux(packet)
        else:
            self._container.mux(packet)

    def _finish(self, end: Fraction | None) -> None:
        begins = ends = 0
        if self._waiting is not None:
            begins = self._waiting.begins
            ends = whole_ticks(end, self._like.time_base) if end is not None else 0
            ends = ends if ends > begins else begins + self._step
            self._encode(self._waiting, ends)
            self._waiting = None
        packets = self._stream.encode(None)
        for packet in packets:
            if self._frames <= 2:
                packet.dts = packet.pts  # x265 leaves it undefined in so short a video
            self._mux(packet, (begins, ends) if ends and packet is packets[-1] else None)
        if self._tracks is not None:
            self._tracks.finish()
        self._container.close()

    def _close_file(self) -> None:
        # A file that is closed first keeps the muxer from writing its ending into a broken one.
        with suppress(OSError):
            self._file.finish()
        container = getattr(self, "_container", None)
        if container is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                container.close()
        if self._tracks is not None:
            self._tracks.close()

    def _verify(self) -> None:
        if self._file.error is not None:
            raise self._kept(self._file.error) from self._file.error
        found = count_packets(self.partial)
        if found != self._frames:
            raise OutputError(
                f"{self.path} is not whole: {self._frames} frames were written, {found} can be "
                f"read again. What there is was kept as {self.partial}."
            )
