"""`image`: what it says of its work, on the screen and in the report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from realtime_unmask.cli.image_report import STATUSES

from .conftest import Command, Opened
from .photos import photo

pytestmark = pytest.mark.usefixtures("here")


def test_report_has_its_documented_shape(command: Command) -> None:
    photo(Path("me.png"))
    command("image", "me.png", "gone.png", "-o", "out", "--json", "new/report.json")
    report = json.loads(Path("new/report.json").read_text())
    assert set(report) == {"format", "program", "complete", "seconds", "counts", "files"}
    assert report["format"] == 1
    assert report["complete"] is True
    assert report["counts"] == dict.fromkeys(STATUSES, 0) | {"unmasked": 1, "failed": 1}
    done, failed = report["files"]
    assert done.pop("seconds") >= 0
    assert done == {
        "input": "me.png",
        "output": str(Path("out/me.png")),
        "map": None,
        "status": "unmasked",
        "faces": 1,
        "masks": 1,
        "notes": [],
        "error": None,
    }
    assert set(failed) == {*done, "seconds"}
    assert failed["status"] == "failed"


def test_report_is_written_when_ctrl_c_ends_the_run(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/b.png"))
    here.fault = KeyboardInterrupt()
    ran = command("image", "in", "-o", "out", "--json", "report.json")
    assert ran.code == 130
    assert ran.err == ["stopped"]
    report = json.loads(Path("report.json").read_text())
    assert report["complete"] is False
    assert [file["status"] for file in report["files"]] == ["unmasked"]
    assert os.listdir("out") == ["a.png"]
    assert here.unmaskers[0].closed


def test_quiet_prints_failures_only(command: Command) -> None:
    photo(Path("in/a.png"))
    Path("in/b.jpg").write_text("Dear diary")
    Path("in/c.txt").write_text("Dear diary")
    ran = command("image", "in", "-o", "out", "--quiet")
    assert ran.out == []
    assert len(ran.err) == 1


def test_names_that_start_with_a_dash_or_break_lines_stay_one_line(command: Command) -> None:
    photo(Path("-o.png"))
    photo(Path("new\nline ü.png"))
    ran = command("image", "-o", "out", "--", "-o.png", "new\nline ü.png")
    assert ran.code == 0
    assert len(ran.out) == 3
    assert "new\\nline ü.png" in ran.out[1]
    assert Path("out/new\nline ü.png").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
def test_names_that_are_no_unicode_work(command: Command) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo(Path(name))
    ran = command("image", name, "-o", "out", "--json", "report.json")
    assert ran.code == 0
    assert Path("out", name).is_file()
    assert json.loads(Path("report.json").read_text())["files"][0]["input"] == name


def test_a_full_standard_output_does_not_stop_the_work(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(text: str, *, err: bool = False) -> None:
        raise OSError(28, "No space left on device")

    photo(Path("a.png"))
    photo(Path("b.png"))
    monkeypatch.setattr("realtime_unmask.cli.common.typer.echo", full)
    monkeypatch.setattr("realtime_unmask.cli.common._silence", lambda stream: None)
    assert command("image", "a.png", "b.png", "-o", "out").code == 1  # not all was told
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]
