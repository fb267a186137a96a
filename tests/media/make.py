"""Writes small videos with PyAV: there is no ffmpeg program where the tests run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.subtitles.stream import SubtitleStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

# The corners of every picture: top left, top right, bottom left, bottom right.
CORNERS = ((230, 30, 30), (30, 230, 30), (30, 30, 230), (230, 230, 30))
TICK = Fraction(1, 15360)


def picture(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8: coloured corners, a ramp, and a grey level that says `index`."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.linspace(60, 190, width, dtype=np.uint8)[None, :, None]
    y, x = height // 4, width // 4
    for corner, rows, columns in (
        (0, slice(0, y), slice(0, x)),
        (1, slice(0, y), slice(-x, None)),
        (2, slice(-y, None), slice(0, x)),
        (3, slice(-y, None), slice(-x, None)),
    ):
        image[rows, columns] = CORNERS[corner]
    image[y + 2 : -y - 2, x + 2 : -x - 2] = 20 + (index * 7) % 200
    return image


@dataclass
class Video:
    """What to write; see `write`."""

    frames: int = 30
    width: int = 320
    height: int = 240
    rate: int = 30
    pts: Sequence[int] | None = None  # in ticks of time_base
    time_base: Fraction = TICK
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    colour: tuple[int, int, int, int] | None = None  # primaries, transfer, matrix, range
    sample_aspect: Fraction | None = None
    rotation: tuple[int, bool, bool] | None = None  # degrees, hflip, vflip
    sound: int = 0  # number of tracks
    sound_codec: str = "aac"
    subtitles: str = ""  # codec
    options: dict[str, str] | None = None
    container_options: dict[str, str] | None = None
    container: str | None = None
    metadata: dict[str, str] | None = None
    chapters: bool = False
    title: str = ""  # of the pictures' track


def write(path: Path, video: Video) -> Path:
    """Write `video` to `path`."""
    with av.open(
        f"file:{path}", "w", format=video.container, container_options=video.container_options or {}
    ) as out:
        out.metadata.update(video.metadata or {})
        stream = _video_stream(out, video)
        sounds: list[AudioStream] = []
        for number in range(video.sound):
            track = out.add_stream(video.sound_codec, rate=48000, layout="mono")
            if video.sound_codec.startswith("wma"):
                track.bit_rate = 96_000  # it has none of its own
            track.metadata["language"] = ("eng", "fra", "deu")[number]
            sounds.append(track)
        words = _subtitles(out, video.subtitles) if video.subtitles else None
        if video.chapters:
            out.set_chapters([_chapter(0, 0, 400, "one"), _chapter(1, 400, 1000, "two")])
        spoken = video.rate  # samples of sound follow the pictures
        for index in range(video.frames):
            for packet in stream.encode(_frame(video, index)):
                out.mux(packet)
            for number, track in enumerate(sounds):
                for packet in track.encode(_sound(index, 48000 // spoken, number)):
                    out.mux(packet)
            if words is not None and index % 10 == 0:
                out.mux(_words(words, video.subtitles, index * 1000 // video.rate))
        for any_stream in (stream, *sounds):
            for packet in any_stream.encode(None):
                out.mux(packet)
    return path


def _video_stream(out: Any, video: Video) -> VideoStream:
    options = video.options or {"preset": "ultrafast", "bf": "2", "g": "15"}
    stream: VideoStream = out.add_stream(
        video.codec, rate=video.rate, options=options if video.codec.startswith("libx26") else {}
    )
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = video.width, video.height, video.pix_fmt
    context.time_base = stream.time_base = video.time_base
    if video.title:
        stream.metadata["title"] = video.title
    if video.sample_aspect is not None:
        context.sample_aspect_ratio = video.sample_aspect
    if video.colour is not None:
        context.color_primaries, context.color_trc = video.colour[:2]
        context.colorspace, context.color_range = video.colour[2:]
    if video.rotation is not None:
        degrees, hflip, vflip = video.rotation
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
    return stream


def _frame(video: Video, index: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(index, video.width, video.height))
    if video.colour is not None:
        frame = frame.reformat(
            format=video.pix_fmt,
            dst_colorspace={1: 1, 5: 5, 6: 5, 9: 9}[video.colour[2]],
            dst_color_range=video.colour[3],
        )
        frame.color_primaries, frame.color_trc = video.colour[:2]
        frame.colorspace, frame.color_range = video.colour[2:]
    step = int(1 / (video.rate * video.time_base))
    frame.pts = index * step if video.pts is None else video.pts[index]
    frame.time_base = video.time_base
    frame.duration = step
    return frame


def _sound(index: int, samples: int, track: int) -> av.AudioFrame:
    time = np.arange(index * samples, (index + 1) * samples) / 48000
    wave = (np.sin(2 * np.pi * (440 + 110 * track) * time) * 9000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, index * samples, Fraction(1, 48000)
    return frame


def _subtitles(out: Any, codec: str) -> SubtitleStream:
    stream: SubtitleStream = out.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "eng"
    return stream


def _words(stream: SubtitleStream, codec: str, time_ms: int) -> av.Packet:
    text = f"at {time_ms} ms".encode()
    packet = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
    packet.stream = stream
    packet.time_base = Fraction(1, 1000)
    packet.pts = packet.dts = time_ms
    packet.duration = 200
    return packet


def _chapter(number: int, start: int, end: int, title: str) -> Any:
    return {
        "id": number,
        "start": start,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


def join(path: Path, *parts: Path) -> Path:
    """The bytes of `parts`, one after the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def shortened(path: Path, source: Path, kind: str, seconds: float) -> Path:
    """`source` without the last `seconds` of its tracks of this kind, "video" or "audio"."""
    with av.open(str(source)) as old, av.open(str(path), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in old.streams}
        packets = [p for p in old.demux() if p.size]
        end = max((p.dts or 0) * p.time_base for p in packets if p.stream.type == kind)
        for packet in packets:
            cut = (packet.dts or 0) * packet.time_base > end - seconds
            if packet.stream.type != kind or not cut:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return path


def with_cover(path: Path, cover_only: Path) -> Path:
    """An M4A whose only "video" is the cover picture."""
    with av.open(str(cover_only)) as source, av.open(str(path), "w", format="mp4") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg", width=32, height=32)
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture(0, 32, 32))
        for packet in [*cover.encode(frame), *cover.encode(None)]:
            out.mux(packet)
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                out.mux(packet)
    return path


def mjpeg(path: Path, frames: int, other: dict[int, bytes]) -> Path:
    """An AVI of JPEGs as a camera gives them; `other`: what is in place of some of them."""
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj422p"
    encoder.time_base = tick = Fraction(1, 25)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj422p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, 64, 48))
            frame.pts, frame.time_base = index, tick
            (whole,) = encoder.encode(frame.reformat(format="yuvj422p"))
            packet = av.Packet(other.get(index, bytes(whole)))
            packet.stream, packet.time_base, packet.is_keyframe = stream, tick, True
            packet.pts = packet.dts = index
            out.mux(packet)
    return path


def sound_only(path: Path) -> Path:
    """Half a second of sound."""
    with av.open(str(path), "w") as out:
        track = out.add_stream("aac", rate=48000, layout="mono")
        for index in range(15):
            for packet in track.encode(_sound(index, 1600, 0)):
                out.mux(packet)
        for packet in track.encode(None):
            out.mux(packet)
    return path
