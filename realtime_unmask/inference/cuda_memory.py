"""Memory, one stream and graphs on an NVIDIA card, through cuda-python or pycuda.

One small interface, so that the TensorRT backend does not care which of the two is installed:
cuda-python installs everywhere and has CUDA graphs, pycuda needs the CUDA toolkit and has none.
"""

from __future__ import annotations

import ctypes
import threading
from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from typing import Any

import numpy as np

from realtime_unmask.closing import Closing
from realtime_unmask.errors import EngineLost, EngineUnavailable
from realtime_unmask.types import Float32

# Of either, as they are installed.
PACKAGES = ("cuda-bindings", "pycuda")
INSTALL = "Install it with: pip install cuda-bindings, or pip install pycuda."
Launch = Callable[[], None]


class CudaMemory(Closing):
    """Belongs to the thread that made it, as its CUDA context does; close() frees all of it.

    Attributes:
        stream: the stream's handle, for TensorRT.
    """

    stream: int

    @staticmethod
    @abstractmethod
    def package() -> Any:
        """Its bindings of the driver. Raises ImportError."""

    @abstractmethod
    def device(self, size: int) -> int:
        """The address of `size` bytes on the card. Raises EngineLost."""

    @abstractmethod
    def pinned(self, shape: tuple[int, ...]) -> Float32:
        """A float32 array that the card can copy from and to by itself. Raises EngineLost."""

    @abstractmethod
    def upload(self, address: int, array: Float32) -> None:
        """Put the copy of a pinned array to the card into the stream. Raises EngineLost."""

    @abstractmethod
    def download(self, array: Float32, address: int) -> None:
        """Put the copy of the card's memory to a pinned array into the stream."""

    @abstractmethod
    def record(self, work: Launch) -> Launch | None:
        """What repeats, at once, all that `work` puts into the stream; None without graphs."""

    @abstractmethod
    def wait(self) -> None:
        """Until all in the stream is done. Raises EngineLost."""


def open_memory() -> CudaMemory:
    """Through the package that is installed.

    Raises:
        EngineUnavailable: neither is, or the driver does not work.
    """
    try:
        return memory_package()()
    except EngineLost as error:
        raise EngineUnavailable(str(error)) from error
    except RuntimeError as error:  # cuda-python's word for a driver that it cannot find
        raise EngineUnavailable(
            f"The NVIDIA driver cannot be used ({str(error).rstrip('.')})."
        ) from error


def memory_package() -> Callable[[], CudaMemory]:
    """What opens memory through the package that is installed; touches no card.

    Raises:
        EngineUnavailable: neither is.
    """
    missing = []
    for kind in (CudaPythonMemory, PyCudaMemory):
        try:
            kind.package()
        except ImportError as error:
            missing.append(str(error).rstrip("."))
        else:
            return kind
    raise EngineUnavailable(
        f"Neither cuda-python nor pycuda can be imported ({'; '.join(missing)}). {INSTALL}"
    )


