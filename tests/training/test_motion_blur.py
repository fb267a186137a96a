"""Heads that move while they are exposed: the blur, and the table."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_unmask import resources
from training.evaluation import motion_blur
from training.evaluation.cases import Dressed
from training.masks import camera
from training.shards import Faces


def edge() -> Dressed:
    """White to the right of the middle."""
    image = np.zeros((256, 256, 3), np.float32)
    image[:, 128:] = 1
    return Dressed(
        image, image, image[..., 0], "surgical", 256, np.ones((256, 256), bool),
        np.zeros((478, 2), np.float32),
    )  # fmt: skip


def test_a_moved_edge_is_as_wide_as_the_motion_and_one_along_it_stays() -> None:
    share = motion_blur.moved(edge(), 20.0, 0.0).share
    assert np.count_nonzero((share[100] > 0.01) & (share[100] < 0.99)) == pytest.approx(20, abs=2)
    assert share[100, 127:129].mean() == pytest.approx(0.5, abs=0.03)
    along = motion_blur.moved(edge(), 20.0, np.pi / 2).share
    assert np.abs(along - edge().share).max() < 1e-3
    assert np.array_equal(motion_blur.moved(edge(), 0.0, 0.4).masked, edge().masked)


def test_the_training_blurs_picture_and_mask_alike() -> None:
    rng = np.random.default_rng(3)
    image, share = camera.moved([edge().masked, edge().share], rng)
    assert np.abs(image[..., 1] - share).max() < 1e-6
    assert share.mean() == pytest.approx(0.5, abs=0.02) and 0 <= share.min() <= share.max() <= 1.001
    assert ((share > 0.05) & (share < 0.95)).any()


def test_each_length_has_its_row(judged: Faces) -> None:
    engines = resources.folder("engines")
    table = motion_blur.evaluate(judged, engines, against=engines, workers=0)
    assert len(table) == 2 * len(motion_blur.LENGTHS)
    assert table["0%, ours"] == table["0%, previous weights"]
    assert 0 <= table["0%, ours"]["left"] < 100 and table["9%, ours"]["n"] == 1
