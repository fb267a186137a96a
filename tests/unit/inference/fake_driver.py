"""A card's memory, stream and graphs on the host: what cuda-python and pycuda offer, and its rules.

What is put into a stream happens only when somebody waits for it, and memory is freed once or not
at all.
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np


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
        freed: what went, in that order: of TensorRT's objects, and of the card.
    """

    faults: dict[str, tuple[Result, int]] = field(default_factory=dict)
    alive: dict[int, Any] = field(default_factory=dict)
    queue: list[Callable[[], None]] = field(default_factory=list)
    recorded: list[Callable[[], None]] | None = None
    launches: int = 0
    freed: list[str] = field(default_factory=list)
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
        self.freed.append("card")

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
        self.freed.append("memory")

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
        self.driver.freed.append("card")

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
        self.driver.freed.append("memory")
