"""`video`: what a person sees of it, and its exit codes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import typer

from realtime_unmask.cli.video import line, parse_time, video
from realtime_unmask.cli.video_progress import pace, show_progress
from realtime_unmask.errors import UnmaskError, UsageError
from realtime_unmask.pipeline.convert import ConvertReport, Progress
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Face, Frame, FrameResult
from realtime_unmask.unmask.state import State
from tests.media.look import look
from tests.media.make import Video, write


class Painter(AtOnce):
    """Stands for the unmasker: paints a square in every frame; `stops_at` raises there."""

    def __init__(self, stops_at: int = -1, fault: BaseException | None = None) -> None:
        self.stops_at, self.fault = stops_at, fault
        self.states: list[State] = []
        self.settings = Settings()

    def __enter__(self) -> Painter:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def process(self, frame: Frame, state: State) -> FrameResult:
        if self.fault is not None and frame.index == self.stops_at:
            raise self.fault
        if state not in self.states:
            self.states.append(state)
        image, shown = frame.image.copy(), np.zeros(frame.image.shape[:2], np.uint8)
        image[:20, :20], shown[:20, :20] = 255, 255
        face = Face(0, np.zeros(4, np.float32), np.zeros((478, 3), np.float32))
        return FrameResult(frame, replace(frame, image=image), shown, (face,))


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    one = Painter()

    def open_unmasker(settings: Settings) -> Painter:
        one.settings = settings
        return one

    monkeypatch.setattr("realtime_unmask.cli.video.open_unmasker", open_unmasker)
    return one


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `video` with these arguments: (exit code or error, standard output, standard error)."""
    app = typer.Typer(add_completion=False)
    app.command()(video)

    def ran(*arguments: object) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        if "--preset" not in words:
            words += ["--preset", "ultrafast"]
        code = app(words, standalone_mode=False)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


Command = Callable[..., tuple[int, str, str]]


def test_one_video_is_done_and_described(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=30, sound=1))
    code, out, err = command(source, "-o", tmp_path / "out.mp4")
    assert code == 0
    assert "in.mp4: 30 frames, 30 with a mask," in out and "out.mp4" in out
    assert err == ""
    assert len(look(tmp_path / "out.mp4").pts) == 30


def test_more_faces_are_followed_on_demand(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=4))
    command(source, "-o", tmp_path / "out.mp4", "--max-faces", "9")
    assert painter.settings.max_faces == 9


