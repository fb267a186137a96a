"""A still head, painted for a while: what fades is seen to fade, and what wanders to wander."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from realtime_unmask import Unmasker, resources
from realtime_unmask.faces import tracker
from realtime_unmask.settings import Settings
from realtime_unmask.types import Face, Float32, Frame, UInt8
from tests.training.conftest import of_demo
from training.evaluation import moving, steady
from training.prepare import prepare
from training.shards import STORED, Faces, load_shards

ENGINES = resources.folder("engines")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """The demo's faces without their mask, one of them to judge: a mask under a mask is no test."""
    folder = tmp_path_factory.mktemp("bare")
    with Unmasker.default(Settings(threads=1)) as unmasker:
        for number, image in of_demo():
            output = unmasker.process(image).output.image
            cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(output, cv2.COLOR_RGB2BGR))
    prepare([folder], folder / "prepared")
    made = load_shards(folder / "prepared")
    made.split[:] = "train"
    made.split[1] = "val"  # the first would get a gaiter, down to the end of its crop
    return made


def fading(painted: Float32, before: Float32, hole: UInt8) -> Float32:
    """What `steady` must see: each frame has a little less contrast than the one before."""
    level = before[hole > 0].mean(0)
    return level + np.float32(0.98) * (before - level)


def test_a_painting_that_fades_is_seen_to_fade(
    bare: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_unmask.unmask.editor.steadied", fading)
    rows = steady.evaluate(bare, ENGINES, seconds=(1, 2), count=1, workers=0)
    assert list(rows) == [moving.SINGLE, f"{moving.VIDEO}, 1 s", f"{moving.VIDEO}, 2 s"]
    _, first, second = rows.values()
    assert second["sharp"] < 0.95 * first["sharp"]
    assert first["moved"] == 0 < second["moved"]


@pytest.fixture(scope="module")
def kept_still(bare: Faces) -> dict[str, dict[str, float]]:
    """What the program makes of a still head."""
    return steady.evaluate(bare, ENGINES, seconds=(1, 2), count=1, workers=0)


def test_a_painting_of_the_program_keeps_still(
    kept_still: dict[str, dict[str, float]]
) -> None:
    alone, first, second = kept_still.values()
    assert second["flicker"] < 0.6 * alone["flicker"]
    assert second["sharp"] == pytest.approx(first["sharp"], rel=0.02)
    assert second["psnr"] > alone["psnr"] - 0.1
    assert alone["painted"] == first["painted"] == second["painted"] == 1


def test_a_mesh_that_wanders_is_seen_to_wander(
    bare: Faces, kept_still: dict[str, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = tracker.track

    def wandering(frame: Frame, *more: Any) -> list[Face]:
        shift = np.float32(1.5 * np.sin(frame.index / 3))
        return [replace(face, landmarks=face.landmarks + shift) for face in follow(frame, *more)]

    monkeypatch.setattr(tracker, "track", wandering)
    rows = steady.evaluate(bare, ENGINES, seconds=(1,), count=1, workers=0)
    still = kept_still[f"{moving.VIDEO}, 1 s"]
    assert rows[f"{moving.VIDEO}, 1 s"]["flicker"] > 1.5 * still["flicker"]


def test_a_stored_crop_is_judged_where_it_is_a_picture(judged: Faces) -> None:
    cut = judged.where(np.arange(len(judged)) == 0)
    cut.corners[0] = [(0, 0), (STORED, 0), (STORED, 150), (0, 150)]  # it ends at the nose
    moment, known = steady.still(cut, 0, seed=0)
    edge = steady.GROUND_PX
    assert moment.bare.shape == moment.masked.image.shape == (*known.shape, 3)
    assert known[edge : edge + 150, edge:-edge].all() and not known[edge + 152 :].any()
    assert (moment.bare[edge + 152 :] == steady.GREY).all()
    assert np.array_equal(moment.bare[edge : edge + 150, edge:-edge], cut.image(0)[:150])
    assert (moment.mask & known).any()
