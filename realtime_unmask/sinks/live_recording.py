"""A recording of a live session: pictures with the times at which they were taken, and sound."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from realtime_unmask.errors import OutputError
from realtime_unmask.media import Colour, Grading, Orientation, VideoInfo
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.fit import even, fitted
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import AudioBlock, Float32, Frame

_TIME_BASE = Fraction(1, 90_000)
# Reordered pictures with uneven steps make the muxer's length of the track too short, and players
# pass the last picture over.
_ENCODING = Encoding(codec="h264", crf=20, preset="veryfast", reorder=False)
_BT709 = Colour(primaries=1, transfer=1, matrix=1, range=1)
_AAC_BLOCK = 1024
# How long the last picture is shown, seconds.
_SHOWN_LAST = Fraction(1, 25)
# A picture that stays is written again so often, seconds: MP4 and MOV cannot hold one of more than
# 2^31 ticks, 6.6 hours.
_AGAIN = Fraction(300)
# The two clocks drift apart: so far, seconds, is left alone; from so far on, sound was lost.
_TOLERATED_S, _LOST_S = 0.003, 0.1


class SoundSource(Protocol):
    """Where the sound comes from; see capture.audio.Microphone."""

    rate: int
    channels: int

    @property
    def lost(self) -> bool:
        """Whether it has stopped by itself."""
        ...

    def take(self) -> Sequence[AudioBlock]:
        """What was recorded since the last call."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class LiveRecording:
    """Writes live frames into a video file; a Sink.

    The first frame is at 0 s; each keeps the time at which it was captured. Pictures of another
    size than the first one are shown whole between black bars.

    Args:
        path: .mp4, .m4v, .mov or .mkv.
        first: the first frame, which is not yet written.
        sound: recorded as well, and closed at the end; None for none.
        offset_ms: by how much the sound is put later, for microphones that are ahead of the
            camera.

    Attributes:
        interval_s: how often tick() is to be called while no frame comes.

    Raises:
        UsageError: `path` exists already, or has another ending.
        OutputError: it cannot be written.
    """

    interval_s = 0.5

    def __init__(
        self,
        path: Path,
        first: Frame,
        sound: SoundSource | None = None,
        offset_ms: int = 0,
    ) -> None:
        self.path = path
        self._sound = sound
        self._size = even(first.width, first.height)
        self._began = first.pts or Fraction(0)
        self._began_ns = first.captured_ns
        self._last = -_TIME_BASE
        self._shown: Frame | None = None  # the last picture
        self._waited = Fraction(0)  # seconds of the recording when the last tick came
        self._track: _SoundTrack | None = None
        offset_ns = offset_ms * 1_000_000 - first.captured_ns

        def tracks(output: OutputContainer) -> _SoundTrack:
            assert sound is not None
            self._track = _SoundTrack(output, sound, offset_ns)
            return self._track

        with ExitStack() as undo:
            undo.callback(self._end_sound)
            like = _like(path, self._size)
            self._video = VideoSink(path, like, _ENCODING, tracks=tracks if sound else False)
            undo.pop_all()

    @property
    def partial(self) -> Path:
        """The file's name until it is whole."""
        return self._video.partial

    @property
    def seconds(self) -> float:
        """How much was recorded."""
        return max(0.0, float(self._last))

    @property
    def sound_lost(self) -> bool:
        """Whether the microphone has gone while it is recorded: from there on there is silence."""
        sound = self._sound  # another thread's, which may end it
        return sound is not None and sound.lost

    def write(self, frame: Frame) -> None:
        """See Sink."""
        pts = (frame.pts or Fraction(0)) - self._began
        with self._ending_with_the_video():
            self._stay(pts)
            self._write(frame, max(pts, self._last + _TIME_BASE))

    def tick(self, trouble: str) -> None:
        """No picture comes: the sound goes on, and the last picture stays."""
        self._waited = Fraction(time.perf_counter_ns() - self._began_ns, 10**9)
        with self._ending_with_the_video():
            self._stay(self._waited)
            self._video.wait(self._waited)

    def _write(self, frame: Frame, pts: Fraction) -> None:
        self._last, self._shown = pts, frame
        self._video.write(replace(frame, image=fitted(frame.image, *self._size), pts=pts))

    def _stay(self, until: Fraction) -> None:
        """The last picture is shown up to `until`, seconds."""
        while self._shown is not None and until - self._last > _AGAIN:
            self._write(self._shown, self._last + _AGAIN)

    @contextmanager
    def _ending_with_the_video(self) -> Iterator[None]:
        try:
            yield
        except OutputError:
            self._end_sound()
            raise

    def close(self) -> None:
        """See Sink."""
        # Not up to now: what waited to be written may have taken a while.
        end = max(self._last + _SHOWN_LAST, self._waited)
        if self._track is not None:
            self._track.end = end
        try:
            self._video.close(end)
        finally:
            self._end_sound()

    def abort(self) -> None:
        """Stop here; unlike other sinks it keeps what it has: it cannot be recorded again."""
        self._video.keep()
        self._end_sound()

    def _end_sound(self) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.close()