def test_several_videos_go_to_a_folder_each_with_a_state_of_its_own(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    names = ["a.mp4", "b.mov", "c.mkv", "d.ts"]
    sources = [write(tmp_path / name, Video(frames=4, sound=1)) for name in names]
    code, out, _ = command(*sources, "-o", tmp_path / "out", "--maps", tmp_path / "maps")
    assert code == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a.mp4", "b.mov", "c.mkv", "d.mp4"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == written
    assert len(painter.states) == 4
    assert "4 videos: 4 done" in out


def test_one_that_fails_does_not_stop_the_others(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    good = write(tmp_path / "good.mp4", Video(frames=4))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video at all" * 100)
    code, out, err = command(bad, tmp_path / "gone.mp4", good, "-o", tmp_path / "out")
    assert code == 1
    errors = err.splitlines()
    assert len(errors) == 2
    assert "bad.mp4 is not a video" in errors[0]
    assert "There is no file" in errors[1] and "gone.mp4" in errors[1]
    assert "3 videos: 1 done, 2 failed" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.mp4"]


def test_one_that_cannot_even_be_looked_at_does_not_stop_the_others(
    tmp_path: Path, painter: Painter, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, shut = (write(tmp_path / f"{name}.mp4", Video(frames=4)) for name in ("good", "shut"))
    exists = Path.exists

    def looked_at(self: Path) -> bool:
        if self == shut:
            raise PermissionError(13, "Permission denied", str(self))
        return exists(self)

    monkeypatch.setattr(Path, "exists", looked_at)
    code, out, err = command(shut, good, "-o", tmp_path / "out")
    assert code == 1
    assert "shut.mp4 cannot be read (Permission denied). Check its name" in err
    assert "2 videos: 1 done, 1 failed" in out


def test_the_current_folder_is_no_video(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    code, _, err = command(".", "-o", tmp_path / "out")
    assert (code, err) == (1, "error: . is not a file. Give the name of a video file.\n")


def test_a_damaged_video_counts_as_failed_and_names_what_was_kept(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    fast = {"movflags": "faststart"}
    whole = write(tmp_path / "w.mp4", Video(frames=90, container_options=fast)).read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) * 6 // 10])
    code, _, err = command(source, "-o", tmp_path / "out.mp4")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "cut.mp4 is damaged" in err and "out.mp4" in err
    assert (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in.mp4", "-o", "in.mp4", "--force"], "is an input"),
        (["in.mp4", "-o", "there.mp4"], "exists already"),
        (["in.mp4", "more.mp4", "-o", "out.mp4"], "one file for 2 inputs"),
        (["in.mp4", "folder/in.mp4", "-o", "out"], "both be written"),
        (["in.mp4", "-o", "out.mp4", "--maps", "out.mp4"], "both be written"),
        (["in.mp4", "more.mp4", "-o", "out", "--maps", "out"], "would land in one folder, out,"),
        (["in.mp4", "-o", "text.txt"], "is a file, and no video"),
        (["in.mp4", "-o", "out.webm"], "no ending that this program writes"),
        (["in.mp4", "-o", "out.mp4", "--maps", "maps.png"], "no ending that this program writes"),
        (["in.mp4", "-o", "out.mp4", "--max-faces", "0"], "at least 1"),
        (["in.mp4", "-o", "out.mp4", "--start", "soon"], "--start takes seconds"),
        (["in.mp4", "-o", "out.mp4", "--start", "2", "--end", "1"], "later than"),
        (["in.mp4", "-o", "out.mp4", "--start", "100"], "after the end"),
        (["in.mp4", "-o", "out.mp4", "--codec", "av1"], "auto, h264, hevc"),
        (["in.mp4", "-o", "out.mp4", "--quality", "99"], "between 0 and 51"),
        (["in.mp4", "-o", "out.mp4", "--preset", "warp"], "preset is one of"),
        (["in.mp4", "-o", "out.mp4", "--max-faces", "0"], "The number of faces must be"),
        (["http://x/y.mp4", "-o", "out.mp4"], "^http://x/y.mp4 is an address.* live --source"),
        (["in.mp4", "-o", "rtsp://x/y"], "^rtsp://x/y is an address, and results are files"),
        (["in.mp4", "-o", "-"], "cannot go to standard output"),
        (["in.mp4", "-o", "out.mp4", "--maps", "-"], "cannot go to standard output"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(
    tmp_path: Path,
    painter: Painter,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(Path("in.mp4"), Video(frames=4))
    Path("folder").mkdir()
    for copy in ("there.mp4", "more.mp4", "folder/in.mp4", "text.txt"):
        shutil.copy(source, copy)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=said):
        command(*arguments)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_part_is_cut_out_and_shown_side_by_side(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=90))
    part = ["--start", "0:01", "--end", "1.5", "--side-by-side"]
    command(source, "-o", tmp_path / "out.mp4", *part)
    found = look(tmp_path / "out.mp4", images=True)
    assert found.pts == [Fraction(index, 30) for index in range(15)]
    assert found.images[0].shape == (240, 640, 3)


def test_what_is_left_out_is_said_in_one_line(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mkv", Video(frames=4, subtitles="subrip"))
    code, _, err = command(source, "-o", tmp_path / "out.mp4")
    assert code == 0
    assert len(err.splitlines()) == 1
    assert "subtitle track" in err and ".mkv" in err


def test_what_does_not_fit_into_mp4_becomes_mkv_in_a_folder(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.webm", Video(frames=4, subtitles="subrip", container="matroska"))
    command(source, "-o", tmp_path / "out")
    assert [kind for kind, _ in look(tmp_path / "out" / "in.mkv").kinds] == ["video", "subtitle"]


def test_ctrl_c_removes_the_partial_file_and_its_folder(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    painter.stops_at, painter.fault = 20, KeyboardInterrupt()
    source = write(tmp_path / "in.mp4", Video(frames=30))
    with pytest.raises((KeyboardInterrupt, typer.Abort)):
        if command(source, "-o", tmp_path / "new" / "out.mp4")[0] == 130:
            raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_quiet_says_nothing_when_all_is_well(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=4))
    assert command(source, "-o", tmp_path / "out.mp4", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90.5", Fraction(181, 2)), ("1:30", 90), ("01:02:03.25", Fraction(14893, 4))],
)
def test_times_are_read_exactly(text: str, seconds: Fraction) -> None:
    assert parse_time("--start", text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:75", "a", "1:2:3:4", "1e3"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UnmaskError, match=r"\[H:\]MM:SS"):
        parse_time("--end", text)


def test_the_pace_tells_frames_a_second_and_time_left() -> None:
    assert pace(Progress(120, 4.0, 44.0, 5.0)) == "120 frames, 24.0 frames/s, 0:50 left"
    assert pace(Progress(120, 4.0, 36004.0, 5.0)).endswith("12:30:00 left")
    assert pace(Progress(120, 4.0, None, 5.0)) == "120 frames, 24.0 frames/s"


def test_away_from_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with show_progress("a.mp4", quiet=False) as tell:
        assert tell is not None
        for second in range(25):
            tell(Progress(second * 10, float(second), 60.0, float(second)))
    assert capsys.readouterr().err.splitlines() == [
        "a.mp4: 100 frames, 10.0 frames/s, 0:50 left",
        "a.mp4: 200 frames, 10.0 frames/s, 0:40 left",
    ]


@pytest.mark.parametrize(
    ("painted", "faces", "said"),
    [(3, 5, "3 with a mask"), (0, 5, "no mask found"), (0, 0, "no face found")],
)
def test_the_line_says_what_was_found(painted: int, faces: int, said: str) -> None:
    report = ConvertReport(Path("a"), Path("b"), None, 9, faces, painted, 1.0, 1.0, ())
    assert said in line(report)


def test_all_inputs_that_would_land_on_one_name_are_named_at_once(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    names = ("a.ts", "a.webm", "x/b.mp4", "y/b.mp4", "z/b.mp4", "alone.mp4")
    folders = ("-o", tmp_path / "o", "--maps", tmp_path / "m")
    with pytest.raises(UsageError) as refused:
        command(*(tmp_path / name for name in names), *folders)
    pairs = [("a.ts", "a.webm", "a.mp4")]
    pairs += [("x/b.mp4", f"{one}/b.mp4", "b.mp4") for one in "yz"]
    assert [str(refused.value), *refused.value.__notes__] == [
        f"The result of {tmp_path / one} and the result of {tmp_path / other} would both be "
        f"written to {tmp_path / 'o' / name}. Rename one, or use two folders."
        for one, other, name in pairs
    ]
    assert not painter.states and not list(tmp_path.iterdir())


def test_a_video_that_is_named_twice_is_done_once(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=4))
    assert command(source, source, "-o", tmp_path / "out.mp4")[0] == 0
    assert len(painter.states) == 1


def test_a_pipe_is_never_replaced(tmp_path: Path, painter: Painter, command: Command) -> None:
    source, pipe = write(tmp_path / "in.mp4", Video(frames=4)), tmp_path / "out.mp4"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="not a file"):
        command(source, "-o", pipe, "--force")
    assert pipe.is_fifo()


def test_a_name_that_is_too_long_is_refused_in_a_sentence(
    tmp_path: Path, painter: Painter, command: Command
) -> None:
    source = write(tmp_path / "in.mp4", Video(frames=4))
    with pytest.raises(UsageError, match="cannot be used"):
        command(source, "-o", tmp_path / ("a" * 252 + ".mp4"))


def test_a_closed_standard_error_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with show_progress("a.mp4", quiet=False) as tell:
        assert tell is None
