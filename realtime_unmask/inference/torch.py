"""torch on a GPU: CUDA in fp16 with CUDA graphs, or Apple's MPS. On the CPU the reference, fp32.

The networks are those of networks.py with the weights of engines/*.safetensors. torch takes a
second to import, so nothing here imports it before a GPU is in sight.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realtime_unmask.errors import EngineDamaged, EngineLost, EngineUnavailable
from realtime_unmask.inference import cuda
from realtime_unmask.inference.engine import BackendEngine, NetworkFiles, first_line
from realtime_unmask.inference.safetensors_file import read_tensors
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.torch_graph import ALONE, Run
from realtime_unmask.missing import install_extra
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

if TYPE_CHECKING:
    from torch import Tensor, nn

    from realtime_unmask.inference.torch_graph import Network

# Batches up to this size get a CUDA graph and buffers of their own; larger ones are rare.
MAX_GRAPHS = 4


class TorchEngine(BackendEngine):
    """The network as torch runs it at once, without graphs: on the CPU, on MPS.

    Args:
        spec: with the precision of `network`.
        network: named tensors of float32 on `device` -> the same.
        backend: the name that it was asked for by.
        device: "cpu" or "mps".
    """

    def __init__(self, spec: EngineSpec, network: Network, backend: str, device: str) -> None:
        super().__init__(spec)
        self.backend = backend
        self._network: Network | None = network
        self._device = device
        self._made: dict[str, Tensor] = {}

    def _start(self, inputs: dict[str, Float32]) -> None:
        assert self._network is not None
        with self._faults():
            self._made = self._network(_tensors(inputs, self._device))

    def _finish(self) -> dict[str, Float32]:
        made, self._made = self._made, {}
        with self._faults():
            return {name: value.cpu().numpy().copy() for name, value in made.items()}

    def _free(self) -> None:
        self._network = None

    def _faults(self) -> AbstractContextManager[None]:
        return nullcontext() if self._device == "cpu" else _faults(self.backend, self.spec.name)


class CudaEngine(BackendEngine):
    """The network on an NVIDIA card: one stream, one graph and fixed buffers a batch size."""

    backend = "torch"
    card = "cuda"

    def __init__(self, spec: EngineSpec, network: Network) -> None:
        import torch

        super().__init__(spec)
        self._network: Network | None = network
        self._stream = torch.cuda.Stream()
        self._done = torch.cuda.Event()
        self._runs: dict[int, Run] = {}
        self._run: Run | None = None
        with ALONE:  # the weights were laid out in another stream, which this one does not wait for
            torch.cuda.current_stream().synchronize()

    def _start(self, inputs: dict[str, Float32]) -> None:
        with self._card():
            batch = next(iter(inputs.values())).shape[0]
            self._run = self._runs.get(batch) or self._prepare(batch)
            self._run.start(inputs)
            self._done.record(self._stream)

    def _finish(self) -> dict[str, Float32]:
        assert self._run is not None
        with self._card():
            self._done.synchronize()
            return {name: value.copy() for name, value in self._run.outputs.items()}

    def _finish_there(self, name: str) -> dict[str, Any]:
        import torch

        assert self._run is not None
        with self._card():
            with torch.cuda.stream(self._stream):  # before the next batch is written there
                kept = self._run.left[name].clone()
                self._done.record(self._stream)
            self._done.synchronize()
            others = {n: v.copy() for n, v in self._run.outputs.items() if n != name}
            return {**others, name: kept}

    def _free(self) -> None:
        import torch

        try:
            self._stream.synchronize()
        except RuntimeError:  # lost, maybe as another engine ran: all share one CUDA context
            self._abandon()
        self._network = self._run = None
        self._runs.clear()
        with ALONE, suppress(RuntimeError):  # a card that is lost has nothing to give back
            torch.cuda.empty_cache()

    @contextmanager
    def _card(self) -> Iterator[None]:
        """Faults of the card as EngineLost."""
        import torch

        try:
            with _faults(self.backend, self.spec.name):
                yield
        except EngineLost as error:
            if not isinstance(error.__cause__, torch.cuda.OutOfMemoryError):
                self._abandon()
            raise

    def _abandon(self) -> None:
        for run in (*self._runs.values(), self._run):
            if run is not None:
                run.abandon()

    def _prepare(self, batch: int) -> Run:
        import torch

        assert self._network is not None
        # Known at once: the card may be lost while the graph is made.
        run = self._run = Run(self.spec, self._network, batch, self._stream)
        if batch > MAX_GRAPHS:
            return run
        recorded = next(iter(self._runs.values()), None)
        with ALONE:
            run.record(recorded.graph.pool() if recorded else None)
            torch.cuda.empty_cache()  # what the first runs took: graphs have memory of their own
        self._runs[batch] = run
        return run


def probe() -> str:
    """The GPU and the precision used on it. Raises EngineUnavailable."""
    if is_apple():
        torch = package()
        if not torch.backends.mps.is_available():
            raise EngineUnavailable("torch finds no Apple GPU (MPS) here.")
        return "Apple GPU (MPS), fp16"
    found = cuda.card()
    _cuda_package()
    return f"{found.name} ({found.sm}), fp16"


def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> BackendEngine:
    """See engine.Backend.load."""
    if settings.precision in ("bf16", "int8"):
        raise EngineUnavailable("On a GPU torch computes in fp16 or fp32; use precision auto.")
    if not is_apple():
        cuda.card()
    torch = package() if is_apple() else _cuda_package()
    device = "mps" if is_apple() else "cuda"
    half = settings.precision == "auto"
    spec = replace(spec, precision="fp16" if half else "fp32")
    with _faults("torch", spec.name, EngineUnavailable):
        module: Any = fuse(build(spec, files))
        module.to(device, torch.float16 if half else torch.float32)
        network = _named(spec, module.to(memory_format=torch.channels_last))
        if device == "cuda":
            return CudaEngine(spec, network)
        return TorchEngine(spec, network, "torch", device)


def load_on_cpu(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> TorchEngine:
    """As engine.Backend.load, in fp32 on the CPU: what the others are compared with."""
    torch = package()
    if settings.precision in ("bf16", "int8"):
        raise EngineUnavailable("The reference computes in fp32; use precision fp32 or auto.")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return TorchEngine(spec, _named(spec, build(spec, files)), "torch_cpu", "cpu")


def build(spec: EngineSpec, files: NetworkFiles) -> nn.Module:
    """The network in fp32 on the CPU, ready to be run, with the weights of `files`.

    Raises:
        EngineDamaged: the weights are missing, altered, or of another network.
    """
    import torch

    from realtime_unmask.inference.networks import EditorNet, MapNet

    made: nn.Module = MapNet() if spec.name == "map" else EditorNet()
    try:
        arrays = read_tensors(files.weights())
        # Counters of the training's batches are whole numbers, which the file leaves out.
        state = {n: v for n, v in made.state_dict().items() if not v.is_floating_point()}
        state |= {name: torch.from_numpy(value) for name, value in arrays.items()}
        made.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise EngineDamaged(
            f"{files.entry.weights} does not hold the weights of the '{spec.name}' network: "
            f"{first_line(error)} Install realtime-unmask again, or export the network again."
        ) from error
    return made.eval().requires_grad_(False)


def fuse(network: nn.Module) -> nn.Module:
    """The same network with each normalisation folded, in fp32, into the convolution before it."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1:
            first, second = module[0], module[1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[0], module[1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return network


def _named(spec: EngineSpec, module: nn.Module) -> Network:
    """`module` with named float32 tensors on both sides, whatever it computes in."""
    import torch

    kind = next(module.parameters()).dtype

    def network(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.inference_mode():
            ready = (
                inputs[name].to(kind, memory_format=torch.channels_last) for name in spec.inputs
            )
            made = module(*ready)
            made = made if isinstance(made, tuple) else (made,)
            return {
                name: value.float().contiguous()
                for name, value in zip(spec.outputs, made, strict=True)
            }

    return network


def _tensors(arrays: Mapping[str, Float32], device: str) -> dict[str, Tensor]:
    import torch

    # A copy: torch warns of arrays that are read-only, and the caller's must stay as they are.
    return {name: torch.tensor(value, device=device) for name, value in arrays.items()}


@contextmanager
def _faults(
    backend: str, network: str, kind: type[EngineLost | EngineUnavailable] = EngineLost
) -> Iterator[None]:
    """What torch raises on a GPU as an EngineError; whatever it is, the CPU can go on."""
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise kind(
            f"The GPU has no memory left for the '{network}' network on {backend}. Close other "
            "programs that use it, or use --backend cpu."
        ) from error
    except RuntimeError as error:
        raise kind(
            f"The GPU stopped working while {backend} ran the '{network}' network: "
            f"{first_line(error)} Start the program again, or use --backend cpu."
        ) from error


def is_apple() -> bool:
    """Is this a Mac whose GPU torch can use?"""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def package() -> Any:
    """torch. Raises EngineUnavailable."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: one of its libraries is missing
        raise EngineUnavailable(
            f"The package torch cannot be imported: {first_line(error)} "
            f"Install it with: {install_extra('torch')}."
        ) from error
    return torch


def _cuda_package() -> Any:
    """torch with CUDA. Raises EngineUnavailable."""
    torch = package()
    if torch.version.cuda is None:
        raise EngineUnavailable(
            f"torch {torch.__version__} is a build without CUDA. See https://pytorch.org for one "
            "that has it."
        )
    if not torch.cuda.is_available():
        raise EngineUnavailable(
            f"torch {torch.__version__} (CUDA {torch.version.cuda}) cannot use this driver. "
            "Install a newer NVIDIA driver."
        )
    return torch
