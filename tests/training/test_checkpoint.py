"""Checkpoints: nothing that is spoiled is written, and nothing that is spoiled is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from realtime_unmask.inference.networks import MapNet
from training import checkpoint, export, train_map
from training.checkpoint import CheckpointError, Progress
from training.losses import StoppedByNan
from training.shards import Faces
from training.train_map import MapConfig


def written(path: Path, network: MapNet) -> Path:
    checkpoint.save(path, "map-2", Progress(7), {"network": network, "average": network}, {})
    return path


def spoiled() -> MapNet:
    network = MapNet()
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = torch.nan
    return network


@pytest.mark.parametrize("changes", [{"rate": float("nan")}, {"average": float("nan")}])
def test_a_step_that_spoils_the_weights_is_not_saved(
    changes: dict[str, float], faces: Faces, tmp_path: Path
) -> None:
    """Loss and gradient of that step are sound."""
    train_map.train(MapConfig(folder=tmp_path, batch=2, steps=1), faces)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(StoppedByNan, match="by step 2"):
        train_map.train(MapConfig(folder=tmp_path, batch=2, steps=2, **changes), faces)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_spoiled_weights_are_neither_read_nor_exported(tmp_path: Path) -> None:
    path = written(tmp_path / "run" / "last.safetensors", spoiled())
    with pytest.raises(CheckpointError, match="last.safetensors holds weights that are no numbers"):
        checkpoint.load_weights(path, "map-2", MapNet())
    with pytest.raises(CheckpointError, match="no numbers"):
        export.export("map", path.parent, tmp_path / "engines", {})
    assert not (tmp_path / "engines").exists()


def test_parity_sees_what_is_no_number(tmp_path: Path) -> None:
    network = spoiled().eval()
    export._to_onnx("map", network, tmp_path / "map.onnx")
    worst = export.parity("map", network, tmp_path / "map.onnx", rounds=2)
    assert not worst <= export.PARITY


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "last.safetensors", MapNet())
    checkpoint.load_weights(path, "map-2", MapNet())
    content = bytearray(path.read_bytes())
    content[-9] ^= 1  # the least bit of a weight
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="last.safetensors is damaged"):
        checkpoint.load_weights(path, "map-2", MapNet())


def test_checkpoints_of_before_the_digest_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path / "last.safetensors", MapNet())
    tensors = load_file(path)
    header = {"architecture": "map-2", "step": 5, "best": 0.5}
    save_file(tensors, path, {"training": json.dumps(header)})
    assert checkpoint.load_weights(path, "map-2", MapNet()).step == 5


@pytest.mark.parametrize("header", ["[]", "{}", '{"architecture": "map-2", "step": null}'])
def test_a_header_that_says_something_else_is_refused(header: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", {"training": header})
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        checkpoint.load_weights(tmp_path / "x.safetensors", "map-2", MapNet())


def test_a_full_disk_is_a_sentence_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "last.safetensors", MapNet())
    before = path.read_bytes()

    def full(tensors: object, partial: Path, about: object) -> None:
        partial.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match=r"last\.safetensors cannot be written .* Make room"):
        written(path, MapNet())
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(CheckpointError, match=f"There is no checkpoint file {path}"):
            checkpoint.load_weights(path, "map-2", MapNet())


def test_a_run_goes_on_with_what_it_was_begun_with(
    faces: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = MapConfig(folder=tmp_path / "run", batch=2, steps=1, seed=3)
    train_map.train(config, faces)
    last = tmp_path / "run" / "last.safetensors"
    before = last.read_bytes()
    for changes, said in (({"seed": 4}, "--seed 3, and --seed 4"), ({"batch": 3}, "--batch 2")):
        with pytest.raises(CheckpointError, match=f"run was begun with {said}"):
            train_map.train(replace(config, steps=2, **changes), faces)
    assert last.read_bytes() == before
    capsys.readouterr()
    train_map.train(replace(config, weights=last), faces)
    assert "run has begun: it goes on from its own weights" in capsys.readouterr().out


def test_a_run_of_before_its_seed_was_noted_goes_on(faces: Faces, tmp_path: Path) -> None:
    config = MapConfig(folder=tmp_path, batch=2, steps=1)
    train_map.train(config, faces)
    last = tmp_path / "last.safetensors"
    header = {"architecture": "map-2", "step": 1, "best": 0.5}
    save_file(load_file(last), last, {"training": json.dumps(header)})
    train_map.train(replace(config, steps=2, seed=8), faces)
    with safe_open(last, "pt") as file:
        noted = json.loads(file.metadata()["training"])
    assert (noted["step"], noted["seed"], noted["batch"]) == (2, 8, 2)
