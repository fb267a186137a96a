"""The files of convert_video: which it refuses to write, and what is left after faults."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime_unmask.errors import EngineError, MediaDamaged, OutputError, UsageError
from realtime_unmask.pipeline.convert import check_outputs, convert_video
from realtime_unmask.sinks import partial
from realtime_unmask.sinks.targets import Target
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame, FrameResult
from tests.media.look import look, playable
from tests.media.make import Video, write
from tests.unit.pipeline.convert_fakes import FAST, Each, painted, untouched


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
