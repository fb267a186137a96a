"""A machine with a card, its driver and TensorRT: the surface that the program uses.

A network is computed by ONNX Runtime from what lies at the addresses that were set; the card's
memory is that of fake_driver.py. The classes offer what TensorRT's do, and nothing else by names
without an underscore (test_tensorrt_rtx.py compares them with the package itself).
"""

from __future__ import annotations

import ctypes
import sys
import types
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from realtime_unmask.inference import cuda

from .fake_driver import FakeDriver, FakePyCuda

CARD = cuda.Card("Fake RTX 3060", (8, 6), 12 * 2**30, "580.10 CUDA 13.0")


class FakeTensorRt(types.ModuleType):
    """Stands for the package tensorrt, or tensorrt_rtx with `rtx`."""

    float32 = "float32"

    class ILogger:
        INTERNAL_ERROR, ERROR, WARNING = range(3)

    class NetworkDefinitionCreationFlag(IntEnum):
        STRONGLY_TYPED = 1

    class MemoryPoolType(IntEnum):
        WORKSPACE = 0

    class BuilderFlag(IntEnum):
        REFIT, TF32 = 2, 6

    class TensorIOMode(IntEnum):
        INPUT, OUTPUT = 1, 2

    class CudaGraphStrategy(IntEnum):
        DISABLED, WHOLE_GRAPH_CAPTURE = 0, 1

    class DynamicShapesKernelSpecializationStrategy(IntEnum):
        LAZY, EAGER, NONE = range(3)

    class ComputeCapability(IntEnum):
        NONE, CURRENT, SM86, SM89, SM120 = 0, 1, 86, 89, 120

    def __init__(self, driver: FakeDriver, rtx: bool) -> None:
        super().__init__("tensorrt_rtx" if rtx else "tensorrt")
        self.driver = driver
        self.rtx = rtx
        self.__version__ = "1.7.1" if rtx else "11.4.0"
        self.builds: list[Any] = []
        self.strategies: list[Any] = []  # of each context: when its kernels are compiled
        self.refuses_plans = False
        self.why_refused = "Version tag does not match."
        self.runs_fail_after = -1
        self.lines: Any = None

    def Builder(self, logger: Any) -> Builder:
        self.lines = logger
        return Builder(self)

    def OnnxParser(self, network: Network, logger: Any) -> Parser:
        return Parser(network)

    def Runtime(self, logger: Any) -> Runtime:
        return Runtime(self, logger)


class Network:
    _model: onnx.ModelProto

    @property
    def num_inputs(self) -> int:
        return len(self._model.graph.input)

    def get_input(self, number: int) -> Any:
        port = self._model.graph.input[number]
        return types.SimpleNamespace(name=port.name, shape=_shape(port))


class Parser:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._error = ""

    @property
    def num_errors(self) -> int:
        return 1 if self._error else 0

    def get_error(self, number: int) -> Any:
        return types.SimpleNamespace(desc=lambda: self._error)

    def parse(self, model: bytes) -> bool:
        self._network._model = onnx.load_from_string(model)
        kinds = {node.op_type for node in self._network._model.graph.node}
        self._error = "No importer for NoSuchOperator" if "NoSuchOperator" in kinds else ""
        return not self._error


class Profile:
    def __init__(self) -> None:
        self._shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(
        self, name: str, least: tuple[int, ...], best: tuple[int, ...], most: tuple[int, ...]
    ) -> None:
        self._shapes[name] = (least, best, most)


