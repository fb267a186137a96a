"""The cache of compiled engines: whatever was done to a file, the right engine or a new one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_unmask.inference import plans
from realtime_unmask.inference.plans import Key, PlanCache

from .plan_files import KEY, OTHER, PLAN, Builder, cut, flip, lines, plan_file


def test_built_once_and_then_read(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    build = Builder()
    assert cache.load(KEY) is None
    assert cache.fetch(KEY, build) == PLAN
    assert cache.fetch(KEY, build) == PLAN
    assert cache.load(KEY) == PLAN
    assert build.calls == 1
    assert lines(caplog) == []


def test_everything_that_makes_another_engine_makes_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {KEY.name, OTHER.name, Key("openvino", KEY.about).name}
    monkeypatch.setattr(plans, "__version__", "99.0")
    names.add(KEY.name)
    assert len(names) == 4


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    """The plan of another card, with its own true digest."""
    assert PlanCache(path.parent).store(OTHER, b"for another card")
    for ending in (".plan", ".json"):
        shutil.copy(path.parent / f"{OTHER.name}{ending}", path.with_suffix(ending))


def older(path: Path) -> None:
    """As a version before this one would have left it under the same name."""
    sidecar = path.with_suffix(".json")
    table = json.loads(sidecar.read_text())
    table["key"]["program"] = "0.0.1"
    sidecar.write_text(json.dumps(table))


def no_sidecar(path: Path) -> None:
    path.with_suffix(".json").unlink()


def nonsense_sidecar(path: Path) -> None:
    path.with_suffix(".json").write_bytes(b"\xff[1, 2")


def list_sidecar(path: Path) -> None:
    path.with_suffix(".json").write_text("[]")


@pytest.mark.parametrize(
    "damage", [flip, cut, empty, foreign, older, no_sidecar, nonsense_sidecar, list_sidecar]
)
def test_plan_that_is_not_what_was_stored_is_refused_and_made_anew(
    cache: PlanCache, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    cache.store(KEY, PLAN)
    damage(plan_file(cache))
    build = Builder()
    assert cache.fetch(KEY, build) == PLAN
    assert build.calls == 1
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("A compiled engine is made anew: ")
    assert cache.load(KEY) == PLAN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_pipe_in_its_place_does_not_block(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    plan_file(cache).unlink()
    os.mkfifo(plan_file(cache))
    assert cache.fetch(KEY, Builder()) == PLAN
    assert cache.load(KEY) == PLAN


def test_folder_in_its_place(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.store(KEY, PLAN)
    plan_file(cache).unlink()
    (plan_file(cache) / "inside").mkdir(parents=True)
    assert cache.fetch(KEY, Builder()) == PLAN
    assert "no ordinary file" in lines(caplog)[0]
    assert "cannot be written" in lines(caplog)[1]
    assert cache.clean() == 1
    assert cache.fetch(KEY, Builder()) == PLAN
    assert cache.load(KEY) == PLAN


def test_drop_removes_what_was_of_no_use_and_nothing_newer(
    cache: PlanCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.store(KEY, PLAN)
    assert cache.drop(KEY, b"what was there before", "It is refused.")
    assert cache.load(KEY) == PLAN
    assert cache.drop(KEY, PLAN, "It is refused.")
    assert cache.load(KEY) is None
    assert lines(caplog) == ["A compiled engine is made anew: It is refused."]


def test_entries_say_what_is_there_and_what_is_wrong_with_it(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    cache.store(OTHER, PLAN)
    cut(plan_file(cache, OTHER))
    sound, broken = sorted(cache.entries(), key=lambda entry: entry.fault)
    assert (sound.size, sound.about["card"], sound.fault) == (len(PLAN), "sm_86", "")
    assert "is damaged" in broken.fault


def test_clean_leaves_nothing(cache: PlanCache) -> None:
    cache.fetch(KEY, Builder())
    cache.fetch(OTHER, Builder())
    assert cache.clean() == 2
    assert cache.folder is not None
    assert list(cache.folder.iterdir()) == []


def test_oldest_go_when_there_are_too_many(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_ENTRIES", 3)
    keys = [Key("tensorrt", {"number": str(n)}) for n in range(5)]
    for age, key in enumerate(keys):
        cache.store(key, PLAN)
        os.utime(plan_file(cache, key), (age, age))
    cache.store(KEY, PLAN)
    kept = [key for key in keys if cache.load(key) is not None]
    assert kept == keys[-2:]
    assert cache.load(KEY) == PLAN


def test_plan_in_use_is_not_taken_for_an_old_one(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_ENTRIES", 3)
    keys = [Key("openvino", {"threads": str(n)}) for n in range(3)]
    for age, key in enumerate([KEY, *keys[:2]]):
        cache.store(key, PLAN)
        os.utime(plan_file(cache, key), (age, age))
    assert cache.load(KEY) == PLAN
    cache.store(keys[2], PLAN)
    assert cache.load(KEY) == PLAN
    assert cache.load(keys[0]) is None
