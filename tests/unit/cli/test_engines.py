"""`engines`: what is in the cache, built, checked and removed, with its exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference import cuda, plans
from realtime_unmask.inference.plans import Key, PlanCache
from tests.unit.inference import fake_gpu
from tests.unit.inference.fake_driver import FakeDriver

from .conftest import Ran

Command = Callable[..., Ran]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return PlanCache.default()


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def card() -> cuda.Card:
        raise EngineUnavailable("There is no NVIDIA card here.")

    monkeypatch.setattr(cuda, "card", card)


def test_without_a_word_more_it_explains_itself(command: Command) -> None:
    ran = command("engines")
    assert (ran.code, ran.out) == (2, [])
    assert any("build" in line for line in ran.err)


def test_empty_cache(command: Command, cache: PlanCache) -> None:
    assert command("engines", "list").out == [f"In {cache.folder}:", "0 files, 0.0 MB"]
    assert command("engines", "verify").out == ["There is nothing yet."]
    assert command("engines", "clean").out == ["0 files removed, 0.0 MB"]


def test_list_says_what_for_and_whether_it_is_sound(command: Command, cache: PlanCache) -> None:
    about = {"network": "map", "card": "sm_86", "precision": "fp16", "tensorrt": "11.4.0"}
    cache.store(Key("tensorrt", about), bytes(2_000_000))
    ran = command("engines", "list")
    assert ran.out[1:] == [
        "  tensorrt, map, sm_86, fp16, tensorrt 11.4.0, 2.0 MB, sound",
        "1 file, 2.0 MB",
    ]


def test_verify_finds_damage(command: Command, cache: PlanCache) -> None:
    for network in ("map", "editor"):
        cache.store(Key("tensorrt", {"network": network}), b"plan")
    assert command("engines", "verify").code == 0
    cache.entries()[0].path.write_bytes(b"plaN")
    ran = command("engines", "verify")
    assert ran.code == 1
    assert "1 of 2 files will not be used" in ran.err[0]
    assert sum("is damaged" in line for line in ran.out) == 1


def test_clean_removes_all(command: Command, cache: PlanCache) -> None:
    cache.store(Key("tensorrt", {}), bytes(1_000_000))
    assert command("engines", "clean").out == ["1 file removed, 1.0 MB"]
    assert cache.entries() == []


@pytest.mark.parametrize("word", ["list", "verify", "clean"])
def test_folder_that_may_not_be_looked_into(
    command: Command, cache: PlanCache, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    cache.store(Key("tensorrt", {}), b"plan")
    monkeypatch.setattr(Path, "iterdir", closed)
    ran = command("engines", word)
    assert (ran.code, ran.out) == (1, [])
    (line,) = ran.err
    assert line.startswith(f"error: {cache.folder} cannot be read (Permission denied). ")


@pytest.mark.parametrize("place", ["full", "read-only", "none"])
def test_build_that_cannot_be_kept_is_no_success(
    command: Command, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It is not begun with, where that shows beforehand."""
    machine = fake_gpu.install(monkeypatch, "tensorrt_rtx")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if place == "full":
        monkeypatch.setattr(plans, "_write", full)
    elif place == "read-only":
        monkeypatch.setattr(PlanCache, "prepare", lambda _: False)
    else:
        monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache")
    for words in ((), ("--for", "sm_86,sm_89")):
        ran = command("engines", "build", *words)
        assert ran.code == 1
        assert not any("built" in line for line in ran.out)
        assert ran.err[-1].startswith("error: What is built for map, TensorRT-RTX 1.7.1, sm_86")
    assert len(machine.module.builds) == (2 if place == "full" else 0)


def test_build_for_the_card_here(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt")
    ran = command("engines", "build")
    assert (ran.code, ran.err) == (0, [])
    assert re.match(r"  map, TensorRT 11.4.0, sm_86, fp16: \d\.\d MB, built in ", ran.out[0])
    assert ran.out[1].startswith("  editor, TensorRT 11.4.0, sm_86, fp16: ")
    assert "tensorrt_rtx: The package tensorrt_rtx cannot be imported" in ran.out[2]
    assert ran.out[3].startswith("2 engines built; they are in ")
    assert len(machine.module.builds) == 2
    again = command("engines", "build")
    assert again.out[0] == "  map, TensorRT 11.4.0, sm_86, fp16: is there"
    assert len(machine.module.builds) == 2


def test_build_for_other_cards(
    command: Command, monkeypatch: pytest.MonkeyPatch, no_card: None
) -> None:
    driver = FakeDriver()
    module = fake_gpu.FakeTensorRt(driver, rtx=True)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", module)
    ran = command("engines", "build", "--for", "sm_86, SM_120")
    assert (ran.code, ran.err) == (0, [])
    assert [int(config._capabilities[0]) for config in module.builds] == [86, 86, 120, 120]
    assert ran.out[-1].startswith("4 engines built")


def test_build_without_a_card(command: Command, no_card: None) -> None:
    ran = command("engines", "build")
    assert (ran.code, ran.err) == (1, ["error: There is no NVIDIA card here."])


def test_build_without_any_tensorrt(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpu.install(monkeypatch, "torch")
    ran = command("engines", "build")
    assert ran.code == 1
    assert ran.err[0].startswith("error: No engine can be built here. tensorrt: The package")


@pytest.mark.parametrize("cards", ["rtx4090", "sm_", ",", "sm_86,8.6"])
def test_cards_that_are_none(command: Command, cards: str) -> None:
    ran = command("engines", "build", "--for", cards)
    assert ran.code == 2
    assert "--for takes compute capabilities such as sm_86,sm_89" in ran.err[0]


def test_card_that_the_package_does_not_know(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpu.install(monkeypatch, "tensorrt_rtx")
    ran = command("engines", "build", "--for", "sm_90")
    assert ran.code == 1
    assert "does not build for sm_90; it knows sm_86, sm_89, sm_120." in ran.err[0]
