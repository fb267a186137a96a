"""The TensorRT backend's own rules on a stand-in for the card."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference import cuda, tensorrt
from realtime_unmask.inference.engine import NetworkFiles, load_engine
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.tensorrt_build import TENSORRT, build_plan, logger
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_gpu import Machine
from .tiny import editor_model, expected, map_model, random_inputs, write_network

pytestmark = pytest.mark.usefixtures("cache")
SETTINGS = Settings(backend="tensorrt", precision="fp32")
RTX_SETTINGS = Settings(backend="tensorrt_rtx", precision="fp32")


def kinds(cache: PlanCache) -> list[str]:
    return sorted(entry.about["kind"] for entry in cache.entries())


def test_nothing_is_allocated_for_a_frame(folder: Path, machine: Machine) -> None:
    with load_engine("editor", SETTINGS, folder) as engine:
        engine.infer(random_inputs("editor", 1))
        before = set(machine.driver.alive)
        for seed in range(5):
            inputs = random_inputs("editor", 1, seed)
            np.testing.assert_allclose(
                engine.infer(inputs)["rgb"], expected("editor", inputs)["rgb"], atol=1e-6
            )
        assert set(machine.driver.alive) == before


def test_shapes_that_repeat_run_from_a_graph(folder: Path, machine: Machine) -> None:
    with load_engine("map", SETTINGS, folder) as engine:
        for batch in (1, 2, 1, 2, 1):
            engine.infer(random_inputs("map", batch))
    assert machine.driver.launches == 5


def test_rtx_records_graphs_itself(folder: Path, rtx: Machine) -> None:
    with load_engine("map", RTX_SETTINGS, folder) as engine:
        engine.infer(random_inputs("map", 1))
    assert rtx.driver.launches == 0


def test_rtx_compiles_before_the_first_batch_of_a_size(folder: Path, rtx: Machine) -> None:
    """Else its kernels, and the pixels, change at some frame or other."""
    with load_engine("map", RTX_SETTINGS, folder) as engine:
        for batch in (1, 2):
            engine.infer(random_inputs("map", batch))
    assert [strategy.name for strategy in rtx.module.strategies] == ["EAGER", "EAGER"]


@pytest.mark.parametrize("batch", [5, 9])
def test_batches_beyond_the_profile_are_run_in_parts(
    folder: Path, machine: Machine, batch: int
) -> None:
    inputs = random_inputs("editor", batch)
    with load_engine("editor", SETTINGS, folder) as engine:
        made = engine.infer(inputs)
    np.testing.assert_allclose(made["rgb"], expected("editor", inputs)["rgb"], atol=1e-6)


def test_plan_is_built_once_for_this_card(
    folder: Path, machine: Machine, cache: PlanCache
) -> None:
    for _ in range(2):
        load_engine("map", SETTINGS, folder).close()
    assert len(machine.module.builds) == 1
    (entry,) = cache.entries()
    assert entry.about["gpu"] == "Fake RTX 3060"
    assert entry.about["driver"] == "580.10 CUDA 13.0"
    assert entry.about["card"] == "sm_86"
    assert entry.about["tensorrt"] == "11.4.0"
    assert entry.about["precision"] == "fp32"
    assert entry.about["tf32"] == "off"
    profile = machine.module.builds[0]._profiles[0]
    assert profile._shapes["image"] == ((1, 3, 256, 256), (1, 3, 256, 256), (4, 3, 256, 256))


@pytest.mark.parametrize("change", ["driver", "gpu", "capability", "version", "precision"])
def test_another_card_driver_version_or_precision_has_a_plan_of_its_own(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    load_engine("map", SETTINGS, folder).close()
    settings = SETTINGS
    card = {
        "driver": cuda.Card("Fake RTX 3060", (8, 6), 2**33, "590.01 CUDA 13.1"),
        "gpu": cuda.Card("Fake RTX 3050", (8, 6), 2**33, "580.10 CUDA 13.0"),
        "capability": cuda.Card("Fake RTX 3060", (8, 9), 2**33, "580.10 CUDA 13.0"),
    }.get(change, fake_gpu.CARD)
    monkeypatch.setattr(cuda, "card", lambda: card)
    if change == "version":
        machine.module.__version__ = "11.5.0"
    if change == "precision":
        settings = Settings(backend="tensorrt")
    load_engine("map", settings, folder).close()
    assert len(machine.module.builds) == 2


def test_rtx_keeps_what_it_compiled_for_the_card(
    folder: Path, rtx: Machine, cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with load_engine("map", RTX_SETTINGS, folder) as engine:
        engine.infer(random_inputs("map", 1))
    assert kinds(cache) == ["tensorrt_rtx", "tensorrt_rtx-kernels"]
    given: list[bytes] = []
    monkeypatch.setattr(fake_gpu.RuntimeCache, "deserialize", lambda _, kept: given.append(kept))
    load_engine("map", RTX_SETTINGS, folder).close()
    assert given == [b"kernels of this card"]
    assert int(rtx.module.builds[0]._capabilities[0]) == 86


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_fp32_is_not_tf32(folder: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    machine = fake_gpu.install(monkeypatch, backend)
    load_engine("map", Settings(backend=backend, precision="fp32"), folder).close()
    assert machine.module.builds[0]._flags == set()


def test_default_precision_is_fp16(folder: Path, machine: Machine) -> None:
    inputs = random_inputs("map", 2)
    with load_engine("map", Settings(backend="tensorrt"), folder) as engine:
        assert engine.spec.precision == "fp16"
        made = engine.infer(inputs)["map"]
    wanted = expected("map", inputs)["map"]
    assert 0 < np.abs(made - wanted).max() < 1e-3


def test_bf16_is_not_offered(folder: Path, machine: Machine) -> None:
    with pytest.raises(EngineUnavailable, match="fp16 or fp32"):
        load_engine("map", Settings(backend="tensorrt", precision="bf16"), folder)


def test_two_threads_that_load_at_once_share_one_logger(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT holds on to the first, which must not be the one that is dropped."""

    class Slow(fake_gpu.FakeTensorRt.ILogger):
        def __init__(self) -> None:
            time.sleep(0.2)

    monkeypatch.setattr(machine.module, "ILogger", Slow, raising=False)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: logger(machine.module), range(2))
    assert first is second