class BuilderConfig:
    num_compute_capabilities = 0

    def __init__(self) -> None:
        self._flags = {FakeTensorRt.BuilderFlag.TF32}
        self._profiles: list[Profile] = []
        self._capabilities: dict[int, Any] = {}

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag)

    def set_memory_pool_limit(self, pool: Any, size: int) -> None: ...

    def add_optimization_profile(self, profile: Profile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_compute_capability(self, capability: Any, number: int) -> bool:
        self._capabilities[number] = capability
        return True


class Builder:
    def __init__(self, module: FakeTensorRt) -> None:
        self._module = module

    def create_network(self, flags: int) -> Network:
        assert flags == 1 << FakeTensorRt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return Network()

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> bytes | None:
        self._module.builds.append(config)
        return b"plan:" + network._model.SerializeToString()


class Runtime:
    def __init__(self, module: FakeTensorRt, logger: Any) -> None:
        self._module, self._logger = module, logger

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        if self._module.refuses_plans or not plan.startswith(b"plan:"):
            self._logger.log(self._module.ILogger.ERROR, self._module.why_refused)
            return None
        return Engine(self._module, self._logger, plan.removeprefix(b"plan:"))


class Freed:
    """Says when it goes, and whether the stream was still at work then."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver

    def __del__(self) -> None:
        at_work = " at work" if self._driver.queue else ""
        self._driver.freed.append(type(self).__name__ + at_work)


class Engine(Freed):
    def __init__(self, module: FakeTensorRt, logger: Any, model: bytes) -> None:
        super().__init__(module.driver)
        self._module, self._logger = module, logger
        self._graph = onnx.load_from_string(model).graph
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        # A plan lists its tensors in an order of its own.
        self._ports = [*reversed(self._graph.output), *reversed(self._graph.input)]

    @property
    def num_io_tensors(self) -> int:
        return len(self._ports)

    def get_tensor_name(self, number: int) -> str:
        return str(self._ports[number].name)

    def get_tensor_mode(self, name: str) -> Any:
        names = [port.name for port in self._graph.input]
        modes = FakeTensorRt.TensorIOMode
        return modes.INPUT if name in names else modes.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return _shape(next(port for port in self._ports if port.name == name))

    def get_tensor_dtype(self, name: str) -> str:
        port = next(port for port in self._ports if port.name == name)
        kind = port.type.tensor_type.elem_type
        return "float32" if kind == onnx.TensorProto.FLOAT else "float64"

    def create_runtime_config(self) -> Any:
        assert self._module.rtx
        return RuntimeConfig(self._module.driver)

    def create_execution_context(self, config: Any = None) -> Context:
        assert (config is not None) == self._module.rtx
        if config is not None:
            config._cache._kernels = b"kernels of this card"
            self._module.strategies.append(config.dynamic_shapes_kernel_specialization_strategy)
        return Context(self)


class RuntimeConfig(Freed):
    cuda_graph_strategy: Any = None
    dynamic_shapes_kernel_specialization_strategy: Any = (
        FakeTensorRt.DynamicShapesKernelSpecializationStrategy.LAZY
    )
    _cache: Any = None

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache(self._driver)

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self._cache = cache
        return True


class RuntimeCache(Freed):
    _kernels = b""

    def serialize(self) -> bytes:
        return self._kernels

    def deserialize(self, kept: bytes) -> bool:
        self._kernels = kept
        return True


class Context(Freed):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine._module.driver)
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._batch = 0

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert 1 <= shape[0] <= 4, "outside the profile"
        self._batch = shape[0]
        return True

    def execute_async_v3(self, stream: int) -> bool:
        module = self._engine._module
        if module.runs_fail_after == 0:
            self._engine._logger.log(module.ILogger.ERROR, "Cuda Runtime (out of memory)")
            return False
        module.runs_fail_after -= 1
        module.driver.put(self._compute)
        return True

    def _compute(self) -> None:
        inputs = {port.name: self._array(port) for port in self._engine._graph.input}
        names = [port.name for port in self._engine._graph.output]
        for port, made in zip(
            self._engine._graph.output, self._engine._session.run(names, inputs), strict=True
        ):
            self._array(port)[:] = made

    def _array(self, port: onnx.ValueInfoProto) -> Any:
        shape = (self._batch, *_shape(port)[1:])
        kind = ctypes.c_float * int(np.prod(shape))
        return np.ctypeslib.as_array(kind.from_address(self._addresses[port.name])).reshape(shape)


def _shape(port: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(
        -1 if one.dim_param else one.dim_value for one in port.type.tensor_type.shape.dim
    )


@dataclass
class Machine:
    """A machine with a card; `module` is the TensorRT on it."""

    driver: FakeDriver
    module: FakeTensorRt
    pycuda: FakePyCuda | None = None


def install(monkeypatch: pytest.MonkeyPatch, backend: str, *, pycuda: bool = False) -> Machine:
    """Let the program find a card, one TensorRT, and cuda-python or pycuda."""
    driver = FakeDriver()
    module = FakeTensorRt(driver, backend == "tensorrt_rtx")
    machine = Machine(driver, module, FakePyCuda(driver) if pycuda else None)
    monkeypatch.setattr(cuda, "card", lambda: CARD)
    for name in ("tensorrt", "tensorrt_rtx", "torch"):
        monkeypatch.setitem(sys.modules, name, module if name == backend else None)
    if machine.pycuda is not None:
        package = types.ModuleType("pycuda")
        package.driver = machine.pycuda  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pycuda", package)
        monkeypatch.setitem(sys.modules, "pycuda.driver", machine.pycuda)
        for name in ("cuda", "cuda.bindings", "cuda.bindings.driver"):
            monkeypatch.setitem(sys.modules, name, None)
    else:
        bindings = types.ModuleType("cuda.bindings")
        bindings.driver = driver  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    return machine
