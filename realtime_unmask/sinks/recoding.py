"""Sound that the output cannot hold as it is: decoded, and coded again without loss."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, cast

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
    """One track of sound on its way from codec to codec: FLAC, or ALAC where that does not fit.

    Not PCM: in a MOV its times are its samples counted, so that gaps would be lost.

    Args:
        source: the track; its decoder is used.
        output: not yet started.

    Attributes:
        stream: the new track.
        lost: packets that could not be decoded.

    Raises:
        av.FFmpegError: the new codec cannot hold it; ValueError: there is no decoder.
    """

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        context = cast(AudioCodecContext | None, source.codec_context)
        if context is None or not context.sample_rate:
            raise ValueError("it cannot be decoded")
        self._decoder = context
        mov = output.format.name == "mov"
        codec: Literal["alac", "flac"] = "alac" if mov else "flac"
        self._base = self._ticks = Fraction(1, context.sample_rate)
        trial = av.CodecContext.create(codec, "w")
        self._set_up(trial, context)
        trial.open()  # ALAC knows few layouts, and a track that was added cannot be taken away
        self.stream = output.add_stream(codec, rate=context.sample_rate)
        self._set_up(self.stream.codec_context, context)
        self.lost = 0

    def _set_up(self, coder: AudioCodecContext, source: AudioCodecContext) -> None:
        deep = source.format.name in ("s32", "s32p")  # 24 bits of it, which is all there are
        coder.format = ("s32" if deep else "s16") + ("p" if coder.name == "alac" else "")
        # Some files name a number of channels only, which is not enough for ALAC.
        layouts = {1: "mono", 2: "stereo"}
        coder.layout = layouts.get(source.layout.nb_channels, source.layout)
        coder.sample_rate, coder.time_base = source.sample_rate, self._base

    def recoded(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """What the sound of `packet` becomes, with its times; None: what is left at the end."""
        made: list[Packet[Any]] = []
        frames: list[av.AudioFrame] = []
        if packet is not None:
            self._ticks = packet.time_base
        try:
            frames = self._decoder.decode(packet)
        except av.EOFError:
            pass
        except av.FFmpegError:
            self.lost += 1
        for frame in frames:
            if frame.pts is not None:  # a tick of the source may be as long as a block of sound
                frame.pts = round(frame.pts * self._ticks / self._base)
            frame.time_base = self._base
            made += self.stream.encode(frame)
        if packet is None:
            made += self.stream.encode(None)
        return [one for one in made if one.size]  # FLAC ends with a packet that holds no sound
