"""Runs: resumed equals unbroken, a bad checkpoint or a NaN stops them with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from realtime_unmask import resources
from realtime_unmask.errors import UsageError
from realtime_unmask.inference.networks import EditorNet, MapNet
from training import checkpoint, data, files, train_editor, train_map, transport
from training.discriminators import Adversary, PatchDiscriminator
from training.editor_data import editor_maker
from training.export import export_discriminators
from training.face_networks import PerceptualNet, architecture
from training.loop import _Log
from training.losses import StoppedByNan, dissimilarity, grown, weighted_mean
from training.motion import Motion
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun
from training.train_map import MapConfig

MAP = resources.folder("engines") / "map.safetensors"


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "last.safetensors")


def editor_config(run: Path, **changes: Any) -> EditorConfig:
    return EditorConfig(
        folder=run, batch=2, size=64, whole_from=1, region_from=2, moved=0.3, device="cpu",
        **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def face_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A perceptual network as it begins."""
    path = tmp_path_factory.mktemp("faces") / "last.safetensors"
    network = PerceptualNet()
    checkpoint.save(
        path, architecture("perceptual"), checkpoint.Progress(),
        {"network": network, "average": network}, {},
    )  # fmt: skip
    return path


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
        stream = data.Stream(faces, data.map_sample, seed=1)
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


def test_dissimilarity_is_zero_for_equals_and_grows_with_blur() -> None:
    rng = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 3, 64, 64, generator=rng) * 2 - 1
    everywhere = torch.ones(1, 1, 64, 64)
    blurred = torch.nn.functional.avg_pool2d(picture, 5, 1, 2)
    assert dissimilarity(picture, picture, everywhere).item() == pytest.approx(0, abs=1e-5)
    assert dissimilarity(picture, blurred, everywhere).item() > 0.3


def test_weighted_mean_counts_only_what_has_weight() -> None:
    value = torch.tensor([[[[1.0, 5.0]]]])
    assert weighted_mean(value, torch.tensor([[[[0.0, 1.0]]]])).item() == 5.0


def test_the_hole_and_its_rim_are_weighed_apart() -> None:
    target, hole = torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    hole[..., 20:44, 20:44] = 1
    batch = {"target": target, "map": hole, "valid": torch.ones_like(hole)}
    rim = grown(hole, train_editor.RIM_PX) - hole
    for wrong, wanted in ((hole, 2.0), (rim, 0.5), (1 - hole - rim, 0.0)):
        rgb = target + 0.1 * wrong
        losses = train_editor.reconstruction_losses(rgb, torch.ones_like(hole), batch)
        assert losses["l1"].item() == pytest.approx(0.1 * wanted)


def test_grown_is_a_square_dilation() -> None:
    plane = torch.zeros(1, 1, 9, 9)
    plane[..., 4, 4] = 1
    assert grown(plane, 2).sum().item() == 25


def test_straps_are_thin_and_cloth_is_not() -> None:
    plane = np.zeros((64, 64), np.float32)
    plane[20:50, 20:50] = 1  # cloth
    plane[2:20, 22:26] = 1  # a strap
    found = data.near_thin(plane)
    assert found[:18, 22:26].min() == 1, "the strap"
    assert found[2:16, 19:29].min() == 1, "what is beside it"
    assert found[25:45, 25:45].max() == 0 and found[:, 40:].max() == 0


def test_the_share_around_a_strap_weighs_as_much_as_the_strap() -> None:
    strap = torch.zeros(1, 1, 64, 64)
    strap[..., 30:33, :] = 1
    all_known = torch.ones_like(strap)
    too_wide, too_narrow = torch.full_like(strap, -4.0), torch.full_like(strap, -4.0)
    too_wide[..., 29:34, :], too_narrow[..., 31:32, :] = 4.0, 4.0
    exact = torch.where(strap > 0, 4.0, -4.0)
    thin = torch.from_numpy(data.near_thin(strap[0, 0].numpy()))[None, None]
    ideal, wide, narrow = (
        train_map.loss(v, strap, all_known, thin) for v in (exact, too_wide, too_narrow)
    )
    assert ideal < wide and ideal < narrow
    assert wide - ideal > 0.5 * (narrow - ideal)


def test_a_motion_has_its_inverse() -> None:
    smooth = torch.nn.functional.avg_pool2d(torch.rand(2, 3, 64, 64), 15, 1, 7)
    motion = Motion.random(2, np.random.default_rng(1), torch.device("cpu"))
    there_and_back = motion.back(motion(smooth))
    assert (motion(smooth) - smooth).abs().max() > 0.003
    assert (there_and_back - smooth)[..., 8:-8, 8:-8].abs().mean() < 0.003


def test_paint_that_moves_with_the_picture_agrees_and_paint_that_does_not_disagrees(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = EditorRun(EditorConfig(folder=tmp_path, size=64, device="cpu"), faces)
    ramp = torch.linspace(-1, 1, 64).expand(2, 3, 64, 64).contiguous()
    hole = torch.zeros(2, 1, 64, 64)
    hole[..., 16:48, 16:48] = 1
    batch = {"target": ramp, "map": hole, "valid": torch.ones_like(hole),
             "prior": torch.zeros_like(ramp), "prior_weight": torch.zeros_like(hole)}  # fmt: skip
    batch |= run._next_frame(ramp, np.random.default_rng(3))
    batch["noise"].zero_()
    apart = {}
    for name, paint in {
        "moves": lambda _, seen: (seen["target"], seen["map"]),
        "stays": lambda _, seen: (ramp, seen["map"]),
        "brighter": lambda _, seen: (seen["target"] + 0.2, seen["map"]),
    }.items():
        monkeypatch.setattr(run, "paint", paint)
        difference = run._disagreement(ramp, batch)
        apart[name] = difference.item()
    assert apart["moves"] < 0.003 < apart["stays"]
    assert apart["brighter"] == pytest.approx(0.2, abs=0.01)


def test_the_face_network_asks_for_texture_and_discriminators_bring_the_grid_loss(
    faces: Faces, face_weights: Path, tmp_path: Path
) -> None:
    run = EditorRun(editor_config(tmp_path, faces=face_weights), faces)
    torch.manual_seed(0)
    target = 0.3 * torch.randn(2, 3, 64, 64)
    hole = torch.zeros(2, 1, 64, 64)
    hole[..., 4:60, 4:60] = 1
    batch = {"target": target, "map": hole, "valid": torch.ones_like(hole)}
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


def test_two_runs_do_not_work_in_one_folder(faces: Faces, tmp_path: Path) -> None:
    config = MapConfig(folder=tmp_path, batch=2, steps=1)
    with files.alone(tmp_path), pytest.raises(UsageError, match="Another run works in"):
        train_map.train(config, faces)
    train_map.train(config, faces)


def test_a_run_without_discriminators_has_none_to_export(faces: Faces, tmp_path: Path) -> None:
    train_editor.train(EditorConfig(folder=tmp_path, batch=2, size=64, steps=1), faces)
    with pytest.raises(checkpoint.CheckpointError, match="holds no whole and no region"):
        export_discriminators(tmp_path, tmp_path)


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
