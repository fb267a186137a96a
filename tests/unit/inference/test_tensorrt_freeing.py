"""TensorRT on a card that is full or gone, and what is given back, when, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_unmask.errors import EngineLost, EngineUnavailable
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_driver import Result
from .fake_gpu import Machine
from .tiny import random_inputs

pytestmark = pytest.mark.usefixtures("cache")
SETTINGS = Settings(backend="tensorrt", precision="fp32")


@pytest.mark.parametrize("way", ["cuda", "pycuda"])
def test_close_gives_everything_on_the_card_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=way == "pycuda")
    for _ in range(2):
        engine = load_engine("editor", SETTINGS, folder)
        for batch in (1, 2, 4):
            engine.infer(random_inputs("editor", batch))
        assert machine.driver.alive
        engine.close()
        assert machine.driver.alive == {}
        assert machine.pycuda is None or machine.pycuda.pushed == 0


@pytest.mark.parametrize("way", ["cuda", "pycuda"])
def test_loading_that_is_stopped_leaves_nothing_on_the_card(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """pycuda ends the process where a context is left behind."""
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=way == "pycuda")

    def stopped(logger: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machine.module, "Runtime", stopped)
    with pytest.raises(KeyboardInterrupt):
        load_engine("map", SETTINGS, folder)
    assert machine.driver.alive == {}
    assert machine.pycuda is None or machine.pycuda.pushed == 0


@pytest.mark.parametrize("function", ["cuMemAlloc", "cuMemHostAlloc"])
def test_no_memory_left_when_it_is_loaded(folder: Path, machine: Machine, function: str) -> None:
    machine.driver.faults[function] = (Result.CUDA_ERROR_OUT_OF_MEMORY, 1)
    with pytest.raises(EngineUnavailable, match="no memory left"):
        load_engine("editor", SETTINGS, folder)
    assert machine.driver.alive == {}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result.CUDA_ERROR_OUT_OF_MEMORY, "no memory left"),
        (Result.CUDA_ERROR_ILLEGAL_ADDRESS, "stopped working"),
    ],
)
@pytest.mark.parametrize(
    "function",
    ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent", "cuStreamCreate"],
)
def test_pycuda_that_finds_the_card_full_or_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, function: str, result: Result, words: str
) -> None:
    """Its errors are no RuntimeErrors, and a context that is left behind ends the process."""
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=True)
    machine.driver.faults[function] = (result, 0)
    with pytest.raises(EngineUnavailable, match=words):
        load_engine("map", SETTINGS, folder)
    assert machine.pycuda is not None and machine.pycuda.pushed == 0
    assert machine.driver.alive == {}


def test_pycuda_engine_is_closed_on_a_card_that_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=True)
    engine = load_engine("map", SETTINGS, folder)
    machine.driver.faults["cuCtxPopCurrent"] = (Result.CUDA_ERROR_ILLEGAL_ADDRESS, 0)
    engine.close()
    assert machine.driver.alive == {}


def test_driver_that_does_not_start(folder: Path, machine: Machine) -> None:
    machine.driver.faults["cuInit"] = (Result.CUDA_ERROR_ILLEGAL_ADDRESS, 0)
    with pytest.raises(EngineUnavailable, match="cuInit gives CUDA_ERROR_ILLEGAL_ADDRESS"):
        load_engine("map", SETTINGS, folder)


@pytest.mark.parametrize("way", ["cuda", "pycuda"])
def test_card_that_is_gone_ends_the_engine_cleanly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=way == "pycuda")
    engine = load_engine("map", SETTINGS, folder)
    engine.infer(random_inputs("map", 1))
    machine.driver.faults["cuStreamSynchronize"] = (Result.CUDA_ERROR_ILLEGAL_ADDRESS, 0)
    with pytest.raises(EngineLost, match="The GPU stopped working"):
        engine.infer(random_inputs("map", 1))
    engine.submit(random_inputs("map", 1))
    engine.close()
    assert machine.driver.alive == {}


def test_run_that_fails_tells_the_cause(folder: Path, machine: Machine) -> None:
    machine.module.runs_fail_after = 0
    with (
        load_engine("map", SETTINGS, folder) as engine,
        pytest.raises(EngineLost, match=r"Cuda Runtime \(out of memory\)"),
    ):
        engine.infer(random_inputs("map", 1))
