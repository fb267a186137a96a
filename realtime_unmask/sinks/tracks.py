"""Sound, subtitles and what else a video file holds beside its pictures, copied where they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from typing import Any, Protocol, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from realtime_unmask.media import DECODER_FAULTS, VideoInfo, leaps, open_input, packets_of, reason
from realtime_unmask.sinks import timed_text
from realtime_unmask.sinks.recoding import Recoder, refused_later
from realtime_unmask.sinks.timed_text import TimedText

# So long, seconds, a text may have been on screen when a part begins.
_TEXT_S = 10
# Where two recordings are glued together, a track may end so far, seconds, from the pictures.
_SEAM_S = 5
_COPIED = ("audio", "subtitle", "attachment")
_LANGUAGE_AND_TITLE = ("language", "title", "handler_name")

# FFmpeg's names of what ordinary players play in an MP4.
_MP4_CODECS = frozenset(
    {"aac", "ac3", "alac", "eac3", "flac", "mp3", "mp3float", "opus", "mov_text"}
)


class Tracks(Protocol):
    """What else is in the file, written in step with the pictures; as TrackCopier does it."""

    def copy_until(self, time: Fraction | None) -> None:
        """Write what begins at `time`, seconds, or before; None: all."""
        ...

    def mux(self, packet: Packet[Any]) -> None:
        """Give `packet` to the output."""
        ...

    def finish(self) -> None:
        """Write the rest."""
        ...

    def close(self) -> None:
        """Free everything; safe to call again."""
        ...


MakeTracks = Callable[[OutputContainer], Tracks]


def fit_mp4(like: VideoInfo) -> bool:
    """Can an MP4 hold all sound and subtitles of `like`?"""
    tracks = [s for s in like.streams if s.kind in ("audio", "subtitle")]
    return all(track.codec in _MP4_CODECS for track in tracks)


class TrackCopier:
    """Copies the tracks of a video, packet by packet, in step with its pictures.

    Reads the file a second time, so that no packet waits in memory for the pictures. Sound that
    the container cannot hold is coded anew (see `recoding`), other tracks are left out; both are
    noted.

    Args:
        like: the video; only packets from like.origin to like.until are copied where it was cut.
        output: not yet started.
        notes: takes sentence parts on what is left out or coded anew.
        jumps: how far the pictures' times are shifted, seconds, after each jump of the file's
            clock; grows while they are read. The tracks then jump with them; None: by themselves.
    """

    def __init__(
        self,
        like: VideoInfo,
        output: OutputContainer,
        notes: list[str],
        jumps: Sequence[Fraction] | None = None,
    ) -> None:
        self._notes = notes
        self._jumps = jumps
        self._like = like
        self._output = output
        self._resources = ExitStack()
        self._tracks: dict[int, _Track] = {}
        self._texts: list[TimedText] = []
        self._refused = 0
        self._held: tuple[Packet[Any], Fraction | None] | None = None
        self._input = self._resources.enter_context(open_input(like.path))
        for stream in self._input.streams:
            if stream.index != like.stream_index:
                self._add(stream)
            elif output.streams.video:
                output.streams.video[0].metadata.update(_named(stream))
        self._copy_chapters()
        copied = [t.source for t in self._tracks.values()]
        for stream in self._input.streams:
            if stream not in copied:
                stream.discard = Discard.all
        self._packets: Iterator[Packet[Any]] = iter(())
        if copied:
            self._packets = self._demux(copied)

    def _add(self, stream: Stream) -> None:
        name = getattr(stream, "name", None) or "unknown"
        what = f"{stream.type} track {stream.index} ({name})"
        if stream.disposition & Disposition.attached_pic:
            self._notes.append("its cover picture is left out")
            return
        if stream.type == "data" and name == "bin_data" and self._input.chapters():
            return  # their names, as MP4 holds them: they are copied as chapters
        if stream.type not in _COPIED:
            self._notes.append(f"{what} is left out")
            return
        if _is_hollow(stream):
            self._notes.append(f"{what} is damaged and left out")
            return
        target, recoder = self._target(stream, name), None
        if target is None and isinstance(stream, AudioStream):
            with suppress(*DECODER_FAULTS):
                recoder = Recoder(stream, self._output)
                target = recoder.stream
                self._notes.append(f"{what} does not fit into the output and becomes {target.name}")
        if target is None:
            fits = stream.type == "subtitle" or refused_later(name, self._output)
            mkv = fits and self._output.format.name != "matroska"
            advice = " (.mkv can hold it)" if mkv else ""
            self._notes.append(f"{what} does not fit into the output and is left out{advice}")
            return
        target.metadata.update(_named(stream))
        target.disposition = stream.disposition
        if name != timed_text.CODEC and stream.type != "attachment":
            track = _Track(stream, target, self._like, self._jumps, recoder)
            self._tracks[stream.index] = track
            if recoder is None and name == "aac" and self._output.format.name != "matroska":
                track.strip_headers()

    def _target(self, stream: Stream, name: str) -> Stream | None:
        """The track of the output that takes the packets as they are; None: there is no such."""
        if refused_later(name, self._output):
            return None
        try:
            if name != timed_text.CODEC:
                return self._output.add_stream_from_template(stream, opaque=True)
            self._texts.append(TimedText(self._like, stream, self._output))
            return self._texts[-1].stream
        except (*DECODER_FAULTS, AttributeError):
            return None

    def _copy_chapters(self) -> None:
        like = self._like
        chapters = []
        for chapter in self._input.chapters():
            base = chapter["time_base"]
            if base is None:
                continue
            first, last = chapter["start"] * base, chapter["end"] * base
            if last <= like.origin or (like.until is not None and first >= like.until):
                continue
            last = min(last, like.until) if like.until is not None else last
            chapter["start"] = round(max(first - like.origin, Fraction(0)) / base)
            chapter["end"] = round((last - like.origin) / base)
            chapters.append(chapter)
        if chapters:
            self._output.set_chapters(chapters)

    def _demux(self, streams: list[Stream]) -> Iterator[Packet[Any]]:
        like = self._like
        if like.cut and like.origin > 0:
            with suppress(*DECODER_FAULTS):  # without an index, all before is read and passed over
                # A text that is on screen at the start began before it.
                early = _TEXT_S if any(s.type == "subtitle" for s in streams) else 0
                self._input.seek(int((like.origin - early) * 1_000_000), backward=True)
        try:
            for packet in packets_of(self._input, streams):
                if packet.stream_index in self._tracks:
                    yield packet
        except DECODER_FAULTS as error:
            self._notes.append(f"sound and subtitles cannot be read on ({reason(error)})")

    def copy_until(self, time: Fraction | None) -> None:
        """Copy all packets that begin at `time` (seconds from like.origin) or before; None = all.

        Raises:
            av.FFmpegError, OSError: they cannot be written.
        """
        while True:
            if self._held is None:
                packet = next(self._packets, None)
                if packet is None:
                    self._copy_texts(time)
                    return
                self._held = packet, None
            packet, begins = self._held
            track = self._tracks[packet.stream_index]
            if begins is None:
                begins = track.place(packet, time)
                self._held = packet, begins
            if begins is None or (time is not None and begins > time):
                self._copy_texts(time)
                return
            self._copy_texts(begins)
            self._held = None
            if track.source.type == "subtitle":
                begins = _cut_to_start(packet, begins)
            if self._wanted(begins) and not track.overlaps:
                self._copy(packet)

    def _copy(self, packet: Packet[Any]) -> None:
        track = self._tracks[packet.stream_index]
        try:
            packets = track.bare(packet)
        except DECODER_FAULTS:
            self._refused += 1
            return
        self._give(track, packets)

    def _give(self, track: _Track, packets: list[Packet[Any]]) -> None:
        for one in packets:
            one.stream = track.stream
            self.mux(one)

    def mux(self, packet: Packet[Any]) -> None:
        """Give `packet` to the output.

        The muxer sorts by time, and so may meet a packet of another track that was given
        earlier. If that is damaged it is left out; lost pictures the sink finds when it counts.

        Raises:
            av.FFmpegError, OSError: it cannot be written.
        """
        try:
            self._output.mux(packet)
        except (av.InvalidDataError, av.PatchWelcomeError, av.ArgumentError):
            self._refused += 1

    def finish(self) -> None:
        """Copy the rest.

        Raises:
            av.FFmpegError, OSError: it cannot be written.
        """
        self.copy_until(None)
        for track in self._tracks.values():
            if track.recoder is not None:
                self._give(track, track.recoder.recoded(None))
                self._refused += track.recoder.lost
        if self._refused:
            packets = "1 packet" if self._refused == 1 else f"{self._refused} packets"
            self._notes.append(f"{packets} of sound or subtitles were damaged and are left out")

    def _copy_texts(self, time: Fraction | None) -> None:
        for text in self._texts:
            text.copy_until(time)

    def _wanted(self, begins: Fraction) -> bool:
        like = self._like
        if not like.cut:
            return True
        return begins >= 0 and (like.until is None or begins < like.until - like.origin)

    def close(self) -> None:
        """Free everything; safe to call again."""
        self._packets = iter(())
        self._resources.close()


def _named(stream: Stream) -> dict[str, str]:
    return {k: v for k, v in stream.metadata.items() if k.lower() in _LANGUAGE_AND_TITLE}


def _cut_to_start(packet: Packet[Any], begins: Fraction) -> Fraction:
    """Let a text that is on screen at 0 s begin there; when it begins now, seconds."""
    ends = begins + (packet.duration or 0) * packet.time_base
    if begins >= 0 or ends <= 0:
        return begins
    packet.pts = packet.dts = 0
    packet.duration = round(ends / packet.time_base)
    return Fraction(0)


def _is_hollow(stream: Stream) -> bool:
    """Is `stream` a sound track of which nothing could be learnt? The muxers refuse it."""
    codec = cast(AudioCodecContext | None, stream.codec_context)
    return isinstance(stream, AudioStream) and codec is not None and not codec.sample_rate


class _Track:
    """One track on its way from file to file.

    Attributes:
        overlaps: the packet placed last would be heard together with those before a jump.
        recoder: codes it anew; None where the packets are copied.
    """

    def __init__(
        self,
        source: Stream,
        stream: Stream,
        like: VideoInfo,
        jumps: Sequence[Fraction] | None,
        recoder: Recoder | None = None,
    ) -> None:
        self.recoder = recoder
        self._like = like
        self._jumps = jumps
        self._followed = 0  # of the jumps
        self.overlaps = False
        self.source = source
        self.stream = stream
        self._shift = 0
        self._next: int | None = None
        self._last: int | None = None
        self._seen = 0  # the last one's, also where that overlaps
        self._filter: BitStreamFilterContext | None = None

    def strip_headers(self) -> None:
        """Of AAC from a transport stream: every packet has a header that MP4 does not take.

        The muxer would do so itself, but not where its own header waits for the first packets.
        """
        codec = cast(AudioCodecContext | None, self.source.codec_context)
        if codec is None or not codec.extradata:
            self._filter = BitStreamFilterContext("aac_adtstoasc", self.source)

    def bare(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """`packet` as the output takes it."""
        if self.recoder is not None:
            return self.recoder.recoded(packet)
        if self._filter is None:
            return [packet]
        base = packet.time_base
        packets = self._filter.filter(packet)
        for one in packets:
            one.time_base = base
        return packets

    def place(self, packet: Packet[Any], time: Fraction | None) -> Fraction | None:
        """Give `packet` its times in the output, rising.

        Returns:
            seconds at which it begins; None where that depends on pictures that come after
            `time`, seconds.
        """
        base = packet.time_base
        moved = round(self._like.origin / base) - self._shift
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = (self._next or 0) + moved
        pts = packet.pts if packet.pts is not None else dts
        lead, dts = max(0, pts - dts), dts - moved
        if self._last is not None and leaps(dts * base, self._seen * base, self._like):
            expected = self._next if self._next is not None else self._last + 1
            shift = self._shift_after((self._shift + expected - dts) * base, expected * base, time)
            if shift is None:
                return None
            dts += round(shift / base) - self._shift
            self._shift = round(shift / base)
            self.overlaps = True  # perhaps
        if self._last is None or dts > self._last:
            self.overlaps = False
        elif not self.overlaps:
            dts = self._last + 1
        if not self.overlaps:
            self._last, self._next = dts, dts + (packet.duration or 1)
        self._seen = dts
        packet.dts, packet.pts = dts, dts + lead
        return packet.pts * base

    def _shift_after(
        self, own: Fraction, expected: Fraction, time: Fraction | None
    ) -> Fraction | None:
        """The shift after a jump: that of the pictures if they jump here as well, else `own`.

        Args:
            own: with which the track would go on without a gap, at `expected`; seconds.

        Returns:
            None where the pictures written up to `time` may jump yet.
        """
        if self._jumps is None:
            return own
        near = [
            (abs(jump - own), number, jump)
            for number, jump in enumerate(self._jumps)
            if number >= self._followed and abs(jump - own) <= _SEAM_S
        ]
        if near:
            _, number, jump = min(near)
            self._followed = number + 1
            return jump
        return None if time is not None and time <= expected + _SEAM_S else own
