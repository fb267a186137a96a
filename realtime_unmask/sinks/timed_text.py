"""Subtitles of MP4 files (3GPP timed text), which need care when they are written in fragments.

Whenever such a track has a gap, FFmpeg's MP4 muxer closes it with samples of its own; in fragments
it guesses their length, and ends the whole program (a failed assertion) when the next text comes
before that guess is over. So the track is written without gaps: each pause is a sample too, as in
any MP4, and each sample comes before the sound and pictures of its time.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from fractions import Fraction

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from realtime_unmask.media import DECODER_FAULTS, VideoInfo, open_input, packets_of

CODEC = "mov_text"
_PAUSE = b"\x00\x00"
# The muxer compares ticks of different tracks as if they were equal: these are the finest.
_TICKS_A_SECOND = 200_000
_LONGEST_PAUSE = 300 * _TICKS_A_SECOND


class TimedText:
    """One subtitle track. Read as a whole at the start: hours of talk are some 100 kB.

    Args:
        like: the video that holds it.
        source: the track in an open file.
        output: not yet started.

    Raises:
        as add_stream_from_template: the output cannot hold it.
    """

    def __init__(self, like: VideoInfo, source: Stream, output: OutputContainer) -> None:
        self._output = output
        self.stream = output.add_stream_from_template(source, opaque=True)
        ticks = max(_TICKS_A_SECOND, 2 * like.time_base.denominator)
        self._base = Fraction(1, ticks)
        self.stream.time_base = self._base
        self._samples = self._without_gaps(_texts(like, source.index), like)

    def _without_gaps(
        self, texts: list[tuple[Fraction, Fraction, bytes]], like: VideoInfo
    ) -> deque[tuple[int, int, bytes]]:
        """(begin, end, data) in ticks from 0 on, each beginning where the one before it ends."""
        samples: deque[tuple[int, int, bytes]] = deque()
        position = 0
        until = None if like.until is None else like.until - like.origin
        for first, last, data in texts:
            if until is not None and first >= until:
                break
            last = last if until is None else min(last, until)
            begin, end = max(position, round(first / self._base)), round(last / self._base)
            if end <= begin:
                continue
            while position < begin:
                pause = min(begin, position + _LONGEST_PAUSE)
                samples.append((position, pause, _PAUSE))
                position = pause
            samples.append((begin, end, data))
            position = end
        return samples

    def copy_until(self, time: Fraction | None) -> None:
        """Write what begins at `time` (seconds from like.origin) or before; None = all."""
        while self._samples and (time is None or self._samples[0][0] * self._base <= time):
            begin, end, data = self._samples.popleft()
            packet = Packet(data)
            packet.stream = self.stream
            packet.time_base = self._base
            packet.pts = packet.dts = begin
            packet.duration = end - begin
            self._output.mux(packet)


def _texts(like: VideoInfo, index: int) -> list[tuple[Fraction, Fraction, bytes]]:
    """(begin, end, data) of all texts, seconds from like.origin, without the pauses."""
    texts = []
    with open_input(like.path) as container:
        for stream in container.streams:
            if stream.index != index:
                stream.discard = Discard.all
        packets = packets_of(container, [container.streams[index]])
        with suppress(*DECODER_FAULTS):  # what is damaged is said by whoever reads the pictures
            for packet in packets:
                if packet.pts is None or bytes(packet) == _PAUSE:
                    continue
                begin = packet.pts * packet.time_base - like.origin
                length = (packet.duration or 0) * packet.time_base
                texts.append((begin, begin + length, bytes(packet)))
    return texts
