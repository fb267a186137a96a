"""Frames of a recorded video: upright, RGB, each with its exact time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from math import ceil
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realtime_unmask.capture.clock import PictureClock
from realtime_unmask.capture.probe import probe
from realtime_unmask.closing import Closing
from realtime_unmask.errors import MediaDamaged, MediaUnsupported, UsageError
from realtime_unmask.media import (
    DECODER_FAULTS,
    SWS_FLAGS,
    VideoInfo,
    open_input,
    packets_of,
    reason,
)
from realtime_unmask.types import Frame

# So much of the declared duration may be missing: files round, and end on another track.
_TOLERANCE_S = Fraction(1, 20)
# In these codecs every packet is one picture, so that a picture that does not come is a loss.
_ONE_PICTURE_A_PACKET = frozenset({"h264", "hevc"})
# In AVI FFmpeg guesses some times from those before: so long after a seek they are right. In a
# program stream, where a packet may hold many pictures, they need not be even then.
_SETTLED_S = Fraction(1)
_NO_SEEKING = "mpeg"
_HUGE_PIXELS = 4096 * 2304
# Incomplete packets so near before a jump back of the clock are the end of a recording.
_NEAR = 8
_MARKS_KEPT = 1000

Picture = NDArray[np.uint8] | NDArray[np.uint16]


class VideoSource(Closing):
    """Reads the frames of a video file; see `capture.source.Source`.

    Frames are as a player shows them: rotation and mirroring are applied, the sample aspect is
    not (info.sample_aspect says it). `pts` counts from info.origin in steps of info.time_base;
    where the file has none, or goes back in time, it goes on in the frame rate's steps. Memory
    does not depend on the file's length.

    Args:
        path: the file.
        start, end: seconds; only frames with start <= time < end come, and count from start.

    Attributes:
        info: what is known before reading.
        notes: sentence parts on what was met in reading; complete after the last frame.
        end_pts: seconds; when the last frame delivered so far ends.
        jumps: see PictureClock.
        deep_image: the last frame delivered, (H, W, 3) uint16, all of its bits; None where the
            file has 8 bits a component.

    Raises:
        MediaMissing, MediaUnsupported, MediaDamaged: there is nothing that could be read.
        UsageError: start and end leave nothing.
    """

    def __init__(
        self, path: Path, start: Fraction | None = None, end: Fraction | None = None
    ) -> None:
        self.info: VideoInfo = _cut(probe(path), start, end)
        self.notes: list[str] = []
        self.end_pts = Fraction(0)
        self.deep_image: NDArray[np.uint16] | None = None
        self._start = start or Fraction(0)
        self._starts_late = self._start > 0
        self._resources = ExitStack()
        self._open()
        self._reformatter = VideoReformatter()
        self._clock = PictureClock(self.info, self.notes)
        self.jumps = self._clock.jumps
        self._frames = 0
        self._packets = 0
        self._pictures = 0
        self._other_end = Fraction(0)

    def _open(self) -> None:
        """Begin at the beginning of the file, once more perhaps; nothing is wrong with it yet."""
        self._resources.close()
        self._container = self._resources.enter_context(open_input(self.info.path))
        self._stream = cast(VideoStream, self._container.streams[self.info.stream_index])
        # Threads that decode whole pictures each hold one: too much above 4K.
        huge = self.info.width * self.info.height > _HUGE_PIXELS
        self._stream.thread_type = "SLICE" if huge else "AUTO"
        self._faults = 0
        self._first_fault: Fraction | None = None
        self._marked: list[tuple[int, Fraction]] = []  # incomplete packets: number, position
        self._last_dts = -(2**63)
        self._cut_short: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        """The frames; see `Source`. May be called once."""
        until = self.info.until
        for picture in self._pictures_from_start():
            pts, end = self._clock.time(picture)
            if self._starts_late and pts < 0:
                continue  # decoded for its successors only
            if until is not None and pts >= until - self.info.origin:
                break
            self.end_pts = end
            # WebM keeps it beside the pictures, where this decoder does not look.
            beside = self._stream.metadata.get("alpha_mode") == "1"
            if not self._frames and (beside or any(c.is_alpha for c in picture.format.components)):
                self.notes.append("its transparency is left out")
            # Not kept in a variable: this would hold it while the next one is made.
            yield Frame(
                self._upright(picture), pts, 0, self._frames,
                pixel_aspect=self.info.pixel_aspect,
            )  # fmt: skip
            self._frames += 1
        else:
            self._judge_end()
        self._judge_pictures()

    def close(self) -> None:
        """Free everything; safe to call again."""
        self._resources.close()

    def _pictures_from_start(self) -> Iterator[av.VideoFrame]:
        """The pictures from the start on, and some before them.

        A seek may end behind the key frame that is needed: in a transport stream at any packet,
        elsewhere at one that is decoded before the start and shown after it. Then it is repeated
        from further back, and finally all is read.
        """
        if not self.info.timed or self.info.container == _NO_SEEKING:
            return self._pictures_in_order()
        base = self._stream.time_base or self.info.time_base
        back = _SETTLED_S if self.info.container == "avi" else Fraction(0)
        while back < self._start:
            with suppress(*DECODER_FAULTS):  # without an index, all before is read and passed over
                place = int((self.info.origin - back) / base)
                self._container.seek(place, stream=self._stream, backward=True)
            pictures = self._pictures_in_order()
            first = next(pictures, None)
            if first is not None and self._time(first) <= self.info.origin:
                self._faults, self._first_fault = 0, None  # of those without their key frame
                return chain((first,), pictures)
            back = max(2 * back, Fraction(1))
            self._open()
        return self._pictures_in_order()

    def _time(self, picture: av.VideoFrame) -> Fraction:
        """Seconds in the file's own clock; where it has none, the start is taken for reached."""
        stamp = picture.pts if picture.pts is not None else picture.dts
        base = picture.time_base or self.info.time_base
        return self.info.origin if stamp is None else stamp * base

    def _pictures_in_order(self) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded; faults are counted on the way."""
        streams: list[Stream] = [self._stream]
        if not self.info.declares_video_end:
            streams = list(self._container.streams)
        try:
            for packet in packets_of(self._container, streams):
                if packet.stream.index == self.info.stream_index:
                    yield from self._decode(packet)
                elif packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self._other_end = max(self._other_end, end - self.info.origin)
        except DECODER_FAULTS as error:
            self._cut_short = reason(error)
        yield from self._decode(None)  # what the decoder still holds

    def _decode(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        self._inspect(packet)
        try:
            pictures = self._stream.decode(packet)
        except av.EOFError:
            return []
        except DECODER_FAULTS:
            self._fault(packet)
            return []
        self._pictures += len(pictures)
        # In a transport stream the mark is the packet's, which was dealt with.
        if self.info.container != "mpegts" and any(p.is_corrupt for p in pictures):
            self._fault(packet)
        return pictures

    def _inspect(self, packet: Packet[VideoStream] | None) -> None:
        """Count `packet`, and note the mark of one that is incomplete."""
        if packet is None:
            return
        self._packets += not packet.is_discard
        if packet.dts is not None:
            if packet.dts < self._last_dts:
                # Two recordings glued together: the first one's end looks incomplete and is not.
                near = self._packets - _NEAR
                self._marked = [one for one in self._marked if one[0] < near]
            self._last_dts = packet.dts
        wanted = packet.is_corrupt and not self._before_start(packet)
        if wanted and len(self._marked) < _MARKS_KEPT:
            self._marked.append((self._packets, self._position(packet)))

    def _position(self, packet: Packet[VideoStream] | None) -> Fraction:
        if packet is None or packet.pts is None:
            return self.end_pts
        return max(Fraction(0), packet.pts * packet.time_base - self.info.origin)

    def _before_start(self, packet: Packet[VideoStream] | None) -> bool:
        """Is it decoded for its successors only?"""
        if packet is None or not self._starts_late:
            return False
        stamp = packet.pts if packet.pts is not None else packet.dts
        return stamp is not None and stamp * packet.time_base < self.info.origin

    def _fault(self, packet: Packet[VideoStream] | None) -> None:
        if self._before_start(packet):
            return
        self._faults += 1
        if self._first_fault is None:
            self._first_fault = self._position(packet)

    def _upright(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        """`picture` as 8-bit RGB; sets `deep_image` on the way."""
        if self.info.bit_depth <= 8:
            return cast("NDArray[np.uint8]", self._rgb(picture, "rgb24"))
        deep = cast("NDArray[np.uint16]", self._rgb(picture, "rgb48le"))
        deep.flags.writeable = False
        self.deep_image = deep
        return cv2.convertScaleAbs(deep, alpha=255 / 65535).astype(np.uint8, copy=False)

    def _rgb(self, picture: av.VideoFrame, form: str) -> Picture:
        info = self.info
        if not (picture.format.is_rgb or picture.format.has_palette):
            picture.colorspace = info.colour.working_matrix(min(info.width, info.height))
            picture.color_range = info.colour.working_range
        # Plane by plane it takes a quarter of the time, and the result is the same.
        apart = form == "rgb24" and len(picture.format.components) >= 3
        apart = apart and not (picture.format.is_rgb or picture.format.has_palette)
        try:
            converted = self._reformatter.reformat(
                picture, format="gbrp" if apart else form, interpolation=SWS_FLAGS
            )
        except DECODER_FAULTS as error:
            raise MediaUnsupported(
                f"The pixels of {info.path} ({picture.format.name}) cannot be converted to RGB. "
                "Convert the video to H.264 first."
            ) from error
        pixels = _merged(converted) if apart else cast(NDArray[np.uint8], converted.to_ndarray())
        image = info.orientation.apply(pixels)
        if image.shape[:2] != (info.height, info.width):
            image = self._fitted(image)
        return image

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`image`, which has another size than the first one, in that one's size, undistorted."""
        note = "the picture's size changes in the middle: the first size was kept"
        if note not in self.notes:
            self.notes.append(note)
        height, width = image.shape[:2]
        scale = min(self.info.width / width, self.info.height / height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
        fitted = np.zeros((self.info.height, self.info.width, 3), image.dtype)
        y, x = (self.info.height - inner[1]) // 2, (self.info.width - inner[0]) // 2
        fitted[y : y + inner[1], x : x + inner[0]] = small
        return fitted

    def _judge_end(self) -> None:
        """Was that all that the file declares?"""
        info = self.info
        delivered = self.end_pts
        if not info.declares_video_end:
            delivered = max(delivered, self._other_end)
        tolerance = max(_TOLERANCE_S, 2 * info.step)
        if info.duration is not None and delivered < info.duration - tolerance:
            self._damaged(
                f"it ends at {float(delivered):.2f} s of {float(info.duration):.2f} s", delivered
            )
        if self._cut_short:
            self._damaged(f"it cannot be read on at {float(delivered):.2f} s", delivered)
        # After a seek the first pictures may refer to some before it, and are rightly left out.
        countable = info.codec in _ONE_PICTURE_A_PACKET and not info.field_order
        if countable and not self._starts_late:
            self._faults = max(self._faults, self._packets - self._pictures)

    def _judge_pictures(self) -> None:
        """Were all pictures whole?"""
        self._clock.note_gaps(self._frames)
        self._faults = max(self._faults, len(self._marked))
        if self._faults:
            marked = self._marked[0][1] if self._marked else Fraction(0)
            at = self._first_fault if self._first_fault is not None else marked
            words = "1 picture is" if self._faults == 1 else f"{self._faults} pictures are"
            self._damaged(f"{words} broken or missing, the first at {float(at):.2f} s", at)

    def _damaged(self, what: str, position: Fraction) -> None:
        raise MediaDamaged(
            f"{self.info.path} is damaged: {what}; {self._frames} frames could be read.",
            position_s=float(position),
            frames_kept=self._frames,
        )


def _merged(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a picture in FFmpeg's gbrp."""
    green, blue, red = (
        np.asarray(memoryview(plane)).reshape(plane.height, plane.line_size)[:, : picture.width]
        for plane in picture.planes
    )
    merged: NDArray[np.uint8] = cv2.merge([red, green, blue]).astype(np.uint8, copy=False)
    return merged


def _cut(info: VideoInfo, start: Fraction | None, end: Fraction | None) -> VideoInfo:
    """`info` of the part from `start` to `end`."""
    if start is None and end is None:
        return info
    begin = start or Fraction(0)
    if begin < 0 or (end is not None and end <= begin):
        raise UsageError("--end must be later than --start, and neither negative.")
    if info.duration is not None and begin >= info.duration:
        raise UsageError(
            f"--start {float(begin):g} s is after the end of {info.path}, "
            f"which lasts {float(info.duration):.2f} s."
        )
    until = None if end is None else info.origin + end
    if begin and info.timed:
        # To the next tick: the same frames come, and their times stay whole ticks. Between two,
        # where one tick is one frame (AVI), the times of neighbours would be rounded to the same.
        begin = ceil((info.origin + begin) / info.time_base) * info.time_base - info.origin
    duration = info.duration
    if duration is not None:
        duration = min(duration, end if end is not None else duration)
    elif end is not None:
        duration = end
    if duration is not None:
        duration = max(duration - begin, Fraction(0))
    return replace(
        info,
        origin=info.origin + begin,
        until=until,
        cut=True,
        duration=duration,
    )
