"""Sound, subtitles and the names of tracks on their way through convert_video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.look import Look, look
from tests.media.make import Video, join, shortened, write
from tests.unit.pipeline.convert_fakes import FAST, convert


def spoken(found: Look, track: int) -> list[tuple[Fraction, bytes]]:
    pairs = zip(found.packet_times[track], found.packets[track], strict=True)
    return [(time, data) for time, data in pairs if data.strip(b"\0")]


def test_all_sound_is_copied_bit_for_bit_and_in_time(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=60, sound=3))
    before, after = look(source), convert(source, tmp_path / "out.mp4")[1]
    assert after.kinds == before.kinds
    assert [kind for kind, _ in after.kinds] == ["video", "audio", "audio", "audio"]
    assert after.packets == before.packets
    assert after.packet_times == before.packet_times


@pytest.mark.parametrize(
    ("sound", "container", "ending", "becomes"),
    [
        ("wmav2", "asf", "mkv", "flac"),
        ("wmav2", "asf", "mp4", "flac"),
        ("wmav2", "asf", "mov", "alac"),
        ("adpcm_ms", "avi", "mkv", "flac"),
        ("flac", "matroska", "mov", "alac"),
        ("libopus", "webm", "mov", "alac"),
    ],
)
def test_sound_that_does_not_fit_is_coded_anew(
    tmp_path: Path, sound: str, container: str, ending: str, becomes: str
) -> None:
    codec = "libvpx" if container == "webm" else "mpeg4"
    video = Video(frames=45, codec=codec, sound=2, sound_codec=sound, container=container)
    source = write(tmp_path / "source", video)
    report, found = convert(source, tmp_path / f"out.{ending}")
    assert [kind for kind, _ in found.kinds] == ["video", "audio", "audio"]
    assert len(report.notes) == 2 and all(f"becomes {becomes}" in note for note in report.notes)
    for track, pitch in ((0, 440), (1, 550)):
        before, after = heard(source, track), heard(tmp_path / f"out.{ending}", track)
        assert after.size == before.size
        assert np.abs(after - before).max() < 2e-4
        spectrum = np.abs(np.fft.rfft(after))
        assert np.argmax(spectrum) * 48000 / after.size == pytest.approx(pitch, abs=2)


def test_sound_that_cannot_be_coded_anew_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    write(tmp_path / "pictures.mkv", Video(frames=9, options={"bf": "0"}))
    with av.open(str(tmp_path / "pictures.mkv")) as old, av.open(str(source), "w") as out:
        pictures = out.add_stream_from_template(old.streams.video[0])
        sound = out.add_stream("flac", rate=48_000, layout="7.1")
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                out.mux(packet)
        silence = np.zeros((1, 8 * 14_400), np.int16)
        block = av.AudioFrame.from_ndarray(silence, "s16", "7.1")
        block.sample_rate, block.pts, block.time_base = 48_000, 0, Fraction(1, 48_000)
        out.mux(sound.encode(block))
        out.mux(sound.encode(None))
    report, found = convert(source, tmp_path / "out.mov")
    assert [kind for kind, _ in found.kinds] == ["video"]
    assert report.notes == (
        "audio track 1 (flac) does not fit into the output and is left out (.mkv can hold it)",
    )


def test_sound_coded_anew_keeps_its_gaps_and_its_bits(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    write(tmp_path / "pictures.mkv", Video(frames=60, options={"bf": "0"}))
    loud = (np.sin(np.arange(96_000) / 17) * 2**29).astype(np.int32) & ~0xFF  # 24 bits
    with av.open(str(tmp_path / "pictures.mkv")) as old, av.open(str(source), "w") as out:
        pictures = out.add_stream_from_template(old.streams.video[0])
        sound = out.add_stream("flac", rate=48_000, layout="mono")
        sound.codec_context.format = "s32"
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                out.mux(packet)
        for start in (*range(0, 24_000, 4800), *range(62_400, 96_000, 4800)):
            block = av.AudioFrame.from_ndarray(loud[None, start : start + 4800], "s32", "mono")
            block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
            out.mux(sound.encode(block))
        out.mux(sound.encode(None))
    convert(source, tmp_path / "out.mov")
    assert np.array_equal(heard(source, 0), heard(tmp_path / "out.mov", 0))
    before, after = times(source), times(tmp_path / "out.mov")
    assert max(np.diff(before)) > 0.5
    for time in (0.0, 0.25, 1.5, 1.9):  # the blocks are of other lengths
        assert min(abs(t - time) for t in after) < 0.1
    assert after[-1] == pytest.approx(before[-1], abs=0.1)


def times(path: Path) -> list[float]:
    """When the blocks of the first track of sound begin, seconds."""
    with av.open(f"file:{path}") as file:
        return [float(one.pts * one.time_base) for one in file.decode(audio=0)]  # type: ignore[operator]


def heard(path: Path, track: int) -> NDArray[np.float32]:
    """All samples of a track, -1..1."""
    resampler = av.AudioResampler("fltp", "mono", 48000)
    with av.open(f"file:{path}") as file:
        frames = [*file.decode(file.streams.audio[track]), None]
        parts = [one.to_ndarray()[0] for frame in frames for one in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


def test_a_text_on_screen_at_the_start_is_kept(tmp_path: Path) -> None:
    video = Video(frames=60, sound=1, subtitles="subrip", options={"g": "5"})
    source = write(tmp_path / "in.mkv", video)
    _, found = convert(source, tmp_path / "out.mkv", replace(FAST, start=Fraction(11, 10)))
    texts = dict(spoken(found, 2))
    assert texts[Fraction(0)] == b"at 1000 ms"  # until 1.2 s
    assert b"at 1333 ms" in texts.values() and b"at 666 ms" not in texts.values()


def test_the_title_of_the_pictures_track_is_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mkv", Video(frames=3, title="Camera 2"))
    convert(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert file.streams.video[0].metadata["title"] == "Camera 2"


@pytest.mark.parametrize(("codec", "ending"), [("mov_text", "mp4"), ("subrip", "mkv")])
def test_subtitles_are_copied(tmp_path: Path, codec: str, ending: str) -> None:
    source = write(tmp_path / f"in.{ending}", Video(frames=60, sound=1, subtitles=codec))
    before, (report, after) = look(source), convert(source, tmp_path / f"out.{ending}")
    assert ("subtitle", "eng") in after.kinds and after.kinds == before.kinds
    # Pauses between the texts are the muxer's own (two zero bytes in an MP4).
    assert spoken(after, 2) == spoken(before, 2)
    assert len(spoken(after, 2)) == 6
    assert after.packets[1] == before.packets[1]
    assert not report.notes


def test_subtitles_that_do_not_fit_are_named(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mkv", Video(frames=30, sound=1, subtitles="subrip"))
    report, found = convert(source, tmp_path / "out.mp4")
    assert [kind for kind, _ in found.kinds] == ["video", "audio"]
    assert len(report.notes) == 1
    assert "subtitle track 2 (srt)" in report.notes[0] and ".mkv can hold it" in report.notes[0]


@pytest.mark.parametrize("frames", [60, 30, 20])
def test_glued_recordings_keep_sound_and_pictures_together(tmp_path: Path, frames: int) -> None:
    one = write(tmp_path / "one.ts", Video(frames=frames, sound=1, container="mpegts"))
    source = join(tmp_path / "two.ts", one, one)
    found = convert(source, tmp_path / "out.mp4")[1]
    assert len(found.pts) == 2 * frames
    times = found.packet_times[1]
    assert all(b > a for a, b in pairwise(times))
    assert float(times[-1] - found.pts[-1]) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("ends_first", ["video", "audio"])
def test_sound_and_pictures_of_glued_recordings_jump_as_one(
    tmp_path: Path, ends_first: str
) -> None:
    one = write(tmp_path / "one.ts", Video(frames=75, sound=1, container="mpegts"))
    one = shortened(tmp_path / "part.ts", one, ends_first, 0.5)
    source = join(tmp_path / "three.ts", one, one, one)
    found = convert(source, tmp_path / "out.mp4")[1]
    frames = len(found.pts) // 3
    assert frames == (60 if ends_first == "video" else 75)
    parts = [float(found.pts[n * frames] - found.pts[0]) for n in range(3)]
    word = look(one).packets[1][40][7:]  # a second after the beginning, without its header
    heard = [time for time, data in spoken(found, 1) if data == word]
    assert [float(time - heard[0]) for time in heard] == pytest.approx(parts, abs=2e-3)
    longest = 0.55 if ends_first == "audio" else 0.05
    assert all(0.01 < b - a < longest for a, b in pairwise(found.packet_times[1]))


def test_sound_whose_clock_alone_jumps_goes_on_without_the_pictures(tmp_path: Path) -> None:
    one = write(tmp_path / "one.ts", Video(frames=270, sound=1, container="mpegts"))
    two = write(tmp_path / "two.ts", Video(frames=60, sound=1, container="mpegts"))
    source = join(
        tmp_path / "back.ts",
        shortened(tmp_path / "1.ts", one, "audio", 7),
        shortened(tmp_path / "2.ts", two, "video", 10),
    )
    found = convert(source, tmp_path / "out.mp4")[1]
    assert len(found.packets[1]) == len(look(source).packets[1]) > 180
    assert all(0.01 < b - a < 0.05 for a, b in pairwise(found.packet_times[1]))
