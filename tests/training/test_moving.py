"""Masked clips: what is steady along the clip's own motion, and what is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.types import Frame, UInt8
from realtime_unmask.unmask.unmasker import Unmasker
from training.evaluation import moving
from training.evaluation.engines import SETTINGS
from training.evaluation.moving import Moment, _Series
from training.shards import CLIPS, Faces

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
    return Moment(bare, Frame(bare, index=step), mask)


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


def test_a_frame_without_a_face_lies_between_no_two_that_follow() -> None:
    series = _Series()
    for step in (0, 2):  # what has moved on meanwhile is no flicker
        series.add(pan(step), textured(), painted=True)
    assert np.isnan(series.row()["flicker"])


def write(path: Path, images: list[UInt8]) -> None:
    size = images[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    for image in images:
        writer.write(image)
    writer.release()


@pytest.fixture
def known(faces: Faces) -> Faces:
    """Prepared from the clips a, a-2 and b, of which the last two by name are held out."""
    made = faces.where(np.arange(len(faces)) < 3)
    made.set = np.array([CLIPS] * 3)
    made.origin = np.array(["a_000.0", "a-2_000.0", "b_000.0"])
    return made


def test_a_clip_is_masked_and_unmasked_again(
    known: Faces, pictures: Path, tmp_path: Path
) -> None:
    face = cv2.imread(str(next(iter(sorted(pictures.iterdir())))))
    with Unmasker.default(SETTINGS) as unmasker:  # the demo's wears a mask of its own
        face = np.ascontiguousarray(unmasker.process(face[..., ::-1]).output.image[..., ::-1])
    for name in ("a", "a-2", "b", "c"):
        write(tmp_path / f"{name}.mp4", [np.roll(face, step, 1) for step in range(4)])
    assert [path.name for path in moving.held_out(known, tmp_path)] == ["a-2.mp4", "b.mp4"]
    few = list(moving.moments(tmp_path / "b.mp4", 0.1))
    assert [moment.masked.index for moment in few] == [0, 1, 2]
    assert all(moment.mask.mean() > 0.005 for moment in few)
    assert np.abs(few[0].masked.image.astype(int) - few[0].bare)[few[0].mask].mean() > 10
    table = moving.evaluate(known, tmp_path, resources.folder("engines"), seconds=0.1, workers=0)
    assert list(table) == [
        moving.TRUE, moving.SINGLE, moving.VIDEO, moving.LIKE,
    ]  # fmt: skip
    assert table[moving.TRUE]["sharp"] == table[moving.TRUE]["flicker / true"] == 1
    ratio = table[moving.VIDEO]["flicker"] / table[moving.TRUE]["flicker"]
    assert table[moving.VIDEO]["flicker / true"] == pytest.approx(ratio)
    assert 10 < table[moving.SINGLE]["psnr"] < table[moving.TRUE]["psnr"]


def test_a_folder_without_a_held_out_clip_is_an_error(
    known: Faces, faces: Faces, tmp_path: Path
) -> None:
    write(tmp_path / "a.mp4", [textured()])
    with pytest.raises(ValueError, match="no clip that was kept for scoring: a-2, b"):
        moving.held_out(known, tmp_path)
    with pytest.raises(ValueError, match="among the prepared faces there is none"):
        moving.held_out(faces, tmp_path)


def test_a_clip_without_a_face_is_an_error(known: Faces, tmp_path: Path) -> None:
    write(tmp_path / "a-2.mp4", [textured()])
    with pytest.raises(ValueError, match="no face was found in .*a-2.mp4"):
        moving.evaluate(known, tmp_path, resources.folder("engines"), workers=0)
