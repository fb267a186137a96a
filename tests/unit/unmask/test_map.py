"""The map: whose mask it is, its holes, its memory, and whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.types import MaskMap
from realtime_unmask.unmask.map import (
    WORN_FROM,
    WORN_UNTIL,
    MapMemory,
    find_masks,
    is_worn,
    normalise,
    own,
    zone,
)
from tests.unit.conftest import lower_face

if TYPE_CHECKING:
    from tests.unit.conftest import FakeEngine

SIZE = 256
THRESHOLD = 0.3


def ask(engine: FakeEngine, plane: NDArray[np.float32], memory: MapMemory | None) -> MaskMap:
    engine.answer = lambda inputs: {"map": plane[None, None]}
    batch = np.zeros((1, 3, SIZE, SIZE), np.float32)
    return find_masks(engine, batch, [memory], THRESHOLD)[0]


def test_normalise_spans_minus_one_to_one() -> None:
    crop = np.zeros((2, 2, 3), np.uint8)
    crop[0, 1] = (255, 0, 127)
    planes = normalise(crop)
    assert planes.shape == (3, 2, 2) and planes.dtype == np.float32
    assert planes[0, 0, 1] == pytest.approx(1) and planes[1, 0, 1] == pytest.approx(-1)


def test_a_neighbours_mask_is_not_ones_own() -> None:
    plane = lower_face()
    plane[20:60, 5:40] = 1
    kept = own(plane, THRESHOLD)
    assert not kept[20:60, 5:40].any()
    assert np.array_equal(kept[100:], plane[100:])


def test_a_lone_neighbours_mask_is_not_ones_own_either() -> None:
    plane = np.zeros((SIZE, SIZE), np.float32)
    plane[20:60, 5:40] = 1
    assert not own(plane, THRESHOLD).any()


def test_small_holes_belong_to_the_map_and_large_ones_do_not(map_engine: FakeEngine) -> None:
    plane = lower_face()
    plane[170:180, 123:133] = 0  # a logo
    assert (ask(map_engine, plane, None).values[170:180, 123:133] == 1).all()
    plane = lower_face()
    plane[150:200, 103:153] = 0  # a hand
    assert not ask(map_engine, plane, None).values[150:200, 103:153].any()


def test_a_notch_at_the_edge_is_no_hole(map_engine: FakeEngine) -> None:
    plane = lower_face()
    plane[:160, 126:130] = 0
    assert not ask(map_engine, plane, None).values[140:158, 126:130].any()


def test_the_map_follows_within_a_few_frames_but_not_at_once(map_engine: FakeEngine) -> None:
    memory = MapMemory()
    ask(map_engine, lower_face(), memory)
    after = [ask(map_engine, np.zeros((SIZE, SIZE), np.float32), memory) for _ in range(4)]
    spot = [found.values[174, 128] for found in after]
    assert spot[0] > 0.3 and spot[-1] < 0.05
    assert spot == sorted(spot, reverse=True)


def test_a_still_has_no_memory(map_engine: FakeEngine) -> None:
    ask(map_engine, lower_face(), None)
    assert not ask(map_engine, np.zeros((SIZE, SIZE), np.float32), None).values.any()


def test_a_still_gets_the_mean_with_its_mirrors_map_and_a_frame_its_own(
    map_engine: FakeEngine
) -> None:
    across = np.linspace(0, 1, SIZE, dtype=np.float32)
    sided = np.broadcast_to(across, (SIZE, SIZE))
    batch = np.broadcast_to(across, (1, 3, SIZE, SIZE)).astype(np.float32)
    map_engine.answer = lambda inputs: {"map": inputs["image"][:, :1] * sided}
    still, frame = (find_masks(map_engine, batch, [m], 0.1)[0] for m in (None, MapMemory()))
    assert len(map_engine.calls) == 3
    assert still.values[128, ::32] == pytest.approx((across**2 + across * across[::-1])[::32] / 2)
    assert frame.values[128, 64:] == pytest.approx(across[64:] ** 2)


def test_coverage_is_the_share_of_the_zone(map_engine: FakeEngine) -> None:
    where = zone(SIZE) > 0
    half = np.zeros((SIZE, SIZE), np.float32)
    half[: np.nonzero(where)[0].mean().round().astype(int)] = 1
    assert ask(map_engine, half, None).coverage == pytest.approx(0.5, abs=0.02)
    scarf = np.zeros((SIZE, SIZE), np.float32)
    scarf[215:] = 1
    assert ask(map_engine, scarf, None).coverage < 0.05


def test_worn_has_hysteresis_only_with_a_memory() -> None:
    def at(coverage: float) -> MaskMap:
        return MaskMap(np.zeros((4, 4), np.float32), coverage)

    between = (WORN_FROM + WORN_UNTIL) / 2
    memory = MapMemory()
    seen = [is_worn(at(c), memory) for c in (between, WORN_FROM, between, 0.1, between)]
    assert seen == [False, True, True, False, False]
    assert not is_worn(at(between), None)
