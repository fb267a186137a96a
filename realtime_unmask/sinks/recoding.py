"""Sound that the output cannot hold as it is: decoded, and coded again without loss."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

# FFmpeg's header of a MOV refuses these, though add_stream_from_template takes them.
_NOT_IN_MOV = frozenset({"flac", "opus"})


def refused_later(codec: str, output: OutputContainer) -> bool:
    """Whether the output seems to take a codec, and fails when it is started."""
    return output.format.name == "mov" and codec in _NOT_IN_MOV


class Recoder:
    """One track of sound on its way from codec to codec: FLAC, or PCM where that does not fit.

    Args:
        source: the track; its decoder is used.
        output: not yet started.

    Attributes:
        stream: the new track.
        lost: packets that could not be decoded.

    Raises:
        as add_stream; ValueError: there is no decoder.
    """

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        context = cast(AudioCodecContext | None, source.codec_context)
        if context is None or not context.sample_rate:
            raise ValueError("it cannot be decoded")
        self._decoder = context
        codec = "pcm_s16le" if output.format.name == "mov" else "flac"
        self.stream = cast(AudioStream, output.add_stream(codec, rate=context.sample_rate))
        self.stream.codec_context.layout = context.layout
        self.stream.codec_context.format = "s16"
        self.stream.codec_context.time_base = Fraction(1, context.sample_rate)
        self.lost = 0

    def recoded(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """What the sound of `packet` becomes, with its times; None: what is left at the end."""
        made: list[Packet[Any]] = []
        try:
            frames = self._decoder.decode(packet)
        except av.EOFError:
            frames = []
        except av.FFmpegError:
            self.lost += 1
            return made
        for frame in frames:
            if packet is not None:
                frame.time_base = packet.time_base
            made += self.stream.encode(frame)
        if packet is None:
            made += self.stream.encode(None)
        return [one for one in made if one.size]  # FLAC ends with a packet that holds no sound
