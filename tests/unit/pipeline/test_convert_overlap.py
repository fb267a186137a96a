"""convert_video begins a frame before the one before is finished; nothing else changes by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineError, OutputError
from realtime_unmask.pipeline.convert import convert_video
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.media import make
from tests.media.look import look, playable
from tests.media.make import Video, write
from tests.unit.conftest import FakeEngine, Planes, lower_face
from tests.unit.pipeline.convert_fakes import FAST

Clip = list[NDArray[np.uint8]]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    assert not {thread.name for thread in threading.enumerate()} & {"read ahead", "write behind"}


@pytest.fixture
def scenes(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> Clip:
    """A shot, a cut to its mirror image, nobody, and the shot again; what write() writes."""
    shown = [*clip[:5], *(image[:, ::-1] for image in clip[5:9]), np.full_like(clip[0], 99)]
    shown += clip[:4]
    monkeypatch.setattr(make, "picture", lambda index, width, height: shown[index].copy())
    return shown


class OneByOne(AtOnce):
    """Finishes each frame before the next one is begun."""

    def __init__(self, unmasker: Unmasker) -> None:
        self.unmasker = unmasker

    def process(self, frame: Frame, state: State) -> FrameResult:
        return self.unmasker.process(frame, state)


def coming_and_going() -> FakeEngine:
    """A map network: a mask that is there, gone, and there again."""
    asked = 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        asked += 1
        return {"map": (lower_face() * np.float32(asked not in (3, 4)))[None, None]}

    return FakeEngine(answer)


def brightening() -> FakeEngine:
    """An editor that paints a little brighter each time, so that frame follows frame."""
    asked = 0

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        nonlocal asked
        asked += 1
        hole = inputs["map"]
        rgb = hole * np.float32(0.03 * (asked % 20)) + inputs["image"]
        return {"rgb": rgb, "confidence": hole.copy()}

    return FakeEngine(answer)


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("libx265", "yuv420p10le")])
def test_the_same_file_gives_the_same_pixels_with_and_without(
    tmp_path: Path, scenes: Clip, monkeypatch: pytest.MonkeyPatch, codec: str, pix_fmt: str
) -> None:
    monkeypatch.setattr(Unmasker, "on_head", lambda *_: False)  # or these networks would count it
    height, width = scenes[0].shape[:2]
    video = Video(len(scenes), width, height, codec=codec, pix_fmt=pix_fmt)
    source = write(tmp_path / "in.mp4", video)
    made = []
    for name in ("without", "with"):
        options = replace(FAST, side_by_side=True, maps=tmp_path / f"{name}-maps.mp4")
        with Unmasker(coming_and_going(), brightening()) as unmasker:
            asked = OneByOne(unmasker) if name == "without" else unmasker
            report = convert_video(source, tmp_path / f"{name}.mp4", asked, options)
        assert report.frames == len(scenes) > report.frames_with_face > report.frames_painted > 4
        made.append(
            (look(tmp_path / f"{name}.mp4", True), look(tmp_path / f"{name}-maps.mp4", True))
        )
    for before, after in zip(*made, strict=True):
        assert after.pts == before.pts and len(after.pts) == len(scenes)
        assert all(map(np.array_equal, after.images, before.images))


class Diary:
    """An unmasker that notes what it is asked; it raises `faults` there, once each."""

    def __init__(self, faults: dict[tuple[str, int], BaseException] | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.states: set[State] = set()
        self._faults = faults or {}

    def on_head(self, frame: Frame) -> bool | None:
        return None

    def begin(self, frame: Frame, state: State) -> Frame:
        self.states.add(state)
        self._note("begin", frame.index)
        return frame

    def finish(self, begun: Frame) -> FrameResult:
        self._note("finish", begun.index)
        return FrameResult(begun, begun, None)

    def _note(self, what: str, index: int) -> None:
        self.asked.append((what, index))
        if (what, index) in self._faults:
            raise self._faults.pop((what, index))


def test_each_frame_is_begun_before_the_one_before_is_finished(tmp_path: Path) -> None:
    source, diary = write(tmp_path / "in.mp4", Video(frames=4)), Diary()
    convert_video(source, tmp_path / "out.mp4", diary, FAST)
    middle = [(what, n + (what == "begin")) for n in range(3) for what in ("begin", "finish")]
    assert diary.asked == [("begin", 0), *middle, ("finish", 3)]


def test_each_file_has_a_memory_of_its_own(tmp_path: Path) -> None:
    source, diary = write(tmp_path / "in.mp4", Video(frames=3)), Diary()
    for name in ("one.mp4", "two.mp4"):
        convert_video(source, tmp_path / name, diary, FAST)
    assert len(diary.states) == 2


@pytest.mark.parametrize("what", ["begin", "finish"])
def test_a_fault_comes_in_its_turn_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=20))
    diary = Diary({(what, 9): EngineError("Of frame 9.")})
    counted: list[int] = []
    with pytest.raises(EngineError, match="Of frame 9"):
        convert_video(
            source, tmp_path / "out.mp4", diary, FAST, lambda now: counted.append(now.frames)
        )
    assert counted == list(range(1, 10))  # frames 0 to 8
    begun, finished = ([n for did, n in diary.asked if did == one] for one in ("begin", "finish"))
    assert begun == list(range(10 if what == "begin" else 11))
    assert finished == begun[:9] if what == "begin" else begun  # none is left under way
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_two_frames_in_a_row_that_fail_are_told_by_the_first(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=6))
    diary = Diary(
        {("finish", 3): EngineError("Of frame 3."), ("begin", 4): EngineError("Of frame 4.")}
    )
    with pytest.raises(EngineError, match="Of frame 3"):
        convert_video(source, tmp_path / "out.mp4", diary, FAST)


@pytest.mark.parametrize("what", ["begin", "finish", "progress"])
def test_a_stop_leaves_nothing(tmp_path: Path, what: str) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=20, sound=1))
    diary = Diary({(what, 9): KeyboardInterrupt()})

    def stop(progress: object) -> None:
        if what == "progress" and ("begin", 9) in diary.asked:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_video(source, tmp_path / "out.mp4", diary, FAST, stop)
    assert ("begin", 11) not in diary.asked
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_the_editor_meets_is_raised_and_does_not_reach_the_next_file(
    tmp_path: Path, scenes: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    height, width = scenes[0].shape[:2]
    source = write(tmp_path / "in.mp4", Video(5, width, height))
    paint = editor_engine.answer

    def fails_once(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        if len(editor_engine.calls) == 3:
            raise EngineError("Out of paint.")
        return paint(inputs)

    editor_engine.answer = fails_once
    counted: list[int] = []
    with Unmasker(map_engine, editor_engine) as unmasker:
        with pytest.raises(EngineError, match="Out of paint"):
            convert_video(
                source, tmp_path / "a.mp4", unmasker, FAST, lambda now: counted.append(now.frames)
            )
        assert counted == [1, 2]
        assert editor_engine.under_way is None
        assert convert_video(source, tmp_path / "b.mp4", unmasker, FAST).frames_painted == 5
    assert not (tmp_path / "a.mp4").exists()


def test_a_full_disk_keeps_its_frames_and_leaves_the_editor_free(
    tmp_path: Path,
    scenes: Clip,
    map_engine: FakeEngine,
    editor_engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    height, width = scenes[0].shape[:2]
    source = write(tmp_path / "in.mp4", Video(12, width, height))
    real, paint = VideoSink.write, editor_engine.answer

    def full(sink: VideoSink, frame: Frame, deep: object = None) -> None:
        if frame.index == 4:
            raise OutputError("The disk is full.")
        real(sink, frame, deep)  # type: ignore[arg-type]

    def fails_then(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        if stopped:
            raise EngineError("Out of paint.")
        return paint(inputs)

    def stops(sink: VideoSink) -> None:
        stopped.append(True)
        keep(sink)

    stopped: list[bool] = []
    editor_engine.answer, keep = fails_then, VideoSink.keep
    with Unmasker(map_engine, editor_engine) as unmasker, monkeypatch.context() as patch:
        patch.setattr(VideoSink, "write", full)
        patch.setattr(VideoSink, "keep", stops)
        with pytest.raises(OutputError, match="disk is full"):  # not what the editor meets then
            convert_video(source, tmp_path / "a.mp4", unmasker, FAST)
        assert stopped and len(playable(tmp_path / "a.partial.mp4")) == 4
        assert editor_engine.under_way is None
        patch.undo()
        stopped.clear()
        assert convert_video(source, tmp_path / "b.mp4", unmasker, FAST).frames == 12
