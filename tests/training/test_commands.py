"""The commands meet what a newcomer does: a sentence, no traceback, and no hours for nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import training.__main__ as commands
from training import data, loop, quantise, train_faces, train_map
from training.__main__ import main
from training.evaluation import pool
from training.loop import _Log
from training.shards import Faces, save_shard
from training.train_faces import FacesConfig
from training.train_map import MapConfig


@pytest.fixture
def prepared(faces: Faces, tmp_path: Path) -> Path:
    """A folder of shards."""
    (tmp_path / "prepared").mkdir()
    save_shard(tmp_path / "prepared" / "faces-000.npz", faces)
    return tmp_path / "prepared"


def changed(faces: Faces, **changes: str) -> Faces:
    copy = faces.where(np.ones(len(faces), bool))
    for name, value in changes.items():
        setattr(copy, name, np.full(len(faces), value))
    return copy


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"split": "training"}, "0 are of the split 'train'"),
     ({"set": "clips", "origin": "one_000.0"}, "6 of these show people or clips")],
)  # fmt: skip
def test_where_nothing_may_be_trained_on_the_commands_say_why(
    changes: dict[str, str], said: str, faces: Faces, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    spoilt = changed(faces, **changes)
    save_shard(tmp_path / "faces-000.npz", spoilt)
    place = ["--data", str(tmp_path)]
    for command in (["sheet", "map", "-o", str(tmp_path / "sheet.png")],
                    ["train", "map", "--folder", str(tmp_path / "run")]):  # fmt: skip
        assert main([*command, *place]) == 1
        told = capsys.readouterr().err
        assert "None of the 6 prepared faces may be trained on" in told and said in told
    assert list((tmp_path / "run").iterdir()) == []
    if "set" in changes:
        with pytest.raises(ValueError, match="None of the 6"):
            train_faces.train(FacesConfig(folder=tmp_path / "run"), spoilt)


def test_a_network_cannot_be_judged_by_nobody(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "_nncf", lambda: None)
    with pytest.raises(ValueError, match="no held-out faces"):
        quantise.quantise("map", faces, tmp_path)


def test_quantise_says_what_to_install(
    prepared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(quantise, "import_module", missing)
    assert main(["quantise", "map", "--data", str(prepared)]) == 1
    assert "pip install nncf" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["train map --folder FILE", "prepare PICTURES -o FILE", "harvest PICTURES -o FOLDER",
                "harvest PICTURES -o FILE/x.npz", "sheet map -o FILE/x.png",
                "evaluate map --json FILE/x.json", "evaluate editor --sheet FILE/x.png"]
)  # fmt: skip
def test_what_cannot_be_written_is_said_before_the_work(
    command: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There are not even prepared faces, which would be said next."""
    (tmp_path / "FILE").touch()
    (tmp_path / "FOLDER").mkdir()
    words = command.replace("PICTURES", str(pictures)).split()
    words = [str(tmp_path / w) if w.startswith(("FILE", "FOLDER")) else w for w in words]
    assert main([*words, *([] if words[0] in ("prepare", "harvest") else ["--data", "none"])]) == 1
    told = capsys.readouterr().err
    assert str(tmp_path / "F") in told and "Errno" not in told and "none" not in told


def test_a_judge_that_cannot_be_read_is_said_before_the_work(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("training.evaluation.editor.evaluate", None)
    command = ["evaluate", "editor", "--data", str(prepared), "--faces", str(tmp_path / "no.st")]
    assert main(command) == 1
    assert f"There is no checkpoint file {tmp_path / 'no.st'}" in capsys.readouterr().err


def test_folders_of_what_is_written_are_made(prepared: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "folder" / "sheet.png"
    command = ["sheet", "map", "--data", str(prepared), "--count", "1", "-o", str(sheet)]
    assert main(command) == 0
    assert sheet.exists()


def test_an_interruption_at_the_start_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:  # torch is imported there
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_parser", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "stopped; what was written before is kept\n"


def test_workers_leave_an_interruption_to_their_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or each of them would print a traceback."""
    monkeypatch.setattr(pool, "_end_with_parent", lambda: None)
    monkeypatch.setattr(pool, "_worker", None)
    before, threads = signal.getsignal(signal.SIGINT), cv2.getNumThreads()
    try:
        for begin in (lambda: data._begin_worker(0), lambda: pool._begin(lambda: print)):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            begin()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        cv2.setNumThreads(threads)


def test_a_damaged_log_is_named_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"\xff\x00")
    with pytest.raises(ValueError, match=r"log\.csv is damaged"):
        _Log(tmp_path)


def test_the_log_counts_no_validation_as_training(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def validated(*_: object) -> dict[str, float]:
        now[0] += 1000.0
        return {"score": 0.5}

    def learned(run: train_map.MapRun, batch: object) -> dict[str, object]:
        now[0] += 2.0
        return {}

    held = changed(faces)
    held.split[0] = "val"
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(train_map, "validate", validated)
    monkeypatch.setattr(train_map.MapRun, "step", learned)
    config = MapConfig(folder=tmp_path, batch=2, steps=2, save_minutes=0.0, workers=0)
    train_map.train(config, held)
    names, *rows = [row.split(",") for row in (tmp_path / "log.csv").read_text().splitlines()]
    assert [dict(zip(names, row, strict=True))["seconds"] for row in rows] == ["2.0", "2.0"]
