"""Runs: resumed equals unbroken, a bad checkpoint or a NaN stops them with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from realtime_unmask import resources
from realtime_unmask.errors import UsageError
from realtime_unmask.inference.networks import MapNet
from tests.training.runs import editor_config, weights
from training import checkpoint, data, files, train_editor, train_map, transport
from training.editor_data import editor_maker
from training.loop import _Log
from training.losses import StoppedByNan
from training.map_data import map_sample
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun
from training.train_map import MapConfig

MAP = resources.folder("engines") / "map.safetensors"

def test_a_resumed_editor_run_equals_an_unbroken_one(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    train_editor.train(editor_config(tmp_path / "whole", steps=4, faces=face_weights), faces)
    for steps in (1, 3, 4):  # the discriminators join in the second part
        config = editor_config(tmp_path / "parts", steps=steps, faces=face_weights)
        train_editor.train(config, faces)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert any(name.startswith("region_optimiser/") for name in whole)
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_rare_losses_are_logged_as_they_are(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.add({"always": torch.tensor(2.0)})
    log.add({"always": torch.tensor(4.0), "rare": torch.tensor(6.0)})
    log.write(2, 1, {}, spent=1.0)
    row = (tmp_path / "log.csv").read_text().splitlines()[1].split(",")
    assert row[-2:] == ["3.0", "6.0"]


def test_the_best_weights_are_judged_anew_where_the_measure_changed(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(score: float, steps: int) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(train_map, "validate", lambda *_: {"score": score})
        train_map.train(MapConfig(folder=tmp_path, batch=2, steps=steps), faces)
        return load_file(tmp_path / "best.safetensors")

    held = faces.where(np.ones(len(faces), bool))
    held.split = held.split.copy()
    held.split[0] = "val"
    faces = held
    easy = scored(0.9, steps=1)
    # Harder pictures: what scored 0.9 scores 0.5 on them, and so do the newest weights.
    same = scored(0.5, steps=2)
    assert all(torch.equal(easy[name], same[name]) for name in easy)
    better = iter((0.5, 0.6))
    monkeypatch.setattr(train_map, "validate", lambda *_: {"score": next(better)})
    train_map.train(MapConfig(folder=tmp_path, batch=2, steps=3), faces)
    newest = load_file(tmp_path / "best.safetensors")
    assert not all(torch.equal(easy[name], newest[name]) for name in easy)


class Interrupted(Exception):
    pass


def test_a_resumed_map_run_equals_an_unbroken_one(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"batch": 2, "steps": 4, "save_minutes": 0.0}
    train_map.train(MapConfig(folder=tmp_path / "whole", **config), faces)
    calls = {"left": 2}
    real = train_map.loss

    def breaks(*values: torch.Tensor) -> torch.Tensor:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise Interrupted
        return real(*values)

    monkeypatch.setattr(train_map, "loss", breaks)
    with pytest.raises(Interrupted):
        train_map.train(MapConfig(folder=tmp_path / "parts", **config), faces)
    monkeypatch.setattr(train_map, "loss", real)
    train_map.train(MapConfig(folder=tmp_path / "parts", **config), faces)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_the_weights_that_a_run_begins_with_stay_the_best_until_they_are_beaten(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = faces.where(np.ones(len(faces), bool))
    held.split[0] = "val"
    scores = iter([0.9, 0.8, 0.9, 0.95])  # the beginning, its end; on resuming the best, the end
    monkeypatch.setattr(train_map, "validate", lambda *_: {"score": next(scores)})
    for steps, wanted in ((1, (0, 0.9)), (2, (2, 0.95))):
        config = MapConfig(folder=tmp_path, batch=2, steps=steps, weights=MAP)
        train_map.train(config, held)
        best = checkpoint.load_weights(tmp_path / "best.safetensors", "map-2", MapNet())
        assert (best.step, best.best) == wanted


def test_an_average_forgets_a_random_start_but_not_trained_weights(
    faces: Faces, tmp_path: Path
) -> None:
    for weights_given, kept in ((None, 0.1), (MAP, 0.75)):
        config = MapConfig(
            folder=tmp_path / str(kept), batch=2, weights=weights_given, average=0.75
        )
        run = train_map.MapRun(config, faces.where(np.zeros(len(faces), bool)))
        run.resume()
        run.save()
        run = train_map.MapRun(config, faces.where(np.zeros(len(faces), bool)))
        run.resume()  # what a run began with is known when it goes on
        name, before = next(iter(run.average.named_parameters()))
        before = before.detach().clone()
        stream = data.Stream(faces, map_sample, seed=1)
        run.step(run.placed(next(iter(data.batches(stream, replace(config, workers=0), 0)))))
        newest = dict(run.network.named_parameters())[name]
        wanted = torch.lerp(newest, before, kept)
        assert torch.allclose(dict(run.average.named_parameters())[name], wanted, atol=1e-6)
        assert (newest - before).abs().max() > 1e-4


def test_training_lowers_the_loss(faces: Faces, tmp_path: Path) -> None:
    config = EditorConfig(folder=tmp_path, batch=2, size=64, moved=0.0)
    run = train_editor.EditorRun(config, faces)
    run.progress.step = 200  # the rate's warm-up is over
    stream = data.Stream(faces, editor_maker(faces, 64), seed=1)
    batch = run.placed(next(iter(data.batches(stream, config, 0))))
    losses = [float(sum(run.step(batch).values())) for _ in range(25)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_nan_stops_the_run_and_keeps_the_checkpoint(
    faces: Faces, face_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_editor.train(editor_config(tmp_path, steps=1, faces=face_weights), faces)
    before = (tmp_path / "last.safetensors").read_bytes()
    monkeypatch.setattr(
        train_editor, "reconstruction_losses",
        lambda rgb, sure, batch: {"l1": rgb.sum() * float("nan")},
    )
    with pytest.raises(StoppedByNan, match="step 1"):
        train_editor.train(editor_config(tmp_path, steps=3, faces=face_weights), faces)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_weights_that_a_card_spoiled_are_not_saved(faces: Faces, tmp_path: Path) -> None:
    run = EditorRun(editor_config(tmp_path), faces)
    run.save()
    before = (tmp_path / "last.safetensors").read_bytes()
    run.sound.fill_(False)
    for name in ("last", "before_adversarial"):
        with pytest.raises(StoppedByNan):
            run.save(name)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_gradient_that_is_no_number_stops_the_run(faces: Faces, tmp_path: Path) -> None:
    run = EditorRun(editor_config(tmp_path), faces)
    weight = next(run.network.parameters())
    before = weight.detach().clone()
    loss = weight.square().sum()
    weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(StoppedByNan):
        run.descend(loss, run.network, run.optimiser)
    assert torch.equal(weight, before)


def test_a_checkpoint_of_another_network_is_refused(faces: Faces, tmp_path: Path) -> None:
    train_editor.train(editor_config(tmp_path, steps=1), faces)
    with pytest.raises(checkpoint.CheckpointError, match="made for editor-4"):
        train_map.train(MapConfig(folder=tmp_path, batch=2, steps=1), faces)


@pytest.mark.parametrize("content", [b"", b"garbage that is long enough to hold a header"])
def test_a_damaged_checkpoint_is_refused(content: bytes, faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes(content)
    with pytest.raises(checkpoint.CheckpointError, match="not a readable checkpoint"):
        train_editor.train(editor_config(tmp_path, steps=1), faces)


def test_a_file_without_a_header_is_refused(faces: Faces, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "last.safetensors")
    with pytest.raises(checkpoint.CheckpointError, match="not a readable checkpoint"):
        train_editor.train(editor_config(tmp_path, steps=1), faces)


def test_two_runs_do_not_work_in_one_folder(faces: Faces, tmp_path: Path) -> None:
    config = MapConfig(folder=tmp_path, batch=2, steps=1)
    with files.alone(tmp_path), pytest.raises(UsageError, match="Another run works in"):
        train_map.train(config, faces)
    train_map.train(config, faces)


def test_the_rate_is_halved_in_stages(faces: Faces, tmp_path: Path) -> None:
    config = EditorConfig(
        folder=tmp_path, batch=2, size=64, rate=0.8, half_life=300, half_from=100, moved=0.0
    )
    run = EditorRun(config, faces)
    stream = data.Stream(faces, editor_maker(faces, 64), seed=1)
    batch = run.placed(next(iter(data.batches(stream, config, 0))))
    rates = []
    for run.progress.step in (0, 60, 390, 410, 710):
        run.step(batch)
        rates.append(run.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2, 0.4, 0.8, 0.4, 0.2])


def test_samples_travel_in_bytes_and_keep_their_marks() -> None:
    dice = torch.Generator().manual_seed(1)
    sample = {"target": torch.rand(3, 8, 8, generator=dice) * 2 - 1,
              "map": (torch.rand(1, 8, 8, generator=dice) > 0.5).float(),
              "age": torch.tensor(41.5)}  # fmt: skip
    sample["target"][:, 0] = torch.tensor([0.0, 1.0, -1.0, 0, 0, 0, 0, 0])
    sent = transport.packed(sample)
    assert sent["target"].dtype is sent["map"].dtype is torch.uint8
    back = transport.unpacked({name: value[None] for name, value in sent.items()})
    assert torch.equal(back["map"][0], sample["map"])
    assert torch.equal(back["target"][0, :, 0], sample["target"][:, 0])
    assert (back["target"][0] - sample["target"]).abs().max() <= 1 / 254 + 1e-6
    assert float(back["age"]) == 41.5
