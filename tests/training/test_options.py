"""Senseless options are refused by their names, before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training import train_map
from training.__main__ import main
from training.loop import device
from training.shards import Faces
from training.train_map import MapConfig


@pytest.mark.parametrize(
    "arguments",
    [
        "train map --rate nan", "train map --rate 0", "train map --rate 1e20",
        "train map --average nan", "train map --average 1", "train map --average -1",
        "train map --max-minutes nan", "train map --max-minutes 0", "train map --save-minutes -1",
        "train map --save-minutes nan", "train map --steps 0", "train map --batch 0",
        "train map --workers -1", "train map --threads -1", "train map --seed -1",
        "train editor --moved 1.5", "train editor --perceptual nan", "train faces --rate inf",
        "sheet map --count 0", "sheet map --seed -1", "evaluate map --limit 0",
        "evaluate editor --workers -1", "evaluate map --json ev.md", "ablate --minutes -1",
        "export editor --calm 2", "train editor --content nan",
        "train editor --size 100", "train editor --size 32",
    ],
)  # fmt: skip
def test_senseless_values_are_refused_by_name(
    arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments.split())
    *_, name, value = arguments.split()
    assert f"argument {name}: " in (said := capsys.readouterr().err) and value in said


@pytest.mark.parametrize("network", ["map", "editor", "faces"])
def test_every_option_of_a_training_has_words(
    network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", network, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--rate RATE" in told and "learning rate" in told and "1000000" not in told
    assert "stop cleanly after so long; the next call goes on (default: never)" in told


@pytest.mark.parametrize("name", ["foo", "cuda:99"])
def test_a_device_that_is_not_here_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"^--device {name}: "):
        device(name)
    assert device("cpu") == torch.device("cpu")


def test_a_run_past_its_steps_says_that_it_is_finished(
    faces: Faces,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once: its best weights need not be scored anew, which takes a minute or two."""
    held = faces.where(np.ones(len(faces), bool))
    held.split[0] = "val"
    scores = iter([0.9])
    monkeypatch.setattr(train_map, "validate", lambda *_: {"score": next(scores)})
    train_map.train(MapConfig(folder=tmp_path, batch=2, steps=1), held)
    assert "finished" not in capsys.readouterr().out
    train_map.train(MapConfig(folder=tmp_path, batch=2, steps=1), held)
    assert capsys.readouterr().out.count("is finished: 1 steps are done") == 1
