"""What is shown in the very frame in which a face is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from realtime_unmask.pipeline.policy import LostFaces
from realtime_unmask.types import Alignment, Face, Frame, FrameResult, MaskMap, Reconstruction

SECOND = 10**9
EMPTY = np.zeros((4, 4), np.float32)


def _result(
    value: int, *, found: tuple[int, ...] = (), painted: tuple[int, ...] = (), x: float = 40
) -> FrameResult:
    rng = np.random.default_rng(value)
    frame = Frame(rng.integers(0, 255, (120, 160, 3), np.uint8))
    box = np.array([x, 30, x + 40, 80], np.float32)
    faces = tuple(Face(n, box, np.zeros((478, 3), np.float32)) for n in found)
    made = tuple(
        Reconstruction(
            n, np.zeros((4, 4, 3), np.uint8), MaskMap(EMPTY, 0.0), EMPTY,
            Alignment(np.eye(3)[:2], 4), EMPTY,
        )
        for n in painted
    )  # fmt: skip
    output = replace(frame, image=255 - frame.image) if painted else frame
    return FrameResult(frame, output, None, faces, made)


def test_a_lost_face_shows_the_camera_s_picture_by_default() -> None:
    lost = LostFaces()
    assert lost.choose(_result(1, found=(1,), painted=(1,)), "masked", 0)[1] is False
    now = _result(2)
    assert lost.choose(now, "masked", SECOND // 30) == (now.output, True)


def test_hold_shows_the_last_good_picture_for_two_seconds() -> None:
    lost = LostFaces()
    good = _result(1, found=(1,), painted=(1,))
    lost.choose(good, "hold", 0)
    shown, is_lost = lost.choose(_result(2), "hold", SECOND)
    assert is_lost and shown.image is good.output.image
    now = _result(3)
    assert lost.choose(now, "hold", 3 * SECOND) == (now.output, False)


def test_blur_hides_the_place_of_the_face_and_nothing_far_from_it() -> None:
    lost = LostFaces()
    lost.choose(_result(1, found=(1,), painted=(1,)), "blur", 0)
    now = _result(2)
    shown, _ = lost.choose(now, "blur", SECOND // 30)
    assert shown.image[40:70, 45:75].std() < now.output.image[40:70, 45:75].std() / 3
    assert (shown.image[:, 100:] == now.output.image[:, 100:]).all()


@pytest.mark.parametrize("policy", ["hold", "blur"])
def test_a_mask_that_is_taken_off_is_no_loss(policy: str) -> None:
    lost = LostFaces()
    lost.choose(_result(1, found=(1,), painted=(1,)), policy, 0)
    now = _result(2, found=(1,))
    assert lost.choose(now, policy, SECOND // 30) == (now.output, False)
    later = _result(3)  # and who leaves without a mask was not lost either
    assert lost.choose(later, policy, SECOND // 15) == (later.output, False)


def test_a_face_that_comes_back_under_another_number_is_found() -> None:
    lost = LostFaces()
    lost.choose(_result(1, found=(1,), painted=(1,)), "hold", 0)
    assert lost.choose(_result(2), "hold", SECOND // 30)[1] is True
    assert lost.choose(_result(3, found=(5,), painted=(5,), x=44), "hold", SECOND // 15)[1] is False


def test_one_of_two_faces_may_be_lost() -> None:
    lost = LostFaces()
    both = _result(1, found=(1,), painted=(1,), x=0)
    lost.choose(both, "hold", 0)
    lost.choose(_result(2, found=(1, 2), painted=(1, 2), x=100), "hold", 1)
    assert lost.choose(_result(3, found=(2,), painted=(2,), x=0), "hold", 2)[1] is True
