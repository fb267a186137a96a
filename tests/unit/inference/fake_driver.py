"""A card's memory, stream and graphs on the host: what cuda-python and pycuda offer, and its rules.

What is put into a stream happens only when somebody waits for it, and memory is freed once or not
at all.
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """Stands for pycuda.driver, over the same memory.

    Attributes:
        stack: the contexts that this thread has pushed, the current one last.
        ended: what would have ended the whole process.
    """

    class Error(Exception): ...

    class MemoryError(Error): ...  # noqa: A001  pycuda's own name

    def __init__(self, driver: FakeDriver) -> None:
        super().__init__("pycuda.driver")
        self.driver = driver
        self.stack: list[PyCudaContext] = []
        self.ended: list[str] = []

    def init(self) -> None:
        self.check("cuInit")

    def Device(self, number: int) -> Any:
        self.check("cuDeviceGet")
        return types.SimpleNamespace(retain_primary_context=lambda: PyCudaContext(self))

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
        return Allocation(self, self.call("cuMemAlloc", size))

    def pagelocked_empty(self, shape: tuple[int, ...], kind: Any) -> Any:
        return np.empty(shape, kind)

    def memcpy_htod_async(self, target: int, source: Any, stream: Any) -> None:
        self.call("cuMemcpyHtoDAsync", target, source.ctypes.data, source.nbytes, 0)

    def memcpy_dtoh_async(self, target: Any, source: int, stream: Any) -> None:
        self.call("cuMemcpyDtoHAsync", target.ctypes.data, source, target.nbytes, 0)


class PyCudaContext:
    """One hold on the card's context; as in pycuda 2026.1 one that just goes never lets go."""

    def __init__(self, pycuda: FakePyCuda) -> None:
        self.pycuda = pycuda
        self.valid = True
        pycuda.call("cuDevicePrimaryCtxRetain")

    def push(self) -> None:
        self.pycuda.check("cuCtxPushCurrent")
        self.pycuda.stack.append(self)

    def pop(self) -> None:
        self.pycuda.check("cuCtxPopCurrent")
        self.pycuda.stack.pop()  # whoever's it is

    def detach(self) -> None:
        self.valid = False
        self.pycuda.driver.cuDevicePrimaryCtxRelease(0)  # of an error it only prints a warning
        stack = self.pycuda.stack
        while stack and not stack[-1].valid:
            stack.pop()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Changes to it if need be, as pycuda does to free memory: where it cannot, all ends."""
        if self.pycuda.stack[-1] is self:
            yield
            return
        try:
            self.push()
            yield
            self.pop()
        except self.pycuda.Error as error:
            self.pycuda.ended.append(str(error))


class Allocation:
    """Frees itself when nobody holds it, as pycuda's do, unless its context was let go of."""

    def __init__(self, pycuda: FakePyCuda, address: int) -> None:
        self.driver, self.address = pycuda.driver, address
        self.context = pycuda.stack[-1]

    def __int__(self) -> int:
        return self.address

    def __del__(self) -> None:
        if self.context.valid:
            with self.context.current():
                self.driver.alive.pop(self.address, None)
                self.driver.freed.append("memory")
