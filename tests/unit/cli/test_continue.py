"""`--continue`: after a run that was cut short only what is missing is made."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.media.make import Video, write

from .conftest import Command, Opened
from .photos import photo


@pytest.fixture(autouse=True)
def inputs(here: Opened) -> None:
    Path("in").mkdir()


def clip(path: Path) -> None:
    write(path, Video(frames=3))


@pytest.mark.parametrize(
    ("kind", "make", "suffix"), [("image", photo, ".png"), ("video", clip, ".mp4")]
)
def test_a_run_that_was_cut_short_goes_on_with_what_is_missing(
    command: Command, opened: Opened, kind: str, make: Callable[[Path], None], suffix: str
) -> None:
    inputs = [Path("in") / f"{name}{suffix}" for name in "abc"]
    for path in inputs:
        make(path)
    arguments = (kind, *inputs, "-o", "out", "--maps", "maps")
    assert command(*arguments).code == 0
    Path("out/b").with_suffix(suffix).unlink()
    Path("maps/c").with_suffix(suffix).unlink()
    kept = Path("out/a").with_suffix(suffix)
    kept.write_bytes(b"dear")
    assert command(*arguments).code == 2

    ran = command(*arguments, "--continue")
    assert ran.code == 0
    assert [line for line in ran.out if "has a result" in line] == [
        f"{inputs[0]}: has a result, passed over"
    ]
    assert kept.read_bytes() == b"dear"
    for folder in ("out", "maps"):
        assert sorted(path.stem for path in Path(folder).iterdir()) == ["a", "b", "c"]

    loaded = len(opened.unmaskers)
    ran = command(*arguments, "--continue")
    assert ran.code == 0
    assert len(opened.unmaskers) == loaded  # with nothing left to do no network is loaded
    if kind == "image":
        assert ran.out[-1] == "nothing was left to do; 3 files passed over"


def test_the_report_still_says_what_the_earlier_run_did(command: Command, opened: Opened) -> None:
    for name in "abc":
        photo(Path("in", f"{name}.png"))
    arguments = ("image", "in", "-o", "out", "--json", "report.json")
    opened.fault = KeyboardInterrupt()
    assert command(*arguments).code == 130
    [first] = json.loads(Path("report.json").read_text())["files"]

    opened.fault = None
    ran = command(*arguments, "--continue")
    assert ran.out[-1] == "2 pictures: 2 unmasked; 1 other file passed over"
    report = json.loads(Path("report.json").read_text())
    assert report["complete"] and report["files"][0] == first
    assert report["counts"]["unmasked"] == 3 and not report["counts"]["skipped"]

    assert command(*arguments, "--continue").code == 0  # nothing is left to do
    assert json.loads(Path("report.json").read_text())["files"] == report["files"]


def test_a_result_of_which_no_report_is_left_is_reported_as_skipped(command: Command) -> None:
    photo(Path("in/a.png"))
    photo(Path("other/a.png"))
    assert command("image", "in", "-o", "out", "--json", "report.json").code == 0
    ran = command("image", "in", "-o", "other", "--json", "report.json", "--continue")
    assert ran.code == 0
    [file] = json.loads(Path("report.json").read_text())["files"]
    assert (file["status"], file["output"]) == ("skipped", str(Path("other/a.png")))
    assert file["error"] == "has a result"


@pytest.mark.parametrize("content", ["Dear diary", "[]", '{"files": [{"name": "a"}]}', "{}", "ü"])
def test_another_file_is_not_taken_for_the_report_and_replaced(
    command: Command, opened: Opened, content: str
) -> None:
    photo(Path("in/a.png"))
    Path("diary.json").write_text(content, encoding="utf-8")
    ran = command("image", "in", "-o", "out", "--json", "diary.json", "--continue")
    assert ran.code == 2 and "diary.json is there already and is no report" in ran.err[0]
    assert Path("diary.json").read_text(encoding="utf-8") == content
    assert not opened.unmaskers and not Path("out").exists()


def test_only_the_missing_file_of_a_photo_is_written(command: Command, opened: Opened) -> None:
    for name in "ab":
        photo(Path("in", f"{name}.png"))
    arguments = ("image", "in", "-o", "out", "--maps", "maps", "--json", "report.json")
    assert command(*arguments).code == 0
    whole = {path: path.read_bytes() for path in (Path("maps/a.png"), Path("out/b.png"))}
    for path in whole:
        path.unlink()
    kept = (Path("out/a.png"), Path("maps/b.png"))
    for path in kept:
        path.write_bytes(b"dear")

    ran = command(*arguments, "--continue")
    assert ran.code == 0
    assert [path.read_bytes() for path in kept] == [b"dear"] * 2
    assert {path: path.read_bytes() for path in whole} == whole
    assert [line.rpartition(" -> ")[2] for line in ran.out[:2]] == [str(path) for path in whole]
    files = json.loads(Path("report.json").read_text())["files"]
    assert [(file["output"], file["map"]) for file in files] == [
        (str(Path("out", f"{name}.png")), str(Path("maps", f"{name}.png"))) for name in "ab"
    ]


def test_only_the_missing_file_of_a_video_is_written(command: Command, opened: Opened) -> None:
    for name in "ab":
        clip(Path("in", f"{name}.mp4"))
    arguments = ("video", "in/a.mp4", "in/b.mp4", "-o", "out", "--maps", "maps")
    assert command(*arguments).code == 0
    whole = {path: path.read_bytes() for path in (Path("maps/a.mp4"), Path("out/b.mp4"))}
    for path in whole:
        path.unlink()
    kept = (Path("out/a.mp4"), Path("maps/b.mp4"))
    for path in kept:
        path.write_bytes(b"dear")

    ran = command(*arguments, "--continue")
    assert ran.code == 0
    assert [path.read_bytes() for path in kept] == [b"dear"] * 2
    assert {path: path.read_bytes() for path in whole} == whole
    ends = [f", maps -> {Path('maps/a.mp4')}, {Path('out/a.mp4')} kept"]
    ends += [f" -> {Path('out/b.mp4')}, {Path('maps/b.mp4')} kept", ": 2 done"]
    assert [line.endswith(end) for line, end in zip(ran.out, ends, strict=True)] == [True] * 3


def full_once(done: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes no other file once `done` is there."""
    fsync = os.fsync

    def full(handle: int) -> None:
        if done.exists() and stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(
    ("kind", "make", "suffix"), [("image", photo, ".png"), ("video", clip, ".mp4")]
)
def test_a_full_disk_ends_the_run_and_continue_does_the_rest(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    make: Callable[[Path], None],
    suffix: str,
    code: int,
) -> None:
    inputs = [Path("in") / f"{name}{suffix}" for name in "abcd"]
    for path in inputs:
        make(path)
    arguments = (kind, *inputs, "-o", "out")
    with monkeypatch.context() as patched:
        full_once(Path("out/a").with_suffix(suffix), code, patched)
        ran = command(*arguments)
    assert ran.code == 1
    first, last = ran.err
    assert os.strerror(code) in first and str(Path("out/b")) in first
    what = "pictures" if kind == "image" else "videos"
    assert last == (
        f"error: The disk is full, so this ends here: 1 of 4 {what} are done. "
        "Free some space, then give the same command with --continue for the rest."
    )
    assert ran.out[-1].endswith("1 unmasked, 1 failed" if kind == "image" else "1 done, 1 failed")

    assert command(*arguments, "--continue").code == 0
    assert sorted(path.stem for path in Path("out").iterdir()) == list("abcd")