class _SoundTrack:
    """Puts the blocks of a microphone onto the pictures' clock; see sinks.tracks.Tracks.

    The sound card's clock is not the computer's: where they drift apart, a sample is left out
    or put in here and there; where blocks are missing, there is silence.

    Args:
        output: not yet started.
        sound: where the blocks come from.
        offset_ns: added to the time of a block; gives nanoseconds after the first picture.
    """

    def __init__(self, output: OutputContainer, sound: SoundSource, offset_ns: int) -> None:
        self._output, self._sound, self._offset_ns = output, sound, offset_ns
        stream = output.add_stream("aac", rate=sound.rate)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = self._layout = "stereo" if sound.channels == 2 else "mono"
        stream.codec_context.format = "fltp"
        stream.codec_context.bit_rate = 128_000
        stream.time_base = stream.codec_context.time_base = Fraction(1, sound.rate)
        self._stream = stream
        self._waiting: deque[Float32] = deque()
        self._collected = 0  # samples on the track, those that wait included
        self._encoded = 0
        self._apart = 0.0  # samples, smoothed
        self.end: Fraction | None = None  # seconds; what was recorded later is left out

    def collect(self) -> None:
        """Take what the microphone has, and put it where it belongs."""
        rate = self._sound.rate
        for block in self._sound.take():
            place = (block.began_ns + self._offset_ns) * rate / 1e9
            apart = place - self._collected
            samples = block.samples
            if abs(apart) > _LOST_S * rate or self._collected == 0:
                self._apart = 0.0
                if apart > 0:
                    self._add_silence(round(apart), samples.shape[1])
                else:
                    samples = samples[round(-apart) :]
            else:
                self._apart += 0.1 * (apart - self._apart)
                if abs(self._apart) > _TOLERATED_S * rate:
                    step = 1 if self._apart > 0 else -1
                    samples = _stretched(samples, len(samples) + step)
            self._add(samples)

    def _add(self, samples: Float32) -> None:
        if len(samples):
            self._waiting.append(samples)
            self._collected += len(samples)

    def _add_silence(self, length: int, channels: int) -> None:
        # The same second again and again: of an hour it would be more than a gigabyte.
        second: Float32 = np.zeros((self._sound.rate, channels), np.float32)
        for begin in range(0, length, len(second)):
            self._add(second[: length - begin])

    def copy_until(self, time: Fraction | None) -> None:
        """See Tracks."""
        self.collect()
        limit = self._collected if time is None else int(time * self._sound.rate)
        while self._encoded + _AAC_BLOCK <= min(limit, self._collected):
            self._encode(self._next_block())

    def _next_block(self) -> Float32:
        """The next samples that wait, an encoder's block of them or what there is."""
        block: list[Float32] = []
        missing = _AAC_BLOCK
        while missing and self._waiting:
            samples = self._waiting.popleft()
            block.append(samples[:missing])
            if len(samples) > missing:
                self._waiting.appendleft(samples[missing:])
            missing -= len(block[-1])
        return np.concatenate(block) if block else np.zeros((0, 1), np.float32)

    def _encode(self, samples: Float32) -> None:
        planes = np.ascontiguousarray(samples.T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self._layout)
        frame.sample_rate = self._sound.rate
        frame.time_base = Fraction(1, self._sound.rate)
        frame.pts = self._encoded
        self._encoded += len(samples)
        for packet in self._stream.encode(frame):
            self.mux(packet)

    def mux(self, packet: Packet[Any]) -> None:
        """See Tracks."""
        self._output.mux(packet)

    def finish(self) -> None:
        """See Tracks."""
        self.copy_until(self.end)
        rest = self._next_block()  # there is less than a block before the end
        if self.end is not None:
            rest = rest[: max(0, int(self.end * self._sound.rate) - self._encoded)]
        if len(rest):
            self._encode(rest)
        self._waiting.clear()
        for packet in self._stream.encode(None):
            self.mux(packet)

    def close(self) -> None:
        """See Tracks; who made the sound source closes it."""


def _stretched(samples: Float32, length: int) -> Float32:
    """`samples` resampled to `length` of them, nearly the same."""
    at = np.linspace(0, len(samples) - 1, length)
    columns = [np.interp(at, np.arange(len(samples)), column) for column in samples.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _like(path: Path, size: tuple[int, int]) -> VideoInfo:
    """What VideoSink has to know, in place of a file that is converted."""
    return VideoInfo(
        path=path,
        container="",
        codec="",
        stream_index=0,
        width=size[0],
        height=size[1],
        sample_aspect=Fraction(1),
        frame_rate=None,
        time_base=_TIME_BASE,
        origin=Fraction(0),
        until=None,
        cut=False,
        duration=None,
        declares_video_end=False,
        timed=True,
        bit_depth=8,
        chroma="420",
        colour=_BT709,
        grading=Grading(),
        orientation=Orientation(),
        field_order="",
        streams=(),
        metadata={},
    )
