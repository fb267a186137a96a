"""convert_video: a file in, a file out, and nothing lost on the way."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from realtime_unmask.capture.probe import probe
from realtime_unmask.media import Grading
from realtime_unmask.pipeline.convert import ConvertOptions, Progress, convert_video
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.video import NOTICE
from tests.media.look import corners, look
from tests.media.make import TICK, Video, picture, write
from tests.unit.pipeline.convert_fakes import FAST, convert, painted, untouched


@pytest.mark.parametrize("ending", ["mp4", "mov"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_uneven_times_are_kept_exactly(tmp_path: Path, ending: str, codec: str) -> None:
    times = [int(t) for t in np.cumsum(np.random.default_rng(7).integers(100, 1500, 50))]
    exact = {"movie_timescale": str(TICK.denominator)}
    video = Video(frames=50, pts=times, sound=1, container_options=exact)
    source = write(tmp_path / "in.mp4", video)
    options = ConvertOptions(Encoding(codec, preset="veryfast"))
    report, found = convert(source, tmp_path / f"out.{ending}", options)
    assert report.frames == 50
    assert found.pts == look(source).pts == [t * TICK for t in times]
    assert found.duration == pytest.approx(look(source).duration, abs=1e-3)


def test_matroska_keeps_the_times_of_matroska(tmp_path: Path) -> None:
    times = [int(t) for t in np.cumsum(np.random.default_rng(7).integers(9, 90, 40))]
    video = Video(frames=40, pts=times, time_base=Fraction(1, 1000), sound=1)
    source = write(tmp_path / "in.mkv", video)
    assert convert(source, tmp_path / "out.mkv")[1].pts == look(source).pts


def graded(path: Path) -> Path:
    """A video in HDR10."""
    limits = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    options = {"preset": "ultrafast", "x265-params": f"{limits}:max-cll=1000,400:log-level=none"}
    video = Video(frames=8, codec="libx265", pix_fmt="yuv420p10le", colour=(9, 16, 9, 1))
    return write(path, replace(video, options=options))


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_brightness_limits_are_kept(tmp_path: Path, ending: str) -> None:
    source = graded(tmp_path / f"in.{ending}")
    report, _ = convert(source, tmp_path / f"out.{ending}")
    assert not report.notes
    colours = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)
    wanted = Grading((*colours, 1, 10_000_000), (1000, 400))
    assert probe(source).grading == probe(tmp_path / f"out.{ending}").grading == wanted


def test_brightness_limits_that_are_lost_are_noted(tmp_path: Path) -> None:
    source = graded(tmp_path / "in.mkv")
    report, _ = convert(source, tmp_path / "out.mkv", ConvertOptions(Encoding("h264")))
    assert any("HDR10 data" in note for note in report.notes)
    assert not probe(tmp_path / "out.mkv").grading


def test_metadata_and_chapters_are_kept_and_the_notice_is_added(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(metadata={"title": "A talk"}, chapters=True))
    report, found = convert(source, tmp_path / "out.mp4")
    assert not report.notes
    assert found.metadata["title"] == "A talk"
    assert found.metadata["comment"] == NOTICE
    assert [title for *_, title in found.chapters] == ["one", "two"]
    assert found.chapters == look(source).chapters


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_orientation_is_written_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=2, rotation=(degrees, mirrored, False)))
    expected = np.rot90(picture(0, 320, 240), degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    found = convert(source, tmp_path / "out.mp4")[1]
    assert not found.rotated
    assert found.images[0].shape == expected.shape
    assert corners(found.images[0]) == corners(expected)


@pytest.mark.parametrize(
    "colour", [(1, 1, 1, 1), (5, 6, 5, 1), (1, 13, 6, 2), (9, 14, 9, 1), (2, 2, 2, 0)]
)
def test_colour_tags_and_pixels_are_kept(tmp_path: Path, colour: tuple[int, int, int, int]) -> None:
    video = Video(frames=3, colour=None if colour[2] == 2 else colour, options={"crf": "4"})
    source = write(tmp_path / "in.mp4", video)
    before = look(source, images=True)
    after = convert(source, tmp_path / "out.mp4", ConvertOptions(Encoding(crf=4)))[1]
    assert after.colour == before.colour == colour
    for a, b in zip(before.images, after.images, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 1.5


@pytest.mark.parametrize("size", [(321, 239), (320, 239), (321, 240)])
def test_odd_sizes_are_kept_to_the_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    video = Video(frames=3, width=width, height=height, pix_fmt="yuv444p")
    report, found = convert(write(tmp_path / "in.mp4", video), tmp_path / "out.mp4")
    assert found.images[0].shape == (height, width, 3)
    assert corners(found.images[0]) == [0, 1, 2, 3]
    assert any("odd size" in note for note in report.notes)


@pytest.mark.parametrize(("codec", "crf", "said"), [("h264", 0, 1), ("h264", 1, 0), ("hevc", 0, 0)])
def test_a_quality_that_some_players_refuse_is_said(
    tmp_path: Path, codec: str, crf: int, said: int
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=3))
    report, _ = convert(source, tmp_path / "out.mp4", ConvertOptions(Encoding(codec, crf)))
    assert sum("hardware players refuse" in note for note in report.notes) == said
    with av.open(str(tmp_path / "out.mp4")) as container:
        profile = container.streams.video[0].codec_context.profile or ""
    assert ("4:4:4" in profile) is bool(said)


def test_the_sample_aspect_is_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=3, sample_aspect=Fraction(16, 11)))
    assert convert(source, tmp_path / "out.mp4")[1].sample_aspect == Fraction(16, 11)


def test_ten_bits_stay_ten_bits_where_nothing_is_painted(tmp_path: Path) -> None:
    video = Video(frames=4, codec="libx265", pix_fmt="yuv420p10le", colour=(9, 16, 9, 1))
    source = write(tmp_path / "in.mp4", video)
    report, found = convert(source, tmp_path / "out.mp4")
    assert (found.codec, found.pix_fmt) == ("hevc", "yuv420p10le")
    assert found.colour == (9, 16, 9, 1)
    assert not report.notes
    asked = ConvertOptions(Encoding("h264", preset="ultrafast"))
    report, found = convert(source, tmp_path / "less.mp4", asked)
    assert (found.codec, found.pix_fmt) == ("h264", "yuv420p")
    assert report.notes == ("10 bits a component become 8; --codec hevc keeps 10",)


def test_interlaced_pictures_stay_interlaced(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x264-params": "tff=1"}
    source = write(tmp_path / "in.mp4", Video(frames=5, options=options))
    assert look(source).interlaced
    assert convert(source, tmp_path / "out.mp4")[1].interlaced


@pytest.mark.parametrize(
    ("rotation", "order"),
    [((0, True, False), "top"), ((0, False, True), "bottom"), ((180, False, False), "bottom")],
)
def test_the_first_field_stays_the_first_one_upside_down(
    tmp_path: Path, rotation: tuple[int, bool, bool], order: str
) -> None:
    options = {"preset": "ultrafast", "x264-params": "tff=1"}
    source = write(tmp_path / "in.mp4", Video(frames=5, options=options, rotation=rotation))
    assert probe(source).field_order == "top"
    convert(source, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").field_order == order


def test_a_part_begins_at_zero_with_its_sound(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=90, sound=1))
    options = replace(FAST, start=Fraction(1), end=Fraction(2))
    report, found = convert(source, tmp_path / "out.mp4", options)
    assert report.frames == 30
    assert found.pts == [Fraction(index, 30) for index in range(30)]
    before = look(source)
    inside = [
        (time - 1, data)
        for time, data in zip(before.packet_times[1], before.packets[1], strict=True)
        if 1 <= time < 2
    ]
    after = list(zip(found.packet_times[1], found.packets[1], strict=True))
    assert [data for _, data in after] == [data for _, data in inside]
    shifts = [abs(a - b) for (a, _), (b, _) in zip(after, inside, strict=True)]
    assert max(shifts) <= TICK


def test_a_part_may_begin_between_two_frames_of_one_tick_each(tmp_path: Path) -> None:
    """The clock of an AVI counts frames: half a frame is no time that can be written."""
    video = Video(frames=30, rate=25, time_base=Fraction(1, 25), codec="mpeg4", container="avi")
    source = write(tmp_path / "in.avi", video)
    options = replace(FAST, start=Fraction(1, 2), end=Fraction(1))
    report, found = convert(source, tmp_path / "out.mp4", options)
    assert report.frames == 12  # those at 0.52 s to 0.96 s
    assert found.pts == [Fraction(index, 25) for index in range(12)]


@pytest.mark.parametrize(("start", "end"), [(None, 2), (None, 5), (1, 5)])
def test_a_part_ends_where_it_is_told_to_inside_a_picture_that_stays(
    tmp_path: Path, start: int | None, end: int
) -> None:
    """Slides: a new picture every four seconds."""
    slides = Video(frames=3, rate=1, pts=[0, 4 * 15360, 8 * 15360])
    source = write(tmp_path / "in.mp4", slides)
    first = None if start is None else Fraction(start)
    report, found = convert(source, tmp_path / "out.mp4", replace(FAST, start=first, end=end))
    assert report.duration_s == end - (start or 0)
    shown_until = float(found.pts[0]) + found.duration
    assert shown_until == pytest.approx(end - (start or 0), abs=0.001)


def test_what_is_painted_is_in_the_result_and_in_the_maps(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=6, sound=1))
    options = replace(FAST, maps=tmp_path / "maps.mp4")
    report = convert_video(source, tmp_path / "out.mp4", painted, options)
    assert report.frames_painted == 6
    found, maps = look(tmp_path / "out.mp4", images=True), look(tmp_path / "maps.mp4", images=True)
    assert np.abs(found.images[3][120, 160].astype(int) - (250, 140, 20)).max() < 12
    assert maps.pts == found.pts
    assert found.metadata["comment"] == NOTICE and "comment" not in maps.metadata
    assert [kind for kind, _ in maps.kinds] == ["video"]
    assert np.abs(maps.images[3][105:135, 145:175].astype(int) - 200).max() <= 3
    assert maps.images[3][:90].max() <= 2


def test_side_by_side_shows_before_and_after(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=4))
    convert_video(source, tmp_path / "out.mp4", painted, replace(FAST, side_by_side=True))
    image = look(tmp_path / "out.mp4", images=True).images[2]
    assert image.shape == (240, 640, 3)
    assert np.abs(image[120, 160].astype(int) - picture(2, 320, 240)[120, 160]).max() < 12
    assert np.abs(image[120, 480].astype(int) - (250, 140, 20)).max() < 12


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=30))
    seen: list[Progress] = []
    convert_video(source, tmp_path / "out.mp4", untouched, FAST, seen.append)
    assert [progress.frames for progress in seen] == list(range(1, 31))
    assert seen[-1].position_s == pytest.approx(1.0)
    assert seen[-1].total_s == pytest.approx(1.0, abs=0.05)
