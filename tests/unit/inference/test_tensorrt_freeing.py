"""TensorRT on a card that is full or gone, and what is given back, when, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_unmask.errors import EngineDamaged, EngineLost, EngineUnavailable
from realtime_unmask.inference.cuda_memory import CudaPythonMemory
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_driver import Result
from .fake_gpu import Machine
from .tiny import random_inputs

pytestmark = pytest.mark.usefixtures("cache")
SETTINGS = Settings(backend="tensorrt", precision="fp32")
RTX_SETTINGS = Settings(backend="tensorrt_rtx", precision="fp32")


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
        assert machine.pycuda is None or machine.pycuda.stack == []


def order_of(freed: list[str]) -> list[str]:
    """Each kind where its last one went."""
    return list(reversed(dict.fromkeys(reversed(freed))))


@pytest.mark.parametrize("way", ["cuda", "pycuda"])
def test_what_was_made_last_goes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=way == "pycuda")
    with load_engine("map", SETTINGS, folder) as engine:
        engine.infer(random_inputs("map", 1))
    assert order_of(machine.driver.freed) == ["Context", "Engine", "memory", "card"]


@pytest.mark.parametrize("fault", ["memory", "tensors", "stopped"])
@pytest.mark.parametrize("way", ["cuda", "pycuda"])
def test_engine_that_is_half_made_goes_before_its_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str, fault: str
) -> None:
    """Also while the error is looked at, whose traceback knows all that was made."""
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=way == "pycuda")
    error: type[BaseException] = EngineUnavailable
    if fault == "memory":
        machine.driver.faults["cuMemAlloc"] = (Result.CUDA_ERROR_OUT_OF_MEMORY, 1)
    elif fault == "tensors":
        error = EngineDamaged
        monkeypatch.setattr(fake_gpu.Engine, "get_tensor_dtype", lambda *_: "float64")
    else:
        error = KeyboardInterrupt

        def stopped(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(fake_gpu.Engine, "get_tensor_shape", stopped)
    with pytest.raises(error) as caught:
        load_engine("editor", SETTINGS, folder)
    assert [one for one in order_of(machine.driver.freed) if one != "memory"] == ["Engine", "card"]
    assert machine.driver.freed[0] == "Engine"
    assert machine.driver.alive == {}
    del caught


@pytest.mark.parametrize("function", ["create_runtime_cache", "set_runtime_cache"])
def test_rtx_that_is_half_made_goes_before_its_memory(
    folder: Path, rtx: Machine, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(fake_gpu.RuntimeConfig, function, fails)
    with pytest.raises(EngineUnavailable) as caught:
        load_engine("map", RTX_SETTINGS, folder)
    made = ["RuntimeCache"] if function == "set_runtime_cache" else []
    assert rtx.driver.freed == [*made, "RuntimeConfig", "Engine", "card"]
    del caught


@pytest.mark.parametrize("runs", [0, 1, 2], ids=["at first", "as it is recorded", "later"])
@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_engine_that_fails_at_work_goes_before_its_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, backend: str, runs: int
) -> None:
    machine = fake_gpu.install(monkeypatch, backend)
    machine.module.runs_fail_after = runs
    engine = load_engine("map", Settings(backend=backend, precision="fp32"), folder)
    with pytest.raises(EngineLost) as caught:
        for batch in (1, 2, 3):
            engine.infer(random_inputs("map", batch))
    engine.close()
    assert "enqueue" in [entry.name for entry in caught.traceback]  # where it was is still told
    freed = [one for one in order_of(machine.driver.freed) if not one.startswith("Runtime")]
    assert freed == ["Context", "Engine", "memory", "card"]
    assert machine.driver.alive == {}
    del caught


def test_batch_that_was_interrupted_is_waited_for(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the start of the network and that of the copy back."""
    engine = load_engine("map", SETTINGS, folder)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CudaPythonMemory, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.infer(random_inputs("map", 1))
    assert machine.driver.queue
    engine.close()
    assert order_of(machine.driver.freed) == ["Context", "Engine", "memory", "card"]


def test_recording_that_fails_leaves_nothing_behind(folder: Path, machine: Machine) -> None:
    machine.driver.faults["cuGraphInstantiate"] = (Result.CUDA_ERROR_OUT_OF_MEMORY, 0)
    engine = load_engine("map", SETTINGS, folder)
    with pytest.raises(EngineLost, match="no memory left"):
        engine.infer(random_inputs("map", 1))
    engine.close()
    assert machine.driver.alive == {}


def test_recording_that_is_spoilt_tells_by_what(folder: Path, machine: Machine) -> None:
    machine.module.runs_fail_after = 1
    machine.driver.faults["cuStreamEndCapture"] = (Result.CUDA_ERROR_ILLEGAL_ADDRESS, 0)
    with (
        load_engine("map", SETTINGS, folder) as engine,
        pytest.raises(EngineLost, match=r"Cuda Runtime \(out of memory\)"),
    ):
        engine.infer(random_inputs("map", 1))


def test_kernels_that_a_lost_card_cannot_give_do_not_keep_the_rest(
    folder: Path, rtx: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine("map", RTX_SETTINGS, folder)
    engine.infer(random_inputs("map", 1))

    def fails(cache: fake_gpu.RuntimeCache) -> bytes:
        raise RuntimeError("CUDA error 700")

    monkeypatch.setattr(fake_gpu.RuntimeCache, "serialize", fails)
    engine.close()
    assert order_of(rtx.driver.freed)[-3:] == ["Engine", "memory", "card"]
    assert rtx.driver.alive == {}


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
    assert machine.pycuda is None or machine.pycuda.stack == []


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
    assert machine.pycuda is not None and machine.pycuda.stack == []
    assert machine.driver.alive == {}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("gone", [False, True])
def test_pycuda_engines_of_one_thread_end_in_any_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, gone: bool, order: int
) -> None:
    """The other one goes on; a card that is gone ends neither the process nor the rest."""
    machine = fake_gpu.install(monkeypatch, "tensorrt", pycuda=True)
    assert machine.pycuda is not None
    engines = [load_engine("map", SETTINGS, folder), load_engine("editor", SETTINGS, folder)]
    first, second = engines[::order]
    if gone:
        for function in ("cuCtxPopCurrent", "cuCtxPushCurrent"):
            machine.driver.faults[function] = (Result.CUDA_ERROR_ILLEGAL_ADDRESS, 0)
    first.close()
    if not gone:
        second.infer(random_inputs(second.spec.name, 2))
    second.close()
    assert machine.pycuda.ended == []
    assert machine.pycuda.stack == []
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
