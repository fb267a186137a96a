"""Colour match and blend on a real card: the CPU's pixels, in less time."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.settings import Settings
from realtime_unmask.types import FrameResult

from .conftest import DEMO, working

pytestmark = pytest.mark.gpu
if working()["torch"]:
    pytest.skip(working()["torch"], allow_module_level=True)
pytest.importorskip("mediapipe", reason="whole frames need mediapipe")

from realtime_unmask.types import Frame  # noqa: E402
from realtime_unmask.unmask import unmasker as unmaskers  # noqa: E402
from realtime_unmask.unmask.unmasker import State, Unmasker  # noqa: E402

FRAMES = 60


def clip() -> list[NDArray[np.uint8]]:
    """The demo's first frames at 1280 x 720."""
    video, frames = cv2.VideoCapture(str(DEMO)), []
    while len(frames) < FRAMES:
        good, frame = video.read()
        assert good
        frames.append(cv2.cvtColor(cv2.resize(frame, (1280, 720)), cv2.COLOR_BGR2RGB))
    return frames


def run(unmasker: Unmasker, frames: list[NDArray[np.uint8]]) -> tuple[list[FrameResult], float]:
    """Results, and the median time of a frame, ms."""
    state, results, spent = State(), [], []
    for image in frames:
        began = time.perf_counter()
        results.append(unmasker.process(Frame(image), state))
        spent.append((time.perf_counter() - began) * 1e3)
        unmasker.catch_up(state)
    return results, float(np.median(spent))


def test_frames_are_finished_on_the_card_as_on_the_cpu(
    torch_on_gpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = clip()
    with Unmasker.default(torch_on_gpu) as unmasker:
        print(f"finished on {unmasker.finished_on}")
        assert unmasker.finished_on == "cuda"
        ours, fast = run(unmasker, frames)
    monkeypatch.setattr(unmaskers, "finishing_on_card", lambda engine, size: None)
    with Unmasker.default(torch_on_gpu) as unmasker:
        assert unmasker.finished_on == "cpu"
        theirs, slow = run(unmasker, frames)
    print(f"720p frame, p50: {fast:.2f} ms on the card, {slow:.2f} ms on the CPU")
    for one, other in zip(ours, theirs, strict=True):
        assert one.map is not None and other.map is not None
        apart = np.abs(one.output.image.astype(int) - other.output.image)
        assert apart[other.map > 0].mean() < 1
        assert np.array_equal(one.output.image[one.map == 0], one.frame.image[one.map == 0])