def test_plan_that_tensorrt_refuses(folder: Path, machine: Machine) -> None:
    machine.module.refuses_plans = True
    with pytest.raises(EngineUnavailable, match=r"refuses the plan .* Version .* Choose another"):
        load_engine("map", SETTINGS, folder)
    assert len(machine.module.builds) == 1
    assert machine.driver.alive == {}


def test_runtime_that_cannot_be_created(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(logger: Any) -> None:
        logger.log(machine.module.ILogger.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(machine.module, "Runtime", fails)
    with pytest.raises(EngineUnavailable, match=r"cannot run the plan .* failure with error: 35"):
        load_engine("map", SETTINGS, folder)
    assert machine.driver.alive == {}


@pytest.mark.parametrize("error", [RuntimeError("no"), None], ids=["an error", "None"])
def test_settings_of_a_run_that_cannot_be_created(
    folder: Path, rtx: Machine, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def fails(engine: fake_gpu.Engine) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(fake_gpu.Engine, "create_runtime_config", fails)
    with pytest.raises(EngineUnavailable, match="TensorRT-RTX cannot run the plan"):
        load_engine("map", RTX_SETTINGS, folder)
    assert rtx.driver.alive == {}


def test_plan_with_other_tensors(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = b"plan:" + editor_model().SerializeToString()
    monkeypatch.setattr("realtime_unmask.inference.tensorrt.build_plan", lambda *_: other)
    with pytest.raises(EngineDamaged, match="but its manifest says"):
        load_engine("map", SETTINGS, folder)
    assert machine.driver.alive == {}


def test_network_that_cannot_be_parsed(folder: Path, machine: Machine) -> None:
    model = map_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    write_network(folder, "map", model)
    with pytest.raises(EngineUnavailable, match="No importer for NoSuchOperator"):
        load_engine("map", SETTINGS, folder)
    with pytest.raises(EngineDamaged, match="cannot be converted to fp16"):
        load_engine("map", Settings(backend="tensorrt"), folder)


def test_package_is_missing(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'realtime-unmask\[gpu\]'"):
        load_engine("map", SETTINGS, folder)


def test_neither_way_to_memory_is_installed(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cuda.bindings", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineUnavailable, match="Neither cuda-python nor pycuda can be imported"):
        load_engine("map", SETTINGS, folder)


def test_backend_that_has_no_way_to_memory_does_not_work(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a plan would be built, for minutes, that nothing can run."""
    assert tensorrt.probe() == "Fake RTX 3060 (sm_86), fp16"
    for name in ("cuda.bindings", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineUnavailable, match="Neither cuda-python nor pycuda can be imported"):
        tensorrt.probe()
    assert machine.driver.alive == {}


def test_tensorrt_builds_for_the_card_in_the_machine_only(folder: Path, machine: Machine) -> None:
    files = NetworkFiles.read("map", folder)
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    with pytest.raises(EngineUnavailable, match="TensorRT-RTX builds for others"):
        build_plan(TENSORRT, spec, files, "sm_89")
