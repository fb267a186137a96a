"""Discriminators join a run, go on in another, and are not lost on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from realtime_unmask import resources
from realtime_unmask.inference.networks import EditorNet
from tests.training.runs import editor_config, weights
from training import checkpoint, data, train_editor
from training.discriminators import Adversary, PatchDiscriminator
from training.editor_data import editor_maker
from training.export import export_discriminators
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun


def test_discriminators_want_a_perceptual_network(faces: Faces, tmp_path: Path) -> None:
    """Or the best weights, which ship, would stay those of before they joined."""
    with pytest.raises(ValueError, match="add --faces"):
        train_editor.train(editor_config(tmp_path, steps=4), faces)


def test_weights_that_never_met_a_discriminator_are_no_candidates(
    faces: Faces, face_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([30.0, 20.0, 19.0])
    monkeypatch.setattr(train_editor, "validate", lambda run, held: {"score": next(scores)})
    config = editor_config(tmp_path, faces=face_weights, steps=3, save_minutes=0.0)
    stream = data.Stream(faces, editor_maker(faces, 64), config.seed)
    EditorRun(config, faces).go(data.batches(stream, config, 0))
    best = checkpoint.load_weights(tmp_path / "best.safetensors", "editor-4", EditorNet())
    assert (best.step, best.best) == (2, 20.0)


def test_a_discriminator_may_change_its_width_until_it_joins(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    config = editor_config(tmp_path, faces=face_weights, steps=1)
    train_editor.train(config, faces)
    train_editor.train(replace(config, steps=2, judge_width=16), faces)
    with pytest.raises(checkpoint.CheckpointError, match="judge-width"):
        train_editor.train(replace(config, steps=3, judge_width=8), faces)


def test_discriminators_may_be_asked_for_after_their_step(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    config = editor_config(tmp_path, faces=face_weights, steps=2)
    train_editor.train(replace(config, whole_from=9, region_from=9, faces=face_weights), faces)
    assert not (tmp_path / "before_adversarial.safetensors").exists()
    train_editor.train(replace(config, steps=3), faces)  # from step 1, which is over
    before = tmp_path / "before_adversarial.safetensors"
    assert checkpoint.load_weights(before, "editor-4", EditorNet()).step == 2


def test_a_judge_that_fails_is_not_left_frozen() -> None:
    judge = Adversary(PatchDiscriminator(width=4), lambda planes: planes)
    planes = [torch.zeros(1, channels, 32, 32) for channels in (3, 3, 1)]
    judge.network.judge.register_forward_hook(_refuse)
    with pytest.raises(RuntimeError, match="no memory"):
        judge.verdict(*planes)
    assert all(parameter.requires_grad for parameter in judge.network.parameters())


def _refuse(*_: object) -> None:
    raise RuntimeError("no memory")


def test_the_face_network_asks_for_texture_and_discriminators_bring_the_grid_loss(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    run = EditorRun(editor_config(tmp_path, faces=face_weights), faces)
    torch.manual_seed(0)
    target = 0.3 * torch.randn(2, 3, 64, 64)
    hole = torch.zeros(2, 1, 64, 64)
    hole[..., 4:60, 4:60] = 1
    batch = {
        "image": target, "target": target, "map": hole, "valid": torch.ones_like(hole),
    }  # fmt: skip
    batch["shift"] = torch.tensor([3, 9])
    soft = 0.1 * target
    stairs = F.interpolate(F.avg_pool2d(target, 4), (64, 64))
    for rgb, joined, wanted in (
        (soft, (), "texture"), (soft, (), "content"), (stairs, ("region",), "grid"),
    ):  # fmt: skip
        rgb.requires_grad_()
        losses = run._judged(rgb, batch, joined)
        assert ("grid" in losses) == bool(joined)
        (gradient,) = torch.autograd.grad(losses[wanted], rgb)
        assert losses[wanted].item() > 0.1 and gradient.abs().max() > 0
    same = run._judged(target, batch, ("region",))
    assert same["grid"].item() == 0 and same["content"].item() == pytest.approx(0, abs=1e-4)
    without = EditorRun(editor_config(tmp_path, faces=face_weights, content=0.0), faces)
    assert "content" not in without._judged(soft, batch, ())


def test_discriminators_go_on_in_another_run(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    train_editor.train(editor_config(tmp_path / "one", steps=4, faces=face_weights), faces)
    judges = export_discriminators(tmp_path / "one", tmp_path)
    other = EditorRun(editor_config(tmp_path / "other", judges=judges), faces)
    other.resume()
    other.save()
    # They have not joined yet, though the run has begun.
    again = EditorRun(editor_config(tmp_path / "other", judges=judges), faces)
    again.resume()
    trained = weights(tmp_path / "one")
    for name in ("whole", "region"):
        for key, value in again.networks[name].state_dict().items():
            assert torch.allclose(value, trained[f"{name}/{key}"], atol=1e-3, rtol=1e-3), key


def test_a_file_without_discriminators_is_refused(faces: Faces, tmp_path: Path) -> None:
    editor = resources.folder("engines") / "editor.safetensors"
    run = EditorRun(editor_config(tmp_path, judges=editor), faces)
    with pytest.raises(checkpoint.CheckpointError, match="holds no whole and no region"):
        run.resume()


def test_discriminators_that_have_joined_stay(
    faces: Faces, face_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = editor_config(tmp_path, faces=face_weights, steps=3, rate=0.8)
    train_editor.train(config, faces)
    judges = export_discriminators(tmp_path, tmp_path)
    capsys.readouterr()
    forgotten = EditorConfig(
        folder=tmp_path, batch=2, size=64, device="cpu", faces=face_weights, judges=judges, rate=0.8
    )
    run = EditorRun(forgotten, faces)
    run.resume()
    assert run.joined() == ("whole", "region")
    assert "--judges is for those that have not" in capsys.readouterr().out
    stream = data.Stream(faces, editor_maker(faces, 64), seed=1)
    losses = run.step(run.placed(next(iter(data.batches(stream, forgotten, 3)))))
    assert "region_adversarial" in losses
    assert run.optimiser.param_groups[0]["lr"] == pytest.approx(0.8 / 4 / 4)  # still warming up


def test_a_run_without_discriminators_has_none_to_export(faces: Faces, tmp_path: Path) -> None:
    train_editor.train(EditorConfig(folder=tmp_path, batch=2, size=64, steps=1), faces)
    with pytest.raises(checkpoint.CheckpointError, match="holds no whole and no region"):
        export_discriminators(tmp_path, tmp_path)
