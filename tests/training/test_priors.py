"""The guesses that the editor learns from: another picture of the person, or a worse copy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training import data, editor_data
from training.editor_data import editor_maker
from training.shards import Faces

SIZE = 128
# Away from the edge of the hole that is cut below.
INNER = np.s_[70:106, 38:90]


@pytest.fixture
def one_person(faces: Faces) -> Faces:
    """Six pictures that are known to show one person."""
    made = faces.where(np.ones(len(faces), bool))
    made.set = np.array(["omi_variants"] * len(made))
    made.origin = np.array([f"p1_look_{number}.png" for number in range(len(made))])
    return made


def flat(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S): a (3, S, S) picture's lightness, without its slow changes."""
    light = picture.mean(0)
    return light - cv2.GaussianBlur(light, (0, 0), 4)


def test_a_guess_from_another_picture_lies_on_this_ones_mesh(
    one_person: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    view = editor_data.view

    def watched(faces: Faces, index: int, rng: np.random.Generator, size: int) -> data.View:
        drawn.append(index)
        return view(faces, index, rng, size)

    monkeypatch.setattr(editor_data, "view", watched)
    for share in ("HARSH", "MOTION", "SMALL", "EDGE"):
        monkeypatch.setattr(editor_data, f"{share}_SHARE", 0.0)
    make = editor_maker(one_person, SIZE, pair_share=1.0, copy_share=0.0)
    stream = data.Stream(one_person, make, seed=1)
    apart = []
    for number in range(16):
        sample = stream.sample(number)
        given = sample["prior_weight"][0] > 0
        assert given.sum() > 0.5 * sample["map"].sum()
        detail = [flat(sample[name])[given] for name in ("prior", "target")]
        apart.append(np.corrcoef(*detail)[0, 1])
    assert np.median(apart) > 0.33  # 0.48; where it is not bent 0.20
    pairs = np.array(drawn).reshape(-1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_a_worse_copy_is_tinted_blurred_and_partly_missing(faces: Faces) -> None:
    image = data.view(faces, 0, None, SIZE).image
    hole = np.zeros((SIZE, SIZE), np.float32)
    hole[64:112, 32:96] = 1
    rng = np.random.default_rng(3)
    missing, tint, detail = [], [], []
    for _ in range(60):
        guess, weight = editor_data._worse_copy(image, hole, rng)
        given = weight > 0
        missing.append(1 - given[hole > 0].mean())
        shown = guess / 2 + 0.5
        tint.append(np.ptp((shown - image)[given].mean(0)))
        if not missing[-1]:
            detail.append(np.abs(cv2.Laplacian(shown, cv2.CV_32F))[INNER].mean())
    assert 10 < np.sum(np.array(missing) > 0.05) < 35
    assert np.median(tint) > 0.02
    true = np.abs(cv2.Laplacian(image, cv2.CV_32F))[INNER].mean()
    assert np.mean(np.array(detail) < 0.5 * true) > 0.15
