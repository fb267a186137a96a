"""convert_video: a file in, a file out, and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from realtime_unmask.capture.probe import probe
from realtime_unmask.errors import EngineError, MediaDamaged, OutputError, UsageError
from realtime_unmask.media import Grading
from realtime_unmask.pipeline.convert import (
    ConvertOptions,
    ConvertReport,
    Progress,
    check_outputs,
    convert_video,
)
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.sinks import partial
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.targets import Target
from realtime_unmask.sinks.video import NOTICE, VideoSink
from realtime_unmask.types import Frame, FrameResult
from tests.media.look import Look, corners, look, playable
from tests.media.make import TICK, Video, join, picture, shortened, write

FAST = ConvertOptions(Encoding(preset="ultrafast"))


@dataclass
class Each(AtOnce):
    """An unmasker that makes of each frame what the function makes of it."""

    make: Callable[[Frame], FrameResult]

    def process(self, frame: Frame, state: object) -> FrameResult:
        return self.make(frame)


@Each
def untouched(frame: Frame) -> FrameResult:
    return FrameResult(frame, frame, None)


@Each
def painted(frame: Frame) -> FrameResult:
    """The middle becomes orange."""
    image, shown = frame.image.copy(), np.zeros(frame.image.shape[:2], np.uint8)
    image[100:140, 140:180] = (250, 140, 20)
    shown[100:140, 140:180] = 200
    return FrameResult(frame, replace(frame, image=image), shown)


def convert(source: Path, out: Path, options: ConvertOptions = FAST) -> tuple[ConvertReport, Look]:
    report = convert_video(source, out, untouched, options)
    return report, look(out, images=True)


def spoken(found: Look, track: int) -> list[tuple[Fraction, bytes]]:
    pairs = zip(found.packet_times[track], found.packets[track], strict=True)
    return [(time, data) for time, data in pairs if data.strip(b"\0")]


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


def test_glued_recordings_keep_sound_and_pictures_together(tmp_path: Path) -> None:
    one = write(tmp_path / "one.ts", Video(frames=60, sound=1, container="mpegts"))
    source = join(tmp_path / "two.ts", one, one)
    found = convert(source, tmp_path / "out.mp4")[1]
    assert len(found.pts) == 120
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


@pytest.mark.parametrize("name", ["ü ✓ '$(x)'.mp4", "-dash.mp4", "http:colon.mp4", "a%03d.mp4"])
def test_any_file_name_will_do(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("plain.mp4"), Video(frames=3)).rename(name)
    convert_video(Path(name), Path("out") / name, untouched, FAST)
    assert (tmp_path / "out" / name).exists()


def test_a_damaged_video_is_converted_as_far_as_it_goes(tmp_path: Path) -> None:
    video = Video(frames=90, container_options={"movflags": "faststart"}, sound=1)
    whole = write(tmp_path / "whole.mp4", video).read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(MediaDamaged, match=r"cut\.mp4 is damaged.* They are in .*out\.mp4") as e:
        convert_video(source, tmp_path / "out.mp4", untouched, FAST)
    assert len(look(tmp_path / "out.mp4").pts) == e.value.frames_kept > 20


def test_of_a_damaged_video_the_maps_alone_are_kept_where_only_they_were_missing(
    tmp_path: Path,
) -> None:
    fast = {"movflags": "faststart"}
    whole = write(tmp_path / "w.mp4", Video(frames=90, container_options=fast)).read_bytes()
    source, maps = tmp_path / "cut.mp4", tmp_path / "maps.mp4"
    source.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(MediaDamaged, match=r"They are in .*maps\.mp4") as e:
        convert_video(source, None, painted, replace(FAST, maps=maps))
    assert len(look(maps).pts) == e.value.frames_kept > 20


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=3))
    data = source.read_bytes()
    (tmp_path / "link.mp4").hardlink_to(source)
    for target in (source, tmp_path / "link.mp4", tmp_path / "." / "in.mp4"):
        with pytest.raises(UsageError, match="is an input"):
            convert_video(source, target, untouched, replace(FAST, force=True))
    assert source.read_bytes() == data


@pytest.mark.parametrize("maps", [False, True])
def test_an_input_is_not_overwritten_while_the_result_is_being_written(
    tmp_path: Path, maps: bool
) -> None:
    source = write(tmp_path / "talk.partial.mp4", Video(frames=3))
    data = source.read_bytes()
    target, options = tmp_path / "talk.mp4", replace(FAST, force=True)
    if maps:
        target, options = tmp_path / "out.mp4", replace(options, maps=target)
    with pytest.raises(UsageError, match=r", while it is being written, .* is an input"):
        convert_video(source, target, untouched, options)
    assert source.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize(("system", "one"), [("darwin", True), ("linux", False)])
def test_names_that_differ_in_case_are_one_where_the_disk_takes_them_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, one: bool
) -> None:
    sources = [tmp_path / "monday" / "Talk.mp4", tmp_path / "friday" / "talk.mp4"]
    outputs = [tmp_path / "out" / source.name for source in sources]
    monkeypatch.setattr(partial, "sys", SimpleNamespace(platform=system))
    targets = [Target(*pair, "A result") for pair in zip(sources, outputs, strict=True)]
    with pytest.raises(UsageError, match="would both be") if one else nullcontext():
        check_outputs(targets, force=True)


@pytest.mark.parametrize("sources", [("1.mp4", "2.mp4"), ("1.mp4", "1.mp4")])
def test_no_result_has_the_partial_name_of_another_one(
    tmp_path: Path, sources: tuple[str, str]
) -> None:
    whole, partial = tmp_path / "a.mp4", tmp_path / "a.partial.mp4"
    for paths in ((whole, partial), (partial, whole)):
        targets = [Target(Path(s), path, "A file") for s, path in zip(sources, paths, strict=True)]
        with pytest.raises(UsageError, match=r"both be written to .*a\.partial\.mp4"):
            check_outputs(targets, force=True)


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), EngineError("The engine is gone.")])
def test_a_stop_and_an_error_remove_everything(tmp_path: Path, fault: BaseException) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=60, sound=1))

    @Each
    def failing(frame: Frame) -> FrameResult:
        if frame.index == 45:
            raise fault
        return FrameResult(frame, frame, None)

    options = replace(FAST, maps=tmp_path / "maps.mp4")
    with pytest.raises(type(fault)):
        convert_video(source, tmp_path / "out.mp4", failing, options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_maps_that_cannot_be_written_do_not_cost_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=60))
    real = VideoSink.write

    def fails_late(sink: VideoSink, frame: Frame, deep: object = None) -> None:
        if sink.path.name == "maps.mp4" and frame.index == 40:
            raise OutputError("The disk is full.")
        real(sink, frame, deep)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoSink, "write", fails_late)
    options = replace(FAST, maps=tmp_path / "maps.mp4")
    with pytest.raises(OutputError, match="disk is full"):
        convert_video(source, tmp_path / "out.mp4", painted, options)
    assert len(playable(tmp_path / "out.partial.mp4")) >= 40
    assert len(playable(tmp_path / "maps.partial.mp4")) >= 39
    assert not (tmp_path / "out.mp4").exists()


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=30))
    seen: list[Progress] = []
    convert_video(source, tmp_path / "out.mp4", untouched, FAST, seen.append)
    assert [progress.frames for progress in seen] == list(range(1, 31))
    assert seen[-1].position_s == pytest.approx(1.0)
    assert seen[-1].total_s == pytest.approx(1.0, abs=0.05)
