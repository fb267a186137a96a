"""Whole pictures that are looked at every way up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.types import UInt8
from realtime_unmask.unmask.finding import Found, Search
from training.evaluation import turned
from training.evaluation.photos import Held
from training.shards import Faces

ENGINES = resources.folder("engines")


@pytest.fixture(scope="module")
def portrait() -> UInt8:
    demo = Path(__file__).resolve().parents[2] / "assets" / "demo.mp4"
    with av.open(str(demo)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8)


def test_each_turn_has_its_row_and_the_face_is_found_where_it_is(portrait: UInt8) -> None:
    two = Held([("one", portrait), ("nobody", np.zeros((200, 300, 3), np.uint8))], 0)
    table = turned.photographs(two, ENGINES, workers=0)
    assert list(table) == [f"turned by {degrees} degrees" for degrees in (90, 180, 270)]
    for row in table.values():
        assert row == {"n": 1, "right": 1, "elsewhere": 0, "none found": 0}


def test_what_is_found_elsewhere_counts_as_that(
    portrait: UInt8, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turned, "NEAR", -1.0)
    table = turned.photographs(Held([("one", portrait)], 0), ENGINES, workers=0)
    assert all(row["elsewhere"] == 1 and row["right"] == 0 for row in table.values())


def test_bare_faces_are_judged_by_whole_pictures(judged: Faces) -> None:
    table = turned.bare(judged, ENGINES, workers=0)
    assert set(table) <= {"val", "unseen sources"} and table
    assert all(0 <= row["taken for masked"] <= 1 and row["n"] >= 1 for row in table.values())


def test_a_face_whose_mask_reaches_out_of_its_crop_is_one(
    portrait: UInt8, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = turned.Search.run

    def twice(search: Search) -> Found:
        faces, seen, masked = run(search)
        return faces, seen, [*(replace(one, inner=one) for one in masked), *masked]

    monkeypatch.setattr(turned.Search, "run", twice)
    table = turned.photographs(Held([("one", portrait)], 0), ENGINES, workers=0)
    assert table and all(row["n"] == 1 for row in table.values())
