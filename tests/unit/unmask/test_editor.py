"""The editor's inputs, and the colour match that is kept only where it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.unmask.colour import carried, is_grey, kept_share, match_colour, seam
from realtime_unmask.unmask.editor import (
    PICTURE_WEIGHT,
    Painted,
    Prior,
    painted,
    start_painting,
    steadied,
)
from tests.unit.conftest import lower_face

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

SIZE = 256


def face() -> NDArray[np.float32]:
    """A smooth skin-coloured picture with light from one side."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIZE
    skin = np.stack([150 + 60 * x, 110 + 50 * x + 10 * y, 90 + 40 * x], -1)
    return np.asarray(skin, np.float32)


def everywhere() -> NDArray[np.uint8]:
    return np.ones((SIZE, SIZE), np.uint8)


def hole() -> NDArray[np.uint8]:
    return lower_face().astype(np.uint8)


def test_a_tint_is_taken_away() -> None:
    crop = face().round().astype(np.uint8)
    tinted = face() + np.array([20, -15, 8], np.float32)
    matched = match_colour(tinted, crop, hole(), everywhere())
    assert np.abs(matched - face())[hole() > 0].mean() < 1.5
    before, after = (seam(v, crop, hole(), everywhere()) for v in (tinted, matched))
    assert after < 0.3 * before


def test_paint_in_a_black_and_white_picture_has_no_colour() -> None:
    grey = np.repeat(face().mean(2, keepdims=True), 3, 2).round().astype(np.uint8)
    noisy = (grey + np.random.default_rng(0).integers(-1, 2, grey.shape)).astype(np.uint8)
    confidence = np.ones((SIZE, SIZE), np.float32)
    for crop in (grey, noisy):
        for known in (None, everywhere()):
            made = Painted(face(), confidence).finished(crop, hole(), known, None, None)
            picture = made.picture().astype(int)
            inside = np.ptp(picture, axis=2)[hole() > 0]
            assert inside.max() <= 2 and picture[hole() > 0].std() > 1


def test_a_face_without_much_colour_keeps_it() -> None:
    pale = (0.12 * face() + 0.88 * face().mean(2, keepdims=True)).round().astype(np.uint8)
    assert not is_grey(pale)
    made = Painted(face(), np.ones((SIZE, SIZE), np.float32))
    assert np.ptp(made.finished(pale, hole(), None, None, None).picture(), axis=2).mean() > 20


def test_a_slope_of_light_is_carried_inward() -> None:
    crop = face().round().astype(np.uint8)
    flat = np.full_like(face(), face().mean())
    matched = match_colour(flat, crop, hole(), everywhere())
    inside = hole() > 0
    assert np.abs(matched - face())[inside].mean() < 0.4 * np.abs(flat - face())[inside].mean()


def test_lips_and_beard_have_no_say() -> None:
    crop = face().round().astype(np.uint8)
    tinted = face() + 12
    bearded = tinted.copy()
    bearded[170:200, 100:156] -= 90
    plain, other = (match_colour(v, crop, hole(), everywhere()) for v in (tinted, bearded))
    assert np.allclose(plain[150, 128], other[150, 128], atol=0.5)


def test_a_match_that_would_widen_the_seam_is_dropped() -> None:
    """The rim that the network painted is off, but what it painted inside fits."""
    crop = face().round().astype(np.uint8)
    painted = face()
    painted[hole() == 0] += 40
    assert carried(painted, crop, hole(), everywhere()) is painted


def test_what_lies_outside_the_picture_is_not_compared() -> None:
    crop = face().round().astype(np.uint8)
    known = everywhere()
    known[:, 128:] = 0
    crop[:, 128:] = 0  # repeated edge, or anything
    matched = match_colour(face() + 10, crop, hole(), known)
    assert np.abs(matched - face())[174, 100].max() < 3


def test_too_little_edge_leaves_the_colour_alone() -> None:
    painted = face()
    nothing = np.zeros((SIZE, SIZE), np.uint8)
    crop = face().round().astype(np.uint8)
    assert match_colour(painted, crop, hole(), nothing) is painted


def test_seam_is_small_where_nothing_was_painted_and_large_on_a_step() -> None:
    crop = face().round().astype(np.uint8)
    assert seam(crop.astype(np.float32), crop, hole(), everywhere()) < 1.5
    assert seam(face() + 60, crop, hole(), everywhere()) > 10


