"""A card, its driver and TensorRT on the host: the surface that the program uses, and its rules.

What is put into a stream happens only when somebody waits for it, memory is freed once or not at
all, and a network is computed by ONNX Runtime from what lies at the addresses that were set.
"""

from __future__ import annotations

import ctypes
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from realtime_unmask.inference import cuda

CARD = cuda.Card("Fake RTX 3060", (8, 6), 12 * 2**30, "580.10 CUDA 13.0")


class Result(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_ILLEGAL_ADDRESS = 700


class CaptureMode(IntEnum):
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1


@dataclass
class FakeDriver:
    """Stands for cuda.bindings.driver.

    Attributes:
        faults: function name -> what it gives, and after how many calls that went well.
        alive: handles by number, with what frees them.
    """

    faults: dict[str, tuple[Result, int]] = field(default_factory=dict)
    alive: dict[int, Any] = field(default_factory=dict)
    queue: list[Callable[[], None]] = field(default_factory=list)
    recorded: list[Callable[[], None]] | None = None
    launches: int = 0
    CUresult: Any = Result
    CUstreamCaptureMode: Any = CaptureMode

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if not name.startswith("cu"):
            return found

        def call(*arguments: Any) -> tuple[Any, ...]:
            result, after = self.faults.get(name, (Result.CUDA_SUCCESS, 0))
            if after:
                self.faults[name] = (result, after - 1)
            elif result:
                if name == "cuStreamSynchronize":
                    self.queue.clear()  # what is in the stream of a card that failed never runs
                return (result, None)
            made = found(*arguments)
            return (Result.CUDA_SUCCESS,) if made is None else (Result.CUDA_SUCCESS, made)

        return call

    def put(self, work: Callable[[], None]) -> None:
        """Into the stream, or into the graph that is being recorded."""
        (self.queue if self.recorded is None else self.recorded).append(work)

    def new(self, what: Any, number: int | None = None) -> int:
        number = number or 1000 + len(self.alive)
        while number in self.alive:
            number += 1
        self.alive[number] = what
        return number

    def array(self, size: int) -> int:
        kept = (ctypes.c_char * size)()
        return self.new(kept, ctypes.addressof(kept))

    def cuInit(self, flags: int) -> None: ...

    def cuDeviceGet(self, number: int) -> int:
        return number

    def cuDevicePrimaryCtxRetain(self, device: int) -> int:
        return self.new("context")

    def cuDevicePrimaryCtxRelease(self, device: int) -> None:
        contexts = [number for number, what in self.alive.items() if what == "context"]
        del self.alive[contexts[-1]]

    def cuCtxSetCurrent(self, context: int) -> None: ...

    def cuStreamCreate(self, flags: int) -> int:
        return self.new("stream")

    def cuStreamDestroy(self, stream: int) -> None:
        del self.alive[stream]
        self.queue.clear()

    def cuStreamSynchronize(self, stream: int) -> None:
        waiting, self.queue[:] = list(self.queue), []
        for work in waiting:
            work()

    def cuMemAlloc(self, size: int) -> int:
        return self.array(size)

    def cuMemFree(self, address: int) -> None:
        del self.alive[address]

    def cuMemHostAlloc(self, size: int, flags: int) -> int:
        return self.array(size)

    def cuMemFreeHost(self, address: int) -> None:
        del self.alive[address]

    def cuMemcpyHtoDAsync(self, target: int, source: int, size: int, stream: int) -> None:
        self.put(lambda: self.move(target, source, size, on_card=target))

    def cuMemcpyDtoHAsync(self, target: int, source: int, size: int, stream: int) -> None:
        self.put(lambda: self.move(target, source, size, on_card=source))

    def move(self, target: int, source: int, size: int, *, on_card: int) -> None:
        """Refuses what was freed: touching it would end the process, at times."""
        assert ctypes.sizeof(self.alive[on_card]) >= size, "beyond the memory's end"
        ctypes.memmove(target, source, size)

    def cuStreamBeginCapture(self, stream: int, mode: int) -> None:
        self.recorded = []

    def cuStreamEndCapture(self, stream: int) -> int:
        graph, self.recorded = self.recorded, None
        return self.new(graph)

    def cuGraphInstantiate(self, graph: int, flags: int) -> int:
        return self.new(list(self.alive[graph]))

    def cuGraphDestroy(self, graph: int) -> None:
        del self.alive[graph]

    cuGraphExecDestroy = cuGraphDestroy

    def cuGraphLaunch(self, graph: int, stream: int) -> None:
        self.launches += 1
        self.queue.extend(self.alive[graph])


class FakePyCuda(types.ModuleType):
    """Stands for pycuda.driver, over the same memory."""

    class Error(Exception): ...

    class MemoryError(Error): ...  # noqa: A001  pycuda's own name

    def __init__(self, driver: FakeDriver) -> None:
        super().__init__("pycuda.driver")
        self.driver = driver
        self.pushed = 0

    def init(self) -> None:
        self.check("cuInit")

    def Device(self, number: int) -> Any:
        self.check("cuDeviceGet")
        return types.SimpleNamespace(retain_primary_context=self.retain)

    def retain(self) -> Any:
        self.check("cuDevicePrimaryCtxRetain")
        return types.SimpleNamespace(push=self.push, pop=self.pop)

    def push(self) -> None:
        self.check("cuCtxPushCurrent")
        self.pushed += 1

    def pop(self) -> None:
        self.check("cuCtxPopCurrent")
        self.pushed -= 1

    def Stream(self) -> Any:
        self.check("cuStreamCreate")
        return types.SimpleNamespace(handle=7, synchronize=lambda: self.call("cuStreamSynchronize"))

    def call(self, name: str, *arguments: object) -> Any:
        result, *made = getattr(self.driver, name)(*arguments, *([0] if not arguments else []))
        self.check(name, result)
        return made[0] if made else None

    def check(self, name: str, result: Result | None = None) -> None:
        """Raise what one function of the driver gave, or would give."""
        if result is None:
            result, _ = self.driver.faults.get(name, (Result.CUDA_SUCCESS, 0))
        if result == Result.CUDA_ERROR_OUT_OF_MEMORY:
            raise self.MemoryError(f"{name} failed: out of memory")
        if result:
            raise self.Error(f"{name} failed: {result.name}")

    def mem_alloc(self, size: int) -> Any:
        return Allocation(self.driver, self.call("cuMemAlloc", size))

    def pagelocked_empty(self, shape: tuple[int, ...], kind: Any) -> Any:
        return np.empty(shape, kind)

    def memcpy_htod_async(self, target: int, source: Any, stream: Any) -> None:
        self.call("cuMemcpyHtoDAsync", target, source.ctypes.data, source.nbytes, 0)

    def memcpy_dtoh_async(self, target: Any, source: int, stream: Any) -> None:
        self.call("cuMemcpyDtoHAsync", target.ctypes.data, source, target.nbytes, 0)


class Allocation:
    """Frees itself when nobody holds it, as pycuda's do."""

    def __init__(self, driver: FakeDriver, address: int) -> None:
        self.driver, self.address = driver, address

    def __int__(self) -> int:
        return self.address

    def __del__(self) -> None:
        self.driver.alive.pop(self.address, None)


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
        self.runs_fail_after = -1
        self.lines: Any = None

    def Builder(self, logger: Any) -> Builder:
        self.lines = logger
        return Builder(self)

    def OnnxParser(self, network: Network, logger: Any) -> Parser:
        return Parser(network)

    def Runtime(self, logger: Any) -> Any:
        def deserialize(plan: bytes) -> Any:
            if self.refuses_plans:
                logger.log(self.ILogger.ERROR, "Version tag does not match")
                return None
            return Engine(self, logger, plan.removeprefix(b"plan:"))

        return types.SimpleNamespace(deserialize_cuda_engine=deserialize)


@dataclass
class Network:
    flags: int
    model: onnx.ModelProto | None = None

    @property
    def num_inputs(self) -> int:
        assert self.model is not None
        return len(self.model.graph.input)

    def get_input(self, number: int) -> Any:
        assert self.model is not None
        port = self.model.graph.input[number]
        return types.SimpleNamespace(name=port.name, shape=_shape(port))


@dataclass
class Parser:
    network: Network
    error: str = ""

    @property
    def num_errors(self) -> int:
        return 1 if self.error else 0

    def get_error(self, number: int) -> Any:
        return types.SimpleNamespace(desc=lambda: self.error)

    def parse(self, model: bytes) -> bool:
        self.network.model = onnx.load_from_string(model)
        kinds = {node.op_type for node in self.network.model.graph.node}
        self.error = "No importer for NoSuchOperator" if "NoSuchOperator" in kinds else ""
        return not self.error


class Builder:
    def __init__(self, module: FakeTensorRt) -> None:
        self.module = module

    def create_network(self, flags: int) -> Network:
        assert flags == 1 << FakeTensorRt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return Network(flags)

    def create_builder_config(self) -> Any:
        config = types.SimpleNamespace(profiles=[], num_compute_capabilities=0, capabilities={})
        config.flags = {FakeTensorRt.BuilderFlag.TF32}
        config.clear_flag = config.flags.discard
        config.set_memory_pool_limit = lambda pool, size: None
        config.add_optimization_profile = config.profiles.append
        config.set_compute_capability = lambda sm, n: config.capabilities.__setitem__(n, sm)
        return config

    def create_optimization_profile(self) -> Any:
        shapes: dict[str, Any] = {}
        return types.SimpleNamespace(
            shapes=shapes, set_shape=lambda name, *sizes: shapes.__setitem__(name, sizes)
        )

    def build_serialized_network(self, network: Network, config: Any) -> bytes | None:
        assert network.model is not None
        self.module.builds.append(config)
        return b"plan:" + network.model.SerializeToString()


class Engine:
    def __init__(self, module: FakeTensorRt, logger: Any, model: bytes) -> None:
        self.module, self.logger = module, logger
        self.graph = onnx.load_from_string(model).graph
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        # A plan lists its tensors in an order of its own.
        self.ports = [*reversed(self.graph.output), *reversed(self.graph.input)]
        self.num_io_tensors = len(self.ports)

    def get_tensor_name(self, number: int) -> str:
        return str(self.ports[number].name)

    def get_tensor_mode(self, name: str) -> Any:
        names = [port.name for port in self.graph.input]
        modes = FakeTensorRt.TensorIOMode
        return modes.INPUT if name in names else modes.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return _shape(next(port for port in self.ports if port.name == name))

    def get_tensor_dtype(self, name: str) -> str:
        port = next(port for port in self.ports if port.name == name)
        kind = port.type.tensor_type.elem_type
        return "float32" if kind == onnx.TensorProto.FLOAT else "float64"

    def create_runtime_config(self) -> Any:
        assert self.module.rtx
        lazy = FakeTensorRt.DynamicShapesKernelSpecializationStrategy.LAZY
        config = types.SimpleNamespace(
            cuda_graph_strategy=None, dynamic_shapes_kernel_specialization_strategy=lazy, cache=None
        )
        config.create_runtime_cache = RuntimeCache
        config.set_runtime_cache = lambda cache: setattr(config, "cache", cache)
        return config

    def create_execution_context(self, config: Any = None) -> Context:
        assert (config is not None) == self.module.rtx
        if config is not None:
            config.cache.kernels = b"kernels of this card"
            self.module.strategies.append(config.dynamic_shapes_kernel_specialization_strategy)
        return Context(self)


class RuntimeCache:
    def __init__(self) -> None:
        self.kernels = b""

    def serialize(self) -> bytes:
        return self.kernels

    def deserialize(self, kept: bytes) -> bool:
        self.kernels = kept
        return True


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.addresses: dict[str, int] = {}
        self.batch = 0

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> None:
        assert 1 <= shape[0] <= 4, "outside the profile"
        self.batch = shape[0]

    def execute_async_v3(self, stream: int) -> bool:
        module = self.engine.module
        if module.runs_fail_after == 0:
            self.engine.logger.log(module.ILogger.ERROR, "Cuda Runtime (out of memory)")
            return False
        module.runs_fail_after -= 1
        module.driver.put(self._compute)
        return True

    def _compute(self) -> None:
        inputs = {port.name: self._array(port) for port in self.engine.graph.input}
        names = [port.name for port in self.engine.graph.output]
        for port, made in zip(
            self.engine.graph.output, self.engine.session.run(names, inputs), strict=True
        ):
            self._array(port)[:] = made

    def _array(self, port: onnx.ValueInfoProto) -> Any:
        shape = (self.batch, *_shape(port)[1:])
        kind = ctypes.c_float * int(np.prod(shape))
        return np.ctypeslib.as_array(kind.from_address(self.addresses[port.name])).reshape(shape)


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
        monkeypatch.setitem(sys.modules, "cuda", None)
    else:
        bindings = types.ModuleType("cuda.bindings")
        bindings.driver = driver  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    return machine
