"""The exported networks answer as torch does, and the manifest describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.manifest import INPUTS, Manifest, Network
from realtime_unmask.inference.networks import EditorNet, MapNet
from realtime_unmask.settings import Settings
from training import checkpoint, export, train_editor, train_map
from training.__main__ import main
from training.export import Planes
from training.face_networks import JudgeNet, architecture, load_face_network
from training.shards import Faces, save_shard


@pytest.fixture(scope="module")
def runs(faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    editor = train_editor.EditorConfig(folder=folder / "editor", batch=2, size=64, steps=1)
    train_editor.train(editor, faces)
    train_map.train(train_map.MapConfig(folder=folder / "map", batch=2, steps=1), faces)
    return folder


def test_export_is_faithful_and_loads_in_the_run_time(runs: Path, tmp_path: Path) -> None:
    for network in ("map", "editor"):
        worst = export.export(network, runs / network, tmp_path, {"data": ["demo"]})
        assert worst <= export.PARITY
    manifest = Manifest.load(tmp_path)
    assert manifest.entry("editor").data == ("demo",)
    assert manifest.entry("map").metrics["steps"] == 1
    rng = np.random.default_rng(0)
    for network in ("map", "editor"):
        inputs = export.random_inputs(network, 3, rng)
        with load_engine(network, Settings(), tmp_path) as engine:
            outputs = engine.infer(inputs)
        assert all(value.shape[0] == 3 for value in outputs.values())
        assert load_file(tmp_path / f"{network}.safetensors")


def test_an_export_is_compared_on_prepared_faces_as_well(
    runs: Path, judged: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    save_shard(tmp_path / "faces-000.npz", judged)
    seen: list[set[str]] = []
    parity = export.parity

    def watched(network: Network, trained: nn.Module, path: Path, crops: list[Planes]) -> float:
        seen.extend(set(one) for one in crops)
        return parity(network, trained, path, crops, rounds=1)

    monkeypatch.setattr(export, "parity", watched)
    command = ["export", "editor", "--folder", str(runs / "editor"), "--prior", "--engines"]
    assert main([*command, str(tmp_path / "engines"), "--data", str(tmp_path)]) == 0
    assert "from torch, on random pictures and 16 faces" in capsys.readouterr().out
    assert seen == [set(INPUTS["editor"])] * 16


def test_parity_sees_a_difference_on_one_given_crop(runs: Path, tmp_path: Path) -> None:
    export.export("map", runs / "map", tmp_path, {})
    network = MapNet().eval()
    checkpoint.load_weights(runs / "map" / "last.safetensors", "map-2", network)
    file, rng = tmp_path / "map.onnx", np.random.default_rng(3)
    crop = export.random_inputs("map", 1, rng)
    assert export.parity("map", network, file, [crop], rounds=1) <= export.PARITY
    crop["image"][0, 0, 0, 0] = np.nan
    assert not export.parity("map", network, file, [crop], rounds=1) <= export.PARITY


def test_an_unfaithful_export_is_not_written(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "parity", lambda *_: 0.5)
    with pytest.raises(ValueError, match=r"map\.onnx differs from torch"):
        export.export("map", runs / "map", tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_finished_changes_nothing(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines, metrics = tmp_path / "engines", tmp_path / "m.json"
    export.export("map", runs / "map", engines, {})
    before = {path.name: path.read_bytes() for path in engines.iterdir()}
    assert before.keys() == {"map.onnx", "map.safetensors", "manifest.json"}
    command = ["export", "map", "--folder", str(runs / "map"), "--engines", str(engines)]
    for content in (b"[1]", b"# no JSON", b"\xff\xfe"):
        metrics.write_bytes(content)
        assert main([*command, "--metrics", str(metrics)]) == 1
        assert f"error: {metrics} is damaged, or not a JSON" in capsys.readouterr().err
    before["manifest.json"] = b"{"
    (engines / "manifest.json").write_bytes(b"{")
    assert main(command) == 1
    assert {path.name: path.read_bytes() for path in engines.iterdir()} == before


def test_calm_weights_lie_between_before_and_after_the_discriminators(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name, value in {"best": 1.0, "before_adversarial": 3.0}.items():
        network = EditorNet()
        for number in network.state_dict().values():
            number.fill_(value)
        parts = {"network": network, "average": network}
        checkpoint.save(
            run / f"{name}.safetensors", "editor-4", checkpoint.Progress(7), parts, {}
        )
    mixed, step = export._averaged("editor", run, 0.25)
    assert step == 7
    for value in mixed.state_dict().values():
        assert not value.is_floating_point() or torch.allclose(value, torch.tensor(1.5))
    with pytest.raises(ValueError, match="--calm is a share"):
        export.export("editor", run, tmp_path, {}, calm=1.5)


def test_a_face_network_is_written_in_half_the_bytes_and_can_be_read(tmp_path: Path) -> None:
    network = JudgeNet()
    parts = {"network": network, "average": network}
    (tmp_path / "run").mkdir()
    last = tmp_path / "run" / "last.safetensors"
    checkpoint.save(last, architecture("judge"), checkpoint.Progress(3), parts, {})
    path = export.export_face_network("judge", tmp_path / "run", tmp_path / "weights")
    assert path.stat().st_size < 0.3 * last.stat().st_size
    picture = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    ours, theirs = (load_face_network(place)(picture)[1] for place in (path, last))
    assert torch.allclose(ours, theirs, atol=5e-3)
