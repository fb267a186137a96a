"""The TensorRT backend's own rules on a stand-in for the card; real builds that need none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from realtime_unmask.errors import EngineDamaged, EngineLost, EngineUnavailable
from realtime_unmask.inference import cuda, tensorrt
from realtime_unmask.inference.cuda_memory import CudaMemory
from realtime_unmask.inference.engine import NetworkFiles, load_engine
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS, Network
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.tensorrt import TensorRtEngine
from realtime_unmask.inference.tensorrt_build import RTX, TENSORRT, build_plan
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_gpu import Machine, Result
from .tiny import editor_model, expected, map_model, random_inputs, write_network, write_networks

SETTINGS = Settings(backend="tensorrt", precision="fp32")
RTX_SETTINGS = Settings(backend="tensorrt_rtx", precision="fp32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "engines").mkdir()
    return write_networks(tmp_path / "engines")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return PlanCache.default()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return fake_gpu.install(monkeypatch, "tensorrt")


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return fake_gpu.install(monkeypatch, "tensorrt_rtx")


def kinds(cache: PlanCache) -> list[str]:
    return sorted(entry.about["kind"] for entry in cache.entries())


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
    profile = machine.module.builds[0].profiles[0]
    assert profile.shapes["image"] == ((1, 3, 256, 256), (1, 3, 256, 256), (4, 3, 256, 256))


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
    assert int(rtx.module.builds[0].capabilities[0]) == 86


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_fp32_is_not_tf32(folder: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    machine = fake_gpu.install(monkeypatch, backend)
    load_engine("map", Settings(backend=backend, precision="fp32"), folder).close()
    assert machine.module.builds[0].flags == set()


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


def test_plan_that_tensorrt_refuses(folder: Path, machine: Machine) -> None:
    machine.module.refuses_plans = True
    with pytest.raises(EngineUnavailable, match=r"refuses the plan .* Version .* clean"):
        load_engine("map", SETTINGS, folder)
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


def test_tensorrt_builds_for_the_card_in_the_machine_only(folder: Path, machine: Machine) -> None:
    files = NetworkFiles.read("map", folder)
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    with pytest.raises(EngineUnavailable, match="TensorRT-RTX builds for others"):
        build_plan(TENSORRT, spec, files, "sm_89")


# From here on the real package, which builds without any card.


@pytest.fixture
def real_rtx() -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the package tensorrt-rtx")


@pytest.mark.parametrize("sm", ["sm_86", "sm_89", "sm_120"])
@pytest.mark.parametrize("network", ["map", "editor"])
def test_rtx_builds_the_shipped_networks_for_cards_that_are_not_here(
    real_rtx: None, network: Network, sm: str
) -> None:
    files = NetworkFiles.read(network)
    spec = EngineSpec(network, INPUTS[network], OUTPUTS[network], precision="fp16")
    plan = build_plan(RTX, spec, files, sm)
    assert len(plan) > 0.3 * len(files.onnx)
    for name in (*INPUTS[network], *OUTPUTS[network]):
        assert name.encode() in plan


def test_rtx_names_the_cards_that_it_knows(real_rtx: None) -> None:
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"], precision="fp16")
    with pytest.raises(EngineUnavailable, match=r"does not build for sm_35; it knows sm_75, sm_80"):
        build_plan(RTX, spec, NetworkFiles.read("map"), "sm_35")


def test_rtx_has_what_a_run_is_set_up_with(real_rtx: None) -> None:
    module = RTX.module()
    assert module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert module.DynamicShapesKernelSpecializationStrategy.EAGER
    assert hasattr(module.IRuntimeConfig, "dynamic_shapes_kernel_specialization_strategy")


def test_rtx_says_why_it_cannot_parse(real_rtx: None, folder: Path) -> None:
    model = map_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    write_network(folder, "map", model)
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    with pytest.raises(EngineUnavailable, match="TensorRT-RTX cannot build the 'map' network: .+"):
        build_plan(RTX, spec, NetworkFiles.read("map", folder), "sm_86")


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="there is a card here")
def test_rtx_refuses_a_plan_without_a_driver_in_words(real_rtx: None, folder: Path) -> None:
    """Past the checks of the card, as on a machine whose driver does not work."""
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    plan = build_plan(RTX, spec, NetworkFiles.read("map", folder), "sm_86")
    with pytest.raises(EngineUnavailable, match=r"refuses the plan .* CUDA driver version"):
        TensorRtEngine(spec, RTX, plan, cast(CudaMemory, None))
