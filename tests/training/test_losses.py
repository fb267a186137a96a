"""What is asked of the networks, and how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training import train_editor, train_map
from training.losses import dissimilarity, grown, weighted_mean
from training.map_data import near_thin
from training.motion import Motion
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun


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
    shaded = target - 0.3  # the masked picture, which is what the rim is to look like
    batch = {
        "image": shaded, "target": target, "map": hole, "valid": torch.ones_like(hole),
    }  # fmt: skip
    rim = grown(hole, train_editor.RIM_PX) - hole
    right = torch.lerp(shaded, target, hole)
    for wrong, wanted in ((hole, 2.0), (rim, 0.5), (1 - hole - rim, 0.0)):
        rgb = right + 0.1 * wrong
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
    found = near_thin(plane)
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
    thin = torch.from_numpy(near_thin(strap[0, 0].numpy()))[None, None]
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
    batch = {"image": ramp, "target": ramp, "map": hole, "valid": torch.ones_like(hole),
             "prior": torch.zeros_like(ramp), "prior_weight": torch.zeros_like(hole)}  # fmt: skip
    batch |= run._next_frame(ramp, np.random.default_rng(3))
    batch["noise"].zero_()
    apart = {}
    for name, paint in {
        "moves": lambda _, seen: (seen["image"], seen["map"]),
        "stays": lambda _, seen: (ramp, seen["map"]),
        "brighter": lambda _, seen: (seen["image"] + 0.2, seen["map"]),
    }.items():
        monkeypatch.setattr(run, "paint", paint)
        difference = run._disagreement(ramp, batch)
        apart[name] = difference.item()
    assert apart["moves"] < 0.003 < apart["stays"]
    assert apart["brighter"] == pytest.approx(0.2, abs=0.01)