class CudaPythonMemory(CudaMemory):
    """Through cuda-python's bindings of the driver."""

    def __init__(self) -> None:
        self._driver = driver = self.package()
        self._free: list[Callable[[], object]] = []
        self._call("cuInit", 0)
        gpu = self._call("cuDeviceGet", 0)
        context = self._call("cuDevicePrimaryCtxRetain", gpu)
        self._free.append(lambda: driver.cuDevicePrimaryCtxRelease(gpu))
        try:
            self._call("cuCtxSetCurrent", context)
            stream = self._call("cuStreamCreate", 1)  # does not wait for the default stream
        except EngineLost:
            self.close()
            raise
        self._free.append(lambda: driver.cuStreamDestroy(stream))
        self.stream = int(stream)

    @staticmethod
    def package() -> Any:
        """See CudaMemory."""
        from cuda.bindings import driver

        return driver

    def device(self, size: int) -> int:
        """See CudaMemory."""
        address = self._call("cuMemAlloc", size)
        self._free.append(lambda: self._driver.cuMemFree(address))
        return int(address)

    def pinned(self, shape: tuple[int, ...]) -> Float32:
        """See CudaMemory."""
        count = prod(shape)
        address = int(self._call("cuMemHostAlloc", 4 * count, 0))
        self._free.append(lambda: self._driver.cuMemFreeHost(address))
        return np.ctypeslib.as_array((ctypes.c_float * count).from_address(address)).reshape(shape)

    def upload(self, address: int, array: Float32) -> None:
        """See CudaMemory."""
        self._call("cuMemcpyHtoDAsync", address, array.ctypes.data, array.nbytes, self.stream)

    def download(self, array: Float32, address: int) -> None:
        """See CudaMemory."""
        self._call("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, self.stream)

    def record(self, work: Launch) -> Launch:
        """See CudaMemory."""
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", self.stream, mode)
        with ExitStack() as undo:
            undo.callback(self._drop_recording)
            work()
            undo.pop_all()
        graph = self._call("cuStreamEndCapture", self.stream)
        try:
            ready = self._call("cuGraphInstantiate", graph, 0)
        finally:
            self._driver.cuGraphDestroy(graph)
        self._free.append(lambda: self._driver.cuGraphExecDestroy(ready))
        return lambda: self._call("cuGraphLaunch", ready, self.stream)

    def _drop_recording(self) -> None:
        """End it, whatever spoilt it: what did is on its way to be told."""
        status, graph = self._driver.cuStreamEndCapture(self.stream)
        if int(status) == 0:
            self._driver.cuGraphDestroy(graph)

    def wait(self) -> None:
        """See CudaMemory."""
        self._call("cuStreamSynchronize", self.stream)

    def close(self) -> None:
        """See Closing. What a card that is gone says to it changes nothing any more."""
        while self._free:
            self._free.pop()()

    def _call(self, function: str, *arguments: object) -> Any:
        status, *made = getattr(self._driver, function)(*arguments)
        if int(status) == int(self._driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY):
            raise EngineLost(_full())
        if int(status) != 0:
            raise EngineLost(_broken(f"{function} gives {getattr(status, 'name', status)}"))
        return made[0] if made else None


class _Context(threading.local):
    """The card's context as pycuda holds it, one for all that this thread has on the card.

    pycuda frees memory in the very object in which it was made. Where it has to change to another
    one for that and the card is gone, it ends the process, and so it does where a thread leaves one
    behind. Its own way to let go of one, `pop`, gives up on a card that is gone, and takes the last
    one made, whoever asks; and what becomes of an object that was not detached does not release
    the card.
    """

    context: Any = None
    users = 0

    def enter(self, driver: Any) -> None:
        """Raises pycuda's Error."""
        if self.context is None:
            context = driver.Device(0).retain_primary_context()
            try:
                context.push()
            except driver.Error:
                context.detach()
                raise
            self.context = context
        self.users += 1

    def leave(self) -> None:
        """What was made here has to be gone. What a card that is lost says, pycuda only prints."""
        self.users -= 1
        if not self.users:
            context, self.context = self.context, None
            context.detach()


_HERE = _Context()


class PyCudaMemory(CudaMemory):
    """Through pycuda."""

    def __init__(self) -> None:
        self._driver = driver = self.package()
        self._kept: list[Any] = []
        self._stream: Any = None
        self._closed = True
        self._call(driver.init)
        self._call(_HERE.enter, driver)
        self._closed = False
        try:
            self._stream = self._call(driver.Stream)
        except EngineLost:
            self.close()
            raise
        self.stream = int(self._stream.handle)

    @staticmethod
    def package() -> Any:
        """See CudaMemory."""
        from pycuda import driver

        return driver

    def device(self, size: int) -> int:
        """See CudaMemory."""
        made = self._call(self._driver.mem_alloc, size)
        self._kept.append(made)
        return int(made)

    def pinned(self, shape: tuple[int, ...]) -> Float32:
        """See CudaMemory."""
        made: Float32 = self._call(self._driver.pagelocked_empty, shape, np.float32)
        self._kept.append(made)
        return made

    def upload(self, address: int, array: Float32) -> None:
        """See CudaMemory."""
        self._call(self._driver.memcpy_htod_async, address, array, self._stream)

    def download(self, array: Float32, address: int) -> None:
        """See CudaMemory."""
        self._call(self._driver.memcpy_dtoh_async, array, address, self._stream)

    def record(self, work: Launch) -> None:
        """See CudaMemory."""

    def wait(self) -> None:
        """See CudaMemory."""
        self._call(self._stream.synchronize)

    def close(self) -> None:
        """See Closing."""
        if self._closed:
            return
        self._closed = True
        self._kept.clear()
        self._stream = None
        _HERE.leave()

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        try:
            return function(*arguments)
        except self._driver.MemoryError as error:
            raise EngineLost(_full()) from error
        except self._driver.Error as error:
            raise EngineLost(_broken(str(error))) from error


def _full() -> str:
    return "The GPU has no memory left. Close other programs that use it, or use --backend cpu."


def _broken(detail: str) -> str:
    return (
        f"The GPU stopped working ({detail.rstrip('.')}). Start the program again, or use "
        "--backend cpu."
    )
