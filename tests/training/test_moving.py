"""Masked clips: what is steady along the clip's own motion, and what is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.types import UInt8
from training.evaluation import moving
from training.evaluation.moving import Moment, _Series

SIZE = 128


def textured() -> UInt8:
    rng = np.random.default_rng(4)
    coarse = rng.uniform(40, 215, (16, 16, 3)).astype(np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(
        np.uint8
    )


def pan(step: int) -> Moment:
    """The same picture, two pixels further to the right."""
    bare = np.roll(textured(), 2 * step, 1)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[50:90, 40 + 2 * step : 80 + 2 * step] = True
    return Moment(bare, bare, mask)


def test_what_moves_with_the_picture_is_steady_and_what_changes_on_its_own_flickers() -> None:
    along, stays, changes = _Series(), _Series(), _Series()
    for step in range(4):
        moment = pan(step)
        along.add(moment, moment.bare, painted=True)
        stays.add(moment, pan(0).bare, painted=True)
        lit = np.clip(moment.bare.astype(np.int16) + (step % 2) * 20, 0, 255)
        changes.add(moment, lit.astype(np.uint8), painted=True)
    assert along.row()["flicker"] < 1.5 and along.row()["sharp"] == 1
    assert stays.row()["flicker"] > 2 * along.row()["flicker"]
    assert 15 < changes.row()["flicker"] < 22


def test_frames_that_were_not_painted_are_counted_and_judged_by_nothing_else() -> None:
    series = _Series()
    for step in range(4):
        moment = pan(step)
        shown = moment.bare if step != 1 else np.zeros_like(moment.bare)
        series.add(moment, shown, painted=step != 1)
    row = series.row()
    assert row["painted"] == 0.75 and row["psnr"] > 70 and row["flicker"] < 1.5


def test_a_clip_is_masked_and_unmasked_again(pictures: Path, tmp_path: Path) -> None:
    face = cv2.imread(str(next(iter(sorted(pictures.iterdir())))))
    for name in ("a", "b", "c"):
        writer = cv2.VideoWriter(
            str(tmp_path / f"{name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, face.shape[1::-1]
        )
        for step in range(4):
            writer.write(np.roll(face, step, 1))
        writer.release()
    assert [path.name for path in moving.held_out(tmp_path)] == ["b.mp4", "c.mp4"]
    few = list(moving.moments(tmp_path / "b.mp4", 0.1))
    assert len(few) == 3
    assert all(moment.mask.mean() > 0.005 for moment in few)
    assert np.abs(few[0].masked.astype(int) - few[0].bare)[few[0].mask].mean() > 10
    table = moving.evaluate(tmp_path, resources.folder("engines"), seconds=0.1, workers=0)
    assert list(table) == [moving.TRUE, moving.ALONE, moving.FED]
    assert table[moving.TRUE]["sharp"] == 1
    assert 10 < table[moving.ALONE]["psnr"] < table[moving.TRUE]["psnr"]


def test_a_folder_without_a_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no video"):
        moving.held_out(tmp_path)


def test_a_clip_without_a_face_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = cv2.VideoWriter(
            str(tmp_path / f"{name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (SIZE, SIZE)
        )
        writer.write(textured())
        writer.release()
    with pytest.raises(ValueError, match="no face was found in .*a.mp4"):
        moving.evaluate(tmp_path, resources.folder("engines"), workers=0)
