"""Work is done where faces are: large frames are copied once, and only if something is painted."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.types import Frame
from realtime_unmask.unmask.unmasker import State, Unmasker

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

Clip = list[NDArray[np.uint8]]
# What a face may take, whatever the frame's size: crops, planes, maps, windows.
A_FACE = 12 * 2**20


def on_a_large_frame(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture in its own size, somewhere in a grey one."""
    frame = np.full((height, width, 3), 120, np.uint8)
    frame[100 : 100 + image.shape[0], 300 : 300 + image.shape[1]] = image
    return frame


def traced(unmasker: Unmasker, images: list[NDArray[np.uint8]]) -> list[tuple[int, int]]:
    """For each frame after the second: most bytes held at once beyond those before, and bytes
    that stayed while its result was held. numpy reports to tracemalloc, OpenCV through numpy."""
    state, found = State(), []
    tracemalloc.start()
    try:
        for number, image in enumerate(images):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            result = unmasker.process(Frame(image, None, 0, number), state)
            held, peak = tracemalloc.get_traced_memory()
            if number >= 2:
                found.append((peak - before, held - before))
            assert result.faces
            del result
    finally:
        tracemalloc.stop()
    return found


def test_a_painted_4k_frame_is_copied_once(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    images = [on_a_large_frame(image, 3840, 2160) for image in clip[:6]]
    copy, marks = images[0].nbytes, images[0].nbytes // 3
    with Unmasker(map_engine, editor_engine) as unmasker:
        for peak, held in traced(unmasker, images):
            assert copy + marks <= held < copy + marks + A_FACE
            assert peak < copy + marks + A_FACE


def test_a_4k_frame_without_a_mask_is_not_copied(
    clip: Clip, bare_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    images = [on_a_large_frame(image, 3840, 2160) for image in clip[:6]]
    with Unmasker(bare_engine, editor_engine) as unmasker:
        for peak, _ in traced(unmasker, images):
            assert peak < A_FACE < images[0].nbytes


def test_the_networks_see_as_much_of_a_4k_frame_as_of_a_small_one(
    clip: Clip, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    shapes = []
    for zoom in (1, 3):
        map_engine.calls.clear()
        editor_engine.calls.clear()
        with Unmasker(map_engine, editor_engine) as unmasker:
            state = State()
            for image in clip[:2]:
                large = cv2.resize(image, None, fx=zoom, fy=zoom).astype(np.uint8)
                unmasker.process(Frame(large), state)
        calls = [*map_engine.calls, *editor_engine.calls]
        shapes.append([{name: value.shape for name, value in call.items()} for call in calls])
    assert shapes[0] == shapes[1]