def test_priors_reach_the_network_inside_the_hole_only(editor_engine: FakeEngine) -> None:
    batch = np.full((2, 3, SIZE, SIZE), 0.5, np.float32)
    holes = np.stack([lower_face(), lower_face()])
    prior = Prior(np.full((SIZE, SIZE, 3), 255, np.float32), PICTURE_WEIGHT)
    start_painting(editor_engine, batch, holes, [prior, None])
    made = painted(editor_engine)
    call = editor_engine.calls[0]
    assert call["prior_weight"][0].max() == pytest.approx(PICTURE_WEIGHT)
    assert np.allclose(call["prior"][0], holes[:1])
    assert not call["prior"][1].any() and not call["prior_weight"][1].any()
    assert not (call["image"] * call["map"]).any()
    assert made[0].rgb.shape == (SIZE, SIZE, 3)
    assert np.allclose(made[0].rgb[0, 0], 0.75 * 255, atol=0.1)


def test_where_a_prior_is_not_trusted_nothing_of_it_is_shown(editor_engine: FakeEngine) -> None:
    """The network has learnt that there is nothing where the weight is 0."""
    batch, holes = np.zeros((1, 3, SIZE, SIZE), np.float32), lower_face()[None]
    weight = np.where(np.arange(SIZE) < SIZE // 2, np.float32(PICTURE_WEIGHT), np.float32(0))
    weight = np.broadcast_to(weight, (SIZE, SIZE))
    start_painting(
        editor_engine, batch, holes, [Prior(np.full((SIZE, SIZE, 3), 255, np.float32), weight)]
    )
    shown = editor_engine.calls[0]["prior"][0, 0]
    assert np.array_equal(shown > 0, (holes[0] > 0) & (weight > 0))


def test_paint_of_a_mirror_lies_where_the_face_is(editor_engine: FakeEngine) -> None:
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    batch = np.stack([np.broadcast_to(c * across, (3, SIZE, SIZE)) for c in (0.5, -0.5)])
    holes = np.stack([lower_face(), np.roll(lower_face(), 40, 1)])

    def answer(inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        own = inputs["image"] + inputs["map"] * across  # each way is off to another side
        return {"rgb": own, "confidence": inputs["map"] * 0.5}

    editor_engine.answer = answer  # type: ignore[assignment]
    start_painting(editor_engine, batch, holes, way="both")
    for made, crop, where in zip(painted(editor_engine, "both"), batch, holes, strict=True):
        seen = (crop * (1 - where)).transpose(1, 2, 0)
        assert np.allclose(made.rgb, (seen + 1) * 127.5, atol=0.01)
        assert np.allclose(made.confidence, where * 0.5)


def test_paint_that_hardly_changes_stays_and_paint_that_changes_is_new() -> None:
    where = lower_face().astype(np.uint8)
    before = np.full((SIZE, SIZE, 3), 100, np.float32)
    for change, stays in ((3, 0.88), (20, 0.33), (100, 0.0)):
        painted = before + change
        steady = steadied(painted, before, where)
        kept = (painted - steady) / change
        assert kept[where > 0] == pytest.approx(stays, abs=0.01)
        assert not kept[where == 0].any()
        assert (painted == 100 + change).all() and (before == 100).all()


def test_what_follows_for_long_neither_fades_nor_sharpens_nor_wanders() -> None:
    rng = np.random.default_rng(2)
    still = rng.uniform(40, 215, (SIZE, SIZE, 3)).astype(np.float32)
    shown = still
    for _ in range(300):
        noisy = still + rng.normal(0, 2, still.shape).astype(np.float32)
        shown = steadied(noisy, shown, everywhere())
    away = shown - still
    assert abs(away.mean()) < 0.1 and away.std() < 0.8  # less than the noise of one frame
    assert shown.std() == pytest.approx(still.std(), rel=0.01)


def test_what_is_no_number_does_not_stay() -> None:
    painted = face()
    before = painted.copy()
    before[100, 100] = np.nan
    assert np.isfinite(steadied(painted, before, everywhere())).all()


def test_without_a_place_in_common_nothing_follows() -> None:
    painted = face()
    assert np.array_equal(steadied(painted, painted + 5, np.zeros((SIZE, SIZE), np.uint8)), painted)


def test_a_match_is_kept_as_far_as_it_makes_the_seam_smaller() -> None:
    """Without a step: the seams of one frame and of the next differ by a little."""
    shares = [kept_share(seam, 4.0) for seam in (0.0, 3.59, 3.8, 4.0, 4.2, 4.41, 9.0)]
    assert min(shares[:2]) >= 1 and max(shares[5:]) <= 0
    assert shares[2:5] == pytest.approx([0.75, 0.5, 0.25], abs=1e-3)
    assert not kept_share(np.nan, np.nan) > 0
