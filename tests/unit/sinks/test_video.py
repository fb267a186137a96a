"""VideoSink: what the file holds, and what is left of it when something goes wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.capture.probe import probe
from realtime_unmask.errors import OutputError, UsageError
from realtime_unmask.media import VideoInfo
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.partial import partial_of
from realtime_unmask.sinks.video import NOTICE, VideoSink
from realtime_unmask.types import Frame
from tests.media.look import look
from tests.media.make import Video, picture, write

FAST = Encoding(preset="ultrafast")


@pytest.fixture
def like(tmp_path: Path) -> VideoInfo:
    return probe(write(tmp_path / "source.mp4", Video(frames=5)))


def frame(index: int, seconds: Fraction | None, width: int = 320, height: int = 240) -> Frame:
    return Frame(picture(index, width, height), seconds, 0, index)


def test_nothing_has_the_final_name_before_close(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "folder" / "out.mp4"
    sink = VideoSink(out, like, FAST)
    sink.write(frame(0, Fraction(0)))
    assert partial_of(out).exists() and not out.exists()
    sink.close()
    assert out.exists() and not partial_of(out).exists()
    assert len(look(out).pts) == 1


def test_frames_without_times_follow_in_the_frame_rate(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, like, FAST)
    for index in range(4):
        sink.write(frame(index, None))
    sink.close()
    assert look(out).pts == [Fraction(index, 30) for index in range(4)]


def test_the_last_frame_lasts_until_the_end_that_is_given(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, like, FAST)
    for index in range(10):
        sink.write(frame(index, Fraction(index, 30)))
    sink.close(Fraction(2))
    assert look(out).duration == pytest.approx(2.0, abs=0.034)


@pytest.mark.parametrize("frames", [3, 8, 9, 16, 17, 30, 39])
def test_length_and_rate_are_exact_however_the_fragments_fall(
    tmp_path: Path, like: VideoInfo, frames: int
) -> None:
    """At 9, 17 and 39 the packet written last is alone in its fragment."""
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, like, Encoding())  # with reordered pictures
    for index in range(frames):
        sink.write(frame(index, Fraction(index, 30)))
    sink.close()
    found = look(out)
    assert found.pts == [Fraction(index, 30) for index in range(frames)]
    assert found.rate == 30
    assert found.duration == pytest.approx(frames / 30, abs=1e-4)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_pictures_that_stay_long_at_the_end_do_so(
    tmp_path: Path, like: VideoInfo, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    sink = VideoSink(out, like, Encoding())
    for index, time in enumerate([*(Fraction(n, 30) for n in range(30)), Fraction(3), Fraction(6)]):
        sink.write(frame(index, time))
    sink.close()
    found = look(out)
    assert len(found.pts) == 32
    assert found.duration == pytest.approx(6 + 1 / 30, abs=1e-3)


def test_a_key_frame_comes_every_second_however_uneven_the_times(
    tmp_path: Path, like: VideoInfo
) -> None:
    out = tmp_path / "out.mp4"
    steps = np.random.default_rng(3).integers(200, 3000, 60)
    sink = VideoSink(out, like)
    for index, tick in enumerate(np.cumsum(steps)):
        sink.write(frame(index, int(tick) * like.time_base))
    sink.close()
    found = look(out)
    for key, following in zip(found.key_times, [*found.key_times[1:], found.pts[-1]], strict=True):
        inside = [t for t in found.pts if key <= t < following]
        assert inside[-1] - key <= 1


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_video_of_a_frame_or_two_can_be_written(
    tmp_path: Path, like: VideoInfo, frames: int, codec: str
) -> None:
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, like, Encoding(codec, preset="ultrafast"))
    for index in range(frames):
        sink.write(frame(index, Fraction(index, 30)))
    sink.close()
    assert look(out).pts == [Fraction(index, 30) for index in range(frames)]


def test_interlaced_pictures_whose_rows_do_not_come_in_fours_are_woven(
    tmp_path: Path, like: VideoInfo
) -> None:
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, replace(like, field_order="top", height=242), FAST)
    sink.write(frame(0, Fraction(0), 320, 242))
    sink.close()
    assert len(look(out).pts) == 1
    assert sink.notes == ["it is interlaced: the fields are written woven into whole pictures"]


def test_abort_leaves_nothing(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    sink = VideoSink(out, like, FAST)
    for index in range(40):
        sink.write(frame(index, Fraction(index, 30)))
    sink.abort()
    sink.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


@pytest.mark.parametrize("full", [False, True])
def test_folders_that_were_made_for_nothing_go_and_others_stay(
    tmp_path: Path, like: VideoInfo, full: bool
) -> None:
    (tmp_path / "theirs").mkdir()
    for folder in ("theirs", "theirs/new/deep"):
        sink = VideoSink(tmp_path / folder / "out.mp4", like, FAST)
        assert sink.partial.exists()
        if full:
            sink._file.error = OSError(28, "No space left on device")
            with pytest.raises(OutputError, match="cannot be written"):
                sink.close()
        else:
            sink.abort()
        assert not list((tmp_path / "theirs").iterdir())


def test_a_folder_in_which_the_file_cannot_be_made_goes_again(
    tmp_path: Path, like: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(KeyboardInterrupt):
            VideoSink(tmp_path / "new" / "deep" / "out.mp4", like, FAST)
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_a_frame_of_another_size_is_refused(tmp_path: Path, like: VideoInfo) -> None:
    sink = VideoSink(tmp_path / "out.mp4", like, FAST)
    with pytest.raises(ValueError, match="64 x 48"):
        sink.write(frame(0, Fraction(0), 64, 48))
    sink.abort()


def test_a_time_that_does_not_rise_is_refused(tmp_path: Path, like: VideoInfo) -> None:
    sink = VideoSink(tmp_path / "out.mp4", like, FAST)
    sink.write(frame(0, Fraction(1)))
    with pytest.raises(ValueError, match="not later"):
        sink.write(frame(1, Fraction(1)))
    sink.abort()


def test_times_a_tick_apart_stay_apart_wherever_they_lie(tmp_path: Path, like: VideoInfo) -> None:
    """Of halves, rounding to the even number would make 3063.5 and 3064.5 ticks the same one."""
    sink = VideoSink(tmp_path / "a.mp4", like)
    image = np.zeros((like.height, like.width, 3), np.uint8)
    for half_ticks in (6127, 6129, 6131):
        sink.write(Frame(image, half_ticks * like.time_base / 2))
    sink.close()
    assert look(tmp_path / "a.mp4").pts == [n * like.time_base for n in (3064, 3065, 3066)]


def test_what_exists_is_only_replaced_by_force(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"out\.mp4 exists already.*--force"):
        VideoSink(out, like, FAST)
    assert out.read_text() == "mine"
    sink = VideoSink(out, like, FAST, force=True)
    sink.write(frame(0, Fraction(0)))
    assert out.read_text() == "mine"  # until the new one is whole
    sink.close()
    assert len(look(out).pts) == 1


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays_one(tmp_path: Path, like: VideoInfo, dangling: bool) -> None:
    there, link = tmp_path / "disk" / "there.mp4", tmp_path / "link.mp4"
    if not dangling:
        there.parent.mkdir()
        there.write_bytes(b"old")
    link.symlink_to("disk/there.mp4")
    sink = VideoSink(link, like, FAST, force=not dangling)
    sink.write(frame(0, Fraction(0)))
    assert sink.partial.parent.samefile(there.parent)  # of its disk: it can be renamed there
    sink.close()
    assert link.is_symlink() and len(look(there).pts) == 1
    assert [path.name for path in there.parent.iterdir()] == ["there.mp4"]


def test_the_partial_file_of_another_run_is_not_overwritten(
    tmp_path: Path, like: VideoInfo
) -> None:
    (tmp_path / "out.partial.mp4").write_text("hours of work")
    with pytest.raises(UsageError, match=r"out\.partial\.mp4 is left from a run"):
        VideoSink(tmp_path / "out.mp4", like, FAST)
    assert (tmp_path / "out.partial.mp4").read_text() == "hours of work"


@pytest.mark.parametrize("letter", ["a", "ü", "面"])
def test_the_longest_legal_name_has_a_partial_one_of_its_own(
    tmp_path: Path, like: VideoInfo, letter: str
) -> None:
    room = 250 // len(letter.encode())
    one, other = (tmp_path / f"{letter * room}{end}.mp4" for end in "12")
    sinks = [VideoSink(path, like, FAST) for path in (one, other)]
    for sink in sinks:
        assert sink.partial.exists() and sink.partial.name.endswith(".partial.mp4")
        assert sink.partial.name.startswith(letter * (room // 2))
        sink.write(frame(0, Fraction(0)))
        sink.keep()  # as a run that was cut short does
    with pytest.raises(UsageError, match="is left from a run"):
        VideoSink(one, like, FAST)
    for path in (one, other):
        sink = VideoSink(path, like, FAST, force=True)
        sink.write(frame(0, Fraction(0)))
        sink.close()
    assert {path.name for path in tmp_path.iterdir()} == {"source.mp4", one.name, other.name}


def test_a_name_with_room_keeps_it_whole(tmp_path: Path) -> None:
    stem = "a" * (255 - len(".partial.mp4"))
    assert partial_of(tmp_path / f"{stem}.mp4").name == f"{stem}.partial.mp4"


@pytest.mark.parametrize("name", ["out.avi", "out", "out.txt"])
def test_other_endings_are_refused(tmp_path: Path, like: VideoInfo, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mp4, \.m4v, \.mov, \.mkv"):
        VideoSink(tmp_path / name, like, FAST)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path, like: VideoInfo) -> None:
    with pytest.raises(OutputError, match=r"out\.mp4 cannot be written"):
        VideoSink(tmp_path / "source.mp4" / "out.mp4", like, FAST)


def test_a_file_that_lost_frames_is_not_called_done(
    tmp_path: Path, like: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = VideoSink(tmp_path / "out.mp4", like, FAST)
    for index in range(5):
        sink.write(frame(index, Fraction(index, 30)))
    monkeypatch.setattr("realtime_unmask.sinks.video.count_packets", lambda path: 4)
    with pytest.raises(OutputError, match="5 frames were written, 4 can be read"):
        sink.close()
    assert not (tmp_path / "out.mp4").exists()
    assert (tmp_path / "out.partial.mp4").exists()


def test_the_notice_joins_the_comment_that_was_there(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    told = replace(like, metadata={"title": "A talk", "comment": "by me", "major_brand": "odd "})
    sink = VideoSink(out, told, FAST)
    sink.write(frame(0, Fraction(0)))
    sink.close()
    metadata = look(out).metadata
    assert metadata["title"] == "A talk"
    assert metadata["comment"] == f"by me | {NOTICE}"
    assert metadata["major_brand"] != "odd "


@pytest.mark.parametrize(("crf", "codec"), [(60, "auto"), (-1, "h264"), (20, "vp9")])
def test_impossible_encodings_are_refused(crf: int, codec: str) -> None:
    with pytest.raises(UsageError):
        Encoding(codec, crf)


@pytest.mark.parametrize("size", [(48, 240), (320, 40)])
def test_x265_is_never_given_a_picture_so_narrow_that_it_ends_the_program(
    tmp_path: Path, like: VideoInfo, size: tuple[int, int]
) -> None:
    deep, out = replace(like, bit_depth=10), tmp_path / "out.mp4"
    sink = VideoSink(out, deep, FAST, size=size)
    sink.write(frame(0, Fraction(0), *size))
    sink.close()
    assert look(out).codec == "h264"
    assert "10 bits a component become 8" in sink.notes  # and HEVC is not recommended
    with pytest.raises(UsageError, match=rf"{size[0]} x {size[1]} are smaller than 64 x 64"):
        VideoSink(tmp_path / "hevc.mp4", like, Encoding("hevc"), size=size)
    assert not list(tmp_path.glob("hevc*"))


def test_quality_and_preset_reach_the_encoder(tmp_path: Path, like: VideoInfo) -> None:
    sizes = {}
    for crf in (10, 40):
        out = tmp_path / f"{crf}.mp4"
        sink = VideoSink(out, like, Encoding(crf=crf, preset="ultrafast"))
        noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
        sink.write(Frame(noise, Fraction(0)))
        sink.close()
        sizes[crf] = out.stat().st_size
    assert sizes[10] > 3 * sizes[40]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX locks")
def test_two_runs_cannot_write_one_partial_file(tmp_path: Path, like: VideoInfo) -> None:
    out = tmp_path / "out.mp4"
    first = VideoSink(out, like, FAST, force=True)
    with pytest.raises(UsageError, match="another run"):
        VideoSink(out, like, FAST, force=True)
    first.write(frame(0, Fraction(0)))
    first.close()
    assert len(look(out).pts) == 1
    second = VideoSink(out, like, FAST, force=True)
    second.abort()
    assert len(look(out).pts) == 1 and not partial_of(out).exists()
