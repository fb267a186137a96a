"""One batch size on an NVIDIA card: its buffers, and the network recorded as a CUDA graph.

Graphs are recorded by one thread at a time: before torch records one it waits for the whole card
and gives memory back. Where a thread does so while another one records, the driver refuses it
(error 900), and that recording is spoilt.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.types import Float32

if TYPE_CHECKING:
    from torch import Tensor

    Network = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

# Held by whoever records, gives memory back, or waits for more than a stream of its own.
ALONE = threading.Lock()
_WARM_UP = 3


class Run:
    """All that one batch size needs: pinned and device buffers, and the recorded graph.

    Attributes:
        outputs: the pinned buffers, as arrays; written by the stream.
        left: the same on the card, overwritten by the next batch.
        graph: the recorded network; None before `record`.
    """

    def __init__(self, spec: EngineSpec, network: Network, batch: int, stream: Any) -> None:
        import torch

        def buffers(shapes: Mapping[str, Any], **where: Any) -> dict[str, Tensor]:
            return {n: torch.zeros((batch, *shape[1:]), **where) for n, shape in shapes.items()}

        self._network = network
        self._stream = stream
        self._host_in = buffers(spec.inputs, pin_memory=True)
        self._host_out = buffers(spec.outputs, pin_memory=True)
        self._arrays_in = {name: value.numpy() for name, value in self._host_in.items()}
        self.outputs: dict[str, Float32] = {n: v.numpy() for n, v in self._host_out.items()}
        with torch.cuda.stream(stream):
            self._device_in = buffers(spec.inputs, device="cuda")
        self.left: dict[str, Tensor] = {}
        self.graph: Any = None
        self._abandoned = False

    def record(self, pool: Any) -> None:
        """Make the graph, with ALONE held.

        Args:
            pool: the memory of another graph that never runs at the same time; None for its own.
        """
        import torch

        graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream), _full_precision():
            # The first runs load kernels and choose algorithms, which no graph can record.
            for _ in range(_WARM_UP):
                self._network(self._device_in)
            self._stream.synchronize()
            # Work of other threads on the card, the engine that this one relieves, say, goes on.
            with torch.cuda.graph(
                graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                self.left = self._network(self._device_in)
        self.graph = graph

    def abandon(self) -> None:
        """Never free the pinned buffers: the card is lost, and torch, whose allocator asks it about
        them, would end the whole process (seen with torch 2.11)."""
        if not self._abandoned:
            for tensor in (*self._host_in.values(), *self._host_out.values()):
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(tensor))
        self._abandoned = True

    def start(self, inputs: Mapping[str, Float32]) -> None:
        """Put copies, network and copies back into the stream; returns at once."""
        import torch

        with torch.cuda.stream(self._stream):
            for name, value in inputs.items():
                np.copyto(self._arrays_in[name], value)
                self._device_in[name].copy_(self._host_in[name], non_blocking=True)
            if self.graph is None:
                with _full_precision():
                    self.left = self._network(self._device_in)
            else:
                self.graph.replay()
            for name, made in self.left.items():
                self._host_out[name].copy_(made, non_blocking=True)


@contextmanager
def _full_precision() -> Iterator[None]:
    """fp32 means fp32, not the card's tf32, and the same algorithm in each run."""
    import torch

    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield
