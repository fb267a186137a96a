"""VideoSource: what comes out of a recorded video, whole, odd or broken."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime_unmask.capture.probe import probe
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import MediaDamaged, MediaMissing, MediaUnsupported, UsageError
from realtime_unmask.media import SWS_FLAGS
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame
from tests.media.look import corners, look
from tests.media.make import TICK, Video, join, picture, sound_only, with_cover, write


def frames_of(path: Path, **part: Fraction) -> list[Frame]:
    with VideoSource(path, **part) as source:
        return list(source)


def uneven(frames: int, seed: int = 5) -> list[int]:
    steps = np.random.default_rng(seed).integers(100, 1500, frames)
    return [int(t) for t in np.cumsum(steps)]


def test_every_frame_comes_with_its_exact_time(tmp_path: Path) -> None:
    times = uneven(40)
    exact = {"movie_timescale": str(TICK.denominator)}
    video = Video(frames=40, pts=times, sound=1, container_options=exact)
    path = write(tmp_path / "vfr.mp4", video)
    frames = frames_of(path)
    assert [frame.pts for frame in frames] == [t * TICK for t in times]
    assert [frame.index for frame in frames] == list(range(40))


def test_pixels_are_those_that_were_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=3, options={"crf": "4"}))
    for index, frame in enumerate(frames_of(path)):
        error = np.abs(frame.image.astype(int) - picture(index, 320, 240))
        assert error.mean() < 2


def test_pixels_are_those_of_ffmpegs_exact_conversion(tmp_path: Path) -> None:
    """They are put together from planes, which is only quicker; 322 px: its lines are padded."""
    path = write(tmp_path / "a.mp4", Video(frames=2, width=322))
    (first, _) = frames_of(path)
    with av.open(str(path)) as container:
        shown = next(container.decode(video=0))
        exact = shown.reformat(format="rgb24", interpolation=SWS_FLAGS).to_ndarray()
    assert np.array_equal(first.image, exact)


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_matrix_and_the_range_of_the_file(
    tmp_path: Path, matrix: int, full: bool
) -> None:
    video = Video(frames=2, colour=(1, 1, matrix, 2 if full else 1), options={"crf": "4"})
    image = frames_of(write(tmp_path / "a.mp4", video))[0].image
    # Anywhere inside the corners: a wrong matrix or range moves these by 8 and more.
    for y, x in ((10, 10), (10, 300), (230, 10), (230, 300)):
        assert np.abs(image[y, x].astype(int) - picture(0, 320, 240)[y, x]).max() <= 4


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_come_upright_in_all_eight_orientations(
    tmp_path: Path, degrees: int, mirrored: bool
) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=2, rotation=(degrees, mirrored, False)))
    expected = np.rot90(picture(0, 320, 240), degrees // 90)  # counter-clockwise, like the tag
    if mirrored:
        expected = expected[:, ::-1]
    image = frames_of(path)[0].image
    assert image.shape == expected.shape
    assert corners(image) == corners(expected)


def test_the_sample_aspect_turns_with_the_picture(tmp_path: Path) -> None:
    tall = Video(frames=2, sample_aspect=Fraction(16, 11), rotation=(90, False, False))
    with VideoSource(write(tmp_path / "a.mp4", tall)) as source:
        assert (source.info.width, source.info.height) == (240, 320)
        assert source.info.sample_aspect == Fraction(11, 16)
        assert next(iter(source)).pixel_aspect == 11 / 16


def test_a_raw_stream_without_times_gets_those_of_its_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h264", Video(frames=12, container="h264"))
    times = [frame.pts for frame in frames_of(path)]
    assert len(times) == 12
    assert times[0] == 0
    steps = {b - a for a, b in pairwise(times) if a is not None}
    assert len(steps) == 1


@pytest.mark.parametrize("frames", [60, 30, 18])
def test_time_goes_on_where_the_clock_of_the_file_jumps_back(tmp_path: Path, frames: int) -> None:
    one = write(tmp_path / "one.ts", Video(frames=frames, sound=1, container="mpegts"))
    path = join(tmp_path / "two.ts", one, one)
    with VideoSource(path) as source:
        times = [float(frame.pts or 0) for frame in source]
        assert len(times) == 2 * frames
        assert all(b > a for a, b in pairwise(times))
        assert times[-1] == pytest.approx((2 * frames - 1) / 30, abs=0.1)
        assert any("the clock jumps" in note for note in source.notes)


def test_frames_of_another_size_are_fitted_into_the_first_size(tmp_path: Path) -> None:
    small = write(tmp_path / "s.ts", Video(frames=10, container="mpegts"))
    wide = write(tmp_path / "w.ts", Video(frames=10, width=640, height=240, container="mpegts"))
    with VideoSource(join(tmp_path / "both.ts", small, wide)) as source:
        frames = list(source)
        assert {frame.image.shape for frame in frames} == {(240, 320, 3)}
        assert len(frames) == 20
        assert not frames[-1].image[:50].any()  # 640 x 240 in 320 x 240: bars above and below
        assert corners(frames[-1].image[60:180]) == [0, 1, 2, 3]
        assert any("size" in note for note in source.notes)


def test_more_than_eight_bits_are_there_for_those_who_want_them(tmp_path: Path) -> None:
    video = Video(frames=4, codec="libx265", pix_fmt="yuv420p10le", colour=(9, 16, 9, 1))
    with VideoSource(write(tmp_path / "hdr.mp4", video)) as source:
        frame = next(iter(source))
        assert source.info.bit_depth == 10
        assert source.deep_image is not None and source.deep_image.dtype == np.uint16
        assert np.abs(source.deep_image / 257 - frame.image).max() <= 0.51


def test_start_and_end_take_the_frames_between_and_count_from_start(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=60))
    whole = [frame for frame in frames_of(path) if 1 <= (frame.pts or 0) < Fraction(3, 2)]
    part = frames_of(path, start=Fraction(1), end=Fraction(3, 2))
    assert [frame.pts for frame in part] == [(frame.pts or 0) - 1 for frame in whole]
    assert all((a.image == b.image).all() for a, b in zip(part, whole, strict=True))


_LONG_GROUPS = {
    "preset": "ultrafast",
    "x264-params": "keyint=50:min-keyint=50:scenecut=0:bframes=2",
}


@pytest.mark.parametrize(
    ("name", "codec", "more"),
    [
        ("a.ts", "libx264", {}),
        ("a.mts", "libx264", {"container": "mpegts"}),
        ("a.vob", "mpeg2video", {"container": "vob"}),
        ("many-in-a-packet.mpg", "mpeg2video", {"container": "vob", "width": 32, "height": 32}),
        ("a.flv", "libx264", {}),
        ("a.avi", "libx264", {}),
        ("a.mp4", "libx264", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
)
def test_no_picture_after_the_start_is_lost(
    tmp_path: Path, name: str, codec: str, more: dict[str, Any]
) -> None:
    """Where a seek ends behind the key frame that is needed, or at one that is shown later."""
    tick = Fraction(1, 25)
    video = Video(170, rate=25, time_base=tick, codec=codec, options=_LONG_GROUPS, **more)
    path = write(tmp_path / name, video)
    whole = frames_of(path)
    assert len(whole) == 170
    with VideoSource(path) as source:
        length = source.info.duration  # of a program stream too short, by some pictures
    for index in (10, 48, 49, 52, 80, 98, 99, 130, 165):
        start = whole[index].pts
        assert start is not None
        if index >= 130 and length is not None and start >= length:
            continue
        with VideoSource(path, start=start) as source:
            part = list(source)
            assert not source.notes
        assert len(part) == 170 - index
        assert part[0].pts == pytest.approx(0, abs=1e-4)
        assert all((a.image == b.image).all() for a, b in zip(part, whole[index:], strict=True))


def test_what_is_wrong_before_the_start_is_not_noted(tmp_path: Path) -> None:
    times = [index * 40 + (3000 if index >= 10 else 0) for index in range(60)]
    video = Video(frames=60, rate=25, pts=times, time_base=Fraction(1, 1000), codec="mpeg4")
    path = write(tmp_path / "a.mkv", video)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        keys = [n for n, p in enumerate(packets) if p.is_keyframe]
        broken = bytes(packets[keys[0] + 6])
    path.write_bytes(path.read_bytes().replace(broken, bytes(len(broken))))
    with VideoSource(path) as source:
        with pytest.raises(MediaDamaged, match="1 picture is broken"):
            list(source)
        assert any("pause" in note for note in source.notes)
    start = Fraction(times[11], 1000)
    assert keys[:2] == [0, 12]  # all is decoded from the first picture on
    with VideoSource(path, start=start) as source:
        assert len(list(source)) == 60 - 11
        assert not source.notes


def test_transparency_is_left_out_with_a_note(tmp_path: Path) -> None:
    note = ["its transparency is left out"]
    for name, codec, form, notes in (
        ("a.mov", "qtrle", "argb", note), ("b.mov", "qtrle", "rgb24", []),
        ("a.webm", "libvpx-vp9", "yuva420p", note), ("b.webm", "libvpx-vp9", "yuv420p", []),
    ):  # fmt: skip
        path = write(tmp_path / name, Video(frames=3, codec=codec, pix_fmt=form))
        with VideoSource(path) as source:
            assert len(list(source)) == 3
            assert source.notes == notes


@pytest.mark.parametrize("reorder", [True, False])
def test_a_last_picture_that_stays_long_is_no_damage(tmp_path: Path, reorder: bool) -> None:
    """Its length may be said with a picture that is stored after it and shown before it."""
    like = probe(write(tmp_path / "like.mp4", Video()))
    sink = VideoSink(tmp_path / "a.mp4", like, Encoding(reorder=reorder), tracks=False)
    for number in range(3):
        sink.write(Frame(picture(0, like.width, like.height), Fraction(number, 30)))
    sink.close(Fraction(2))
    with VideoSource(tmp_path / "a.mp4") as source:
        assert [frame.pts for frame in source] == [0, Fraction(1, 30), Fraction(1, 15)]
        assert 2 - source.end_pts <= like.time_base


def test_a_start_after_the_end_of_the_video_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=30))
    with pytest.raises(UsageError, match=r"after the end of .*a\.mp4, which lasts 1\.00 s"):
        VideoSource(path, start=Fraction(5))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaMissing, match=r"There is no file .*nothing\.mp4"):
        VideoSource(tmp_path / "nothing.mp4")


@pytest.mark.skipif(os.name != "posix", reason="other systems have other limits")
def test_a_name_that_is_too_long_is_missing_and_no_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(MediaMissing, match=r"cannot be read \(File name too long\)"):
        VideoSource(tmp_path / ("x" * 300 + ".mp4"))


def test_an_empty_file_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(MediaDamaged, match=r"a\.mp4 is empty"):
        VideoSource(tmp_path / "a.mp4")


def test_garbage_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises((MediaDamaged, MediaUnsupported), match=r"a\.mp4 is not a video"):
        VideoSource(path)


def test_a_file_without_its_index_is_damaged(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mp4", Video(frames=30)).read_bytes()
    path = tmp_path / "half.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaDamaged, match="index is damaged or missing"):
        VideoSource(path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaUnsupported, match="holds no video track"):
        VideoSource(sound_only(tmp_path / "a.m4a"))


def test_sound_with_a_cover_picture_is_refused(tmp_path: Path) -> None:
    path = with_cover(tmp_path / "b.m4a", sound_only(tmp_path / "a.m4a"))
    with pytest.raises(MediaUnsupported, match="holds a cover picture and no video"):
        VideoSource(path)


def test_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=5))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    with pytest.raises((MediaUnsupported, MediaDamaged), match=r"a\.mp4"):
        VideoSource(path)


def test_a_playlist_is_refused_before_it_can_open_other_files(tmp_path: Path) -> None:
    video = write(tmp_path / "a.ts", Video(frames=30, container="mpegts"))
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaUnsupported, match="is not a video that this program reads"):
        VideoSource(path)


def test_a_file_cut_short_gives_what_it_has_and_says_where_it_ends(tmp_path: Path) -> None:
    video = Video(frames=90, container_options={"movflags": "faststart"}, sound=1)
    whole = write(tmp_path / "whole.mp4", video).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    frames = []
    with VideoSource(path) as source, pytest.raises(MediaDamaged) as caught:
        for frame in source:
            frames.append(frame)
    assert 20 < len(frames) < 90
    assert caught.value.frames_kept == len(frames)
    assert caught.value.position_s == pytest.approx(len(frames) / 30, abs=0.2)
    assert "of 3.00 s" in str(caught.value)


def test_broken_pictures_in_the_middle_are_reported_with_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Video(frames=90))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(1).bytes(1500)
    path.write_bytes(data)
    with VideoSource(path) as source, pytest.raises(MediaDamaged, match="broken or missing") as e:
        for _ in source:
            pass
    assert e.value.position_s is not None and 0 < e.value.position_s < 3
    assert e.value.frames_kept > 40


@pytest.mark.parametrize(("codec", "form"), [("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_dropped_frames_of_an_avi_are_pauses_and_no_damage(
    tmp_path: Path, codec: str, form: str
) -> None:
    slots = [index + index // 8 * 3 for index in range(24)]
    tick = Fraction(1, 30)
    video = Video(frames=24, pts=slots, time_base=tick, codec=codec, pix_fmt=form)
    with VideoSource(write(tmp_path / "dropped.avi", video)) as source:
        assert [frame.pts for frame in source] == [slot * tick for slot in slots]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("00:00:02.500000000", 2.5),
        ("00:00:1/0", None),
        ("00:00:1e999999999", None),
        ("00:00:-5", None),
        ("soon", None),
    ],
)
def test_a_length_is_taken_from_a_tag_only_where_it_is_one(
    tmp_path: Path, said: str, seconds: float | None
) -> None:
    """FFmpeg writes a right one into each track's tags; here another one takes its place."""
    path = write(tmp_path / "a.mkv", Video(frames=30))
    right = b"00:00:01.000000000"
    data = path.read_bytes()
    assert data.count(right) == 1
    path.write_bytes(data.replace(right, said.encode().ljust(len(right), b"\0")))
    info = probe(path)
    assert info.duration == pytest.approx(seconds or 1)
    assert info.declares_video_end == (seconds is not None)


def test_the_length_is_known_before_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Video(frames=45, time_base=Fraction(1, 1000)))
    with VideoSource(path) as source:
        assert float(source.info.duration or 0) == pytest.approx(1.5, abs=0.05)
        assert len(list(source)) == 45 == len(look(path).pts)
