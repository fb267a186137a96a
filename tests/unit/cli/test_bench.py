"""`bench`: what it takes, what it prints, and the keys of its JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from realtime_unmask.bench import run as bench_run
from realtime_unmask.bench.figures import Spread
from realtime_unmask.bench.live import Live
from realtime_unmask.bench.machine import this_machine
from realtime_unmask.bench.networks import Reference
from realtime_unmask.bench.recorded import Recorded
from realtime_unmask.bench.run import Report
from realtime_unmask.bench.stages import ORDER, Stage, Throttle
from realtime_unmask.bench.start import Start
from realtime_unmask.cli import run
from realtime_unmask.cli.bench import lines, parse_size
from realtime_unmask.errors import EngineError, UsageError

ROOT = Path(__file__).resolve().parents[3]
SPREAD = Spread(1.0, 2.0, 3.0)


def report(reference: bool = True) -> Report:
    stages = tuple(Stage(name, SPREAD, 1.5, 0.125) for name in ORDER)
    return Report(
        this_machine(), "openvino", "bf16", 0, 1280, 720, 1,
        Start(0.01, 1.5),
        Throttle(40.0, SPREAD, 1.0, stages),
        Live("xcb", 1.2, 30.0, SPREAD, 300, 298, {"worker busy": 1}, 1, 0, 1.0, 0.99, 1.2),
        512.0,
        Recorded(150, 30.0, 60.0, 0.5),
        Reference(15.0, "bf16", 180.0, 90.0, 12.0, 6.0, {"map": 12.694}, {"x.onnx": 4.0})
        if reference
        else None,
    )  # fmt: skip


def paths(value: object, prefix: str = "") -> set[str]:
    """All keys of nested tables, joined by dots; those of lists once."""
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in paths(v, f"{prefix}.{k}".strip("."))}
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return paths(value[0], prefix + "[]")
    return {prefix}


def test_the_keys_are_the_documented_ones() -> None:
    """docs/performance.md names every key: scripts of other people read them."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    free = ("machine.versions.", "reference.seeds_gmac.", "reference.others_ms.",
            "live.drops.")
    for path in paths(report().as_json()):
        path = next((f.rstrip(".") for f in free if path.startswith(f)), path)
        assert f"`{path}`" in text, f"docs/performance.md does not document {path}"


def test_the_json_is_plain_and_carries_its_version() -> None:
    again = json.loads(json.dumps(report().as_json()))
    assert again["schema"] == bench_run.SCHEMA == 2
    assert again["live"] == json.loads(json.dumps(asdict(report().live)))
    assert json.loads(json.dumps(report(reference=False).as_json()))["reference"] is None


def test_all_figures_are_printed() -> None:
    text = "\n".join(lines(report()))
    for part in (*ORDER, "40.0 frames/s", "age p50 1", "1 of 300 dropped (worker busy 1)",
                 "window on xcb", "100.0% unmasked, 99.0%", "50% of decoding",
                 "12.0 times", "6.0 times", "x.onnx 4.0 ms", "1.50 s"):  # fmt: skip
        assert part in text
    assert "not measured" in "\n".join(lines(report(reference=False)))


@pytest.mark.parametrize("text", ["", "1280", "1280x", "12x12", "1281x720", "99999x10", "axb"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--size"):
        parse_size(text)


def test_a_size() -> None:
    assert parse_size("1920X1080") == (1920, 1080)


@pytest.mark.parametrize(
    "arguments", [["--faces", "0"], ["--faces", "5"], ["--seconds", "0"], ["--size", "big"],
                  ["--backend", "abacus"]],
)  # fmt: skip
def test_wrong_usage_is_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "x"], "--seconds takes a number, not 'x'."),
        (["--faces", "1.5"], "--faces takes a whole number, not '1.5'."),
    ],
)
def test_what_is_no_number_is_said_for_people(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {said} See `realtime-unmask bench --help`.\n"


def test_a_json_file_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a minute is spent on measuring."""
    monkeypatch.setattr(bench_run, "measure", lambda *_: pytest.fail("it was measured"))
    (tmp_path / "file").write_text("no folder")
    for name, words in [
        ("file/x.json", "cannot be written (Not a directory)"),
        (".", "is a folder"),
        ("x" * 300, "cannot be used (File name too long)"),
    ]:
        assert run(["bench", "--json", str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and str(tmp_path / name) in said.err and words in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["x.json", "new/folder/x.json"])
def test_the_json_file_changes_only_once_all_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "x.json").write_text("of the run before")

    def fails(*_: object) -> Report:
        raise EngineError("The engine is gone.")

    monkeypatch.setattr(bench_run, "measure", fails)
    assert run(["bench", "--json", str(tmp_path / name)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "of the run before"
    monkeypatch.setattr(bench_run, "measure", lambda *_: report())
    assert run(["bench", "--json", str(tmp_path / name)]) == 0
    assert json.loads((tmp_path / name).read_text())["width"] == 1280


@pytest.mark.slow
def test_a_real_run(tmp_path: Path) -> None:
    out = tmp_path / "x.json"
    assert run(["bench", "--seconds", "2", "--size", "640x480", "--json", str(out)]) == 0
    table = json.loads(out.read_text())
    assert paths(table) >= {"full_throttle.frames_per_s", "live.age_ms.p95", "video.share"}
    assert table["full_throttle"]["painted_share"] > 0.9
    assert 0 < table["start"]["import_s"] < table["start"]["first_frame_s"]