def test_after_a_full_disk_what_is_to_be_replaced_is_begun_again(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        photo(Path("in", f"{name}.png"))
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "realtime_unmask.cli.image_report.write_json", lambda path, content: reports.append(content)
    )
    full_once(Path("out/a.png"), errno.ENOSPC, monkeypatch)
    ran = command("image", "in", "-o", "out", "--json", "report.json", "--force")
    assert ran.err[-1].endswith("1 of 3 pictures are done. Free some space, then start again.")
    assert not reports[0]["complete"]
    assert [file["status"] for file in reports[0]["files"]] == ["unmasked", "failed"]


def test_a_result_that_is_kept_may_be_the_photo_to_follow(command: Command) -> None:
    photo(Path("in/a.png"))
    photo(Path("out/a.png"), masked=False)
    ran = command("image", "in", "-o", "out", "--maps", "maps", "--like", "out/a.png", "--continue")
    assert ran.code == 0
    assert Path("maps/a.png").is_file()


@pytest.mark.parametrize("kind", ["image", "video"])
def test_results_are_not_both_kept_and_replaced(
    command: Command, opened: Opened, kind: str
) -> None:
    ran = command(kind, "in/a", "-o", "out", "--continue", "--force")
    assert ran.code == 2 and "give one of them" in ran.err[0]
