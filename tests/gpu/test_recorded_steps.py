"""Training steps that a card replays do what the same steps do one launch at a time."""

# torch may not be installed where there is no card.
# ruff: noqa: E402

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import working

pytestmark = pytest.mark.gpu
if working()["torch"]:
    pytest.skip(working()["torch"], allow_module_level=True)

import torch

from training import checkpoint
from training.face_networks import DESIGNS, architecture
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun

Batch = dict[str, torch.Tensor]
STEPS = 24


@pytest.fixture
def perceptual(tmp_path: Path) -> Path:
    """A face network that knows nothing."""
    torch.manual_seed(4)
    network = DESIGNS["perceptual"]()
    path = tmp_path / "perceptual.safetensors"
    both = {"network": network, "average": network}
    checkpoint.save(path, architecture("perceptual"), checkpoint.Progress(), both, {})
    return path


def batches(run: EditorRun) -> list[Batch]:
    """Smooth pictures with a hole, no two alike."""
    dice = torch.Generator().manual_seed(5)
    made = []
    for _ in range(STEPS):
        small = torch.rand(4, 3, 16, 16, generator=dice) * 2 - 1
        target = torch.nn.functional.interpolate(small, (256, 256), mode="bilinear")
        hole = torch.zeros(4, 1, 256, 256)
        hole[:, :, 120:220, 70:190] = 1
        nothing = torch.zeros_like(target)
        batch = {"target": target, "map": hole, "valid": torch.ones_like(hole),
                 "prior": nothing, "prior_weight": nothing[:, :1]}  # fmt: skip
        made.append(run.placed(batch))
    return made


def trained(folder: Path, perceptual: Path, *, recorded: bool) -> tuple[list[float], EditorRun]:
    """The sum of each step's losses; the first half without discriminators, then with both."""
    config = EditorConfig(
        folder=folder, faces=perceptual, device="cuda", moved=0.3, whole_from=212, region_from=212
    )
    nobody = Faces([], *(np.empty(0) for _ in range(6)))  # type: ignore[arg-type]
    run = EditorRun(config, nobody)
    assert run.record.on
    run.record.on = recorded
    run.progress.step = 200  # the rate's warm-up, in which every step is another, is over
    sums = []
    for batch in batches(run):
        sums.append(sum(float(value) for value in run.step(batch).values()))
        run.progress.step += 1
    assert run.record.on == recorded, "the steps could not be recorded"
    return sums, run


def test_recorded_steps_learn_what_others_learn(tmp_path: Path, perceptual: Path) -> None:
    plain, one = trained(tmp_path / "plain", perceptual, recorded=False)
    again, two = trained(tmp_path / "again", perceptual, recorded=False)
    replayed, other = trained(tmp_path / "replayed", perceptual, recorded=True)
    print("plain", np.round(plain, 3), "replayed", np.round(replayed, 3), sep="\n")
    # Sums in another order differ, more with every step: a replay may differ as two runs do.
    noise = np.abs(np.subtract(plain, again)).max()
    assert np.allclose(plain, replayed, rtol=0.02, atol=2 * noise)
    assert len(set(np.round(replayed, 6))) == STEPS
    weights = [
        torch.cat([p.detach().flatten() for p in run.networks[name].parameters()])
        for name in ("network", "whole", "region") for run in (one, two, other)
    ]  # fmt: skip
    for mine, same, theirs in zip(weights[::3], weights[1::3], weights[2::3], strict=True):
        apart = (mine - theirs).norm() / mine.norm()
        assert apart < 0.02 + 2 * (mine - same).norm() / mine.norm()
    assert bool(other.sound)


def test_a_loss_that_is_no_number_is_seen(tmp_path: Path, perceptual: Path) -> None:
    _, run = trained(tmp_path, perceptual, recorded=True)
    batch = batches(run)[0]
    batch["target"][0, 0, 150, 100] = float("nan")
    for _ in range(3):  # also where the next step is one that asks for agreement
        run.step(batch)
        run.progress.step += 1
    assert not bool(run.sound)
