"""Engine: a network that is ready to run, and the choice of what runs it here.

    with load_engine("map", Settings()) as engine:
        values = engine.infer({"image": crops})["map"]    # (N, 3, 256, 256) -> (N, 1, 256, 256)
        engine.backend, engine.reason                     # what runs it, and why that
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

from realtime_unmask import resources
from realtime_unmask.closing import Closing
from realtime_unmask.errors import EngineError, EngineUnavailable
from realtime_unmask.inference.manifest import (
    Manifest,
    Network,
    NetworkEntry,
    read_network,
    read_weights,
)
from realtime_unmask.inference.spec import EngineSpec, checked
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

# In the order in which "auto" tries them; each is a module of this package.
ON_GPU = ("tensorrt", "tensorrt_rtx", "torch")
ON_CPU = ("openvino", "onnxruntime")
PREFERENCE = (*ON_GPU, *ON_CPU)
_log = logging.getLogger(__name__)


class Engine(Protocol):
    """A network that is ready to run. Belongs to the thread that made it.

    Attributes:
        spec: names, shapes and precision.
        backend: the name of what runs it.
        reason: why that backend, and why not those that are preferred to it.
        card: torch's name of the device on which `wait_there` leaves outputs; empty: it does not.
    """

    spec: EngineSpec
    backend: str
    reason: str

    @property
    def card(self) -> str: ...

    def infer(self, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
        """Run the network on one batch.

        Args:
            inputs: a float32 array of the shape in `spec.inputs` for each name there; N is the
                same in all.

        Returns:
            A new float32 array for each name in `spec.outputs`, with that N.

        Raises:
            TypeError: a value is not a float32 array.
            ValueError: a name or a shape is wrong.
            EngineError: the engine is closed or busy, or the backend failed; EngineLost where its
                device is full or gone, which ends this engine.
        """
        ...

    def submit(self, inputs: Mapping[str, Float32]) -> None:
        """Start on one batch and return; `wait` fetches the result. One batch at a time.

        The arrays must not be changed before `wait` returned. Raises as `infer` does.
        """
        ...

    def wait(self) -> dict[str, Float32]:
        """The result of the batch that was submitted, as `infer` gives it.

        Raises:
            EngineError: nothing was submitted, the engine is closed, or the backend failed.
        """
        ...

    def wait_there(self, name: str) -> dict[str, Any]:
        """As `wait`, but output `name` may be a torch tensor on `card`: the caller's own."""
        ...

    def close(self) -> None:
        """Free the network, after a batch under way is done; safe to call again. Never raises."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class BackendEngine(Closing):
    """What all engines share: the checks, and the order of the calls.

    A backend adds `_start`, `_finish` and `_free`. They may raise RuntimeError; each is called
    only in turn: `_finish` once after each `_start` that returned, `_free` once, at the end. What
    `_free` raises is not told: it frees what can be freed.
    """

    backend: str
    reason = ""
    card = ""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self._closed = False
        self._busy = False

    @abstractmethod
    def _start(self, inputs: dict[str, Float32]) -> None:
        """Start on C-contiguous arrays of the right names and shapes, and keep them alive."""

    @abstractmethod
    def _finish(self) -> dict[str, Float32]:
        """Wait for the batch that was started; arrays of its own for the caller."""

    @abstractmethod
    def _free(self) -> None:
        """Let go of everything; nothing is under way."""

    def infer(self, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
        """See Engine.infer."""
        self.submit(inputs)
        return self.wait()

    def submit(self, inputs: Mapping[str, Float32]) -> None:
        """See Engine.submit."""
        self._check_open()
        if self._busy:
            raise EngineError(
                f"The '{self.spec.name}' network is still at work on the batch before; "
                "call wait() first."
            )
        ready = checked(inputs, self.spec)
        try:
            self._start(ready)
        except RuntimeError as error:
            raise self._failed(error) from error
        self._busy = True

    def wait(self) -> dict[str, Float32]:
        """See Engine.wait."""
        return self._ended(self._finish)

    def wait_there(self, name: str) -> dict[str, Any]:
        """See Engine.wait_there."""
        return self._ended(lambda: self._finish_there(name))

    def _finish_there(self, name: str) -> dict[str, Any]:
        """As `_finish`; a backend whose outputs can stay on its card leaves `name` there."""
        return self._finish()

    def _ended(self, finish: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self._check_open()
        if not self._busy:
            raise EngineError(
                f"The '{self.spec.name}' network has nothing under way; call submit() first."
            )
        self._busy = False
        try:
            return finish()
        except RuntimeError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """See Engine.close."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._busy:
                self._finish()
        except (RuntimeError, EngineError) as error:
            self._note(error)  # of a batch that nobody waits for; what matters is that it ended
        finally:
            self._busy = False
            try:
                self._free()
            except (RuntimeError, EngineError) as error:
                self._note(error)  # of a card that is gone: it changes nothing any more

    def _note(self, error: Exception) -> None:
        """For whoever looks for the cause of something else."""
        _log.debug("The '%s' network on %s, as it was closed: %s", self.spec.name, self.backend,
                   error)  # fmt: skip

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError(f"The '{self.spec.name}' network was closed; load it again.")

    def _failed(self, error: RuntimeError) -> EngineError:
        return EngineError(
            f"{self.backend} failed to run the '{self.spec.name}' network: {first_line(error)} "
            "Try another --backend, or see `realtime-unmask doctor`."
        )


@dataclass(frozen=True, slots=True)
class NetworkFiles:
    """What a backend may load a network from.

    Attributes:
        onnx: the content of the ONNX file, checked against its digest.
        entry: what the manifest says of the network.
        folder: where the manifest and the files are.
    """

    onnx: bytes
    entry: NetworkEntry
    folder: Path

    @classmethod
    def read(cls, network: Network, folder: Path | None = None) -> NetworkFiles:
        """Read and check a network's ONNX file; `folder` is None for those that were shipped.

        Raises:
            AssetError: this installation has no engines/.
            EngineDamaged: the manifest or the network is missing, altered, or of another kind.
        """
        folder = resources.folder("engines") if folder is None else folder
        entry = Manifest.load(folder).entry(network)
        return cls(read_network(folder, entry), entry, folder)

    def in_8_bits(self) -> NetworkFiles | None:
        """The files of the same network in 8 bits; None where there is none.

        Raises:
            EngineDamaged: it is missing, altered, or refers to other files.
        """
        if not self.entry.int8:
            return None
        entry = replace(
            self.entry, file=self.entry.int8, sha256=self.entry.int8_sha256, int8="", int8_sha256=""
        )
        return NetworkFiles(read_network(self.folder, entry), entry, self.folder)

    def weights(self) -> bytes:
        """The content of the safetensors file, checked. Raises EngineDamaged."""
        return read_weights(self.folder, self.entry)


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """Whether a backend can be used on this machine.

    Attributes:
        name: one of PREFERENCE.
        available: whether it loads and has a device.
        reason: the device and precision it runs on, or why it cannot be used.
        version: its package's, empty where it is not installed.
    """

    name: str
    available: bool
    reason: str
    version: str


class Backend(Protocol):
    """What each backend's module offers."""

    @staticmethod
    def probe() -> str:
        """What it runs on here, in words. Raises EngineUnavailable."""
        ...

    @staticmethod
    def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> BackendEngine:
        """An engine for a network whose ONNX file was checked.

        Raises:
            EngineUnavailable: this backend cannot serve here, or not with these settings.
            EngineDamaged: the file's inputs and outputs are not those of `spec`, or another file
                of the network is missing or altered.
        """
        ...


def load_engine(network: Network, settings: Settings, folder: Path | None = None) -> Engine:
    """Load a network on the backend that the settings name, or let "auto" or "cpu" choose.

    Args:
        network: "map" or "editor".
        settings: backend, threads and precision are used.
        folder: where manifest.json and the ONNX files are; None for those that were shipped.

    Raises:
        AssetError: this installation has no engines/.
        EngineDamaged: the manifest or the network is missing, altered, or of another kind.
        EngineUnavailable: the backend does not work here; with "auto" or "cpu", none does.
    """
    files = NetworkFiles.read(network, folder)
    entry = files.entry
    spec = EngineSpec(
        network, entry.inputs, entry.outputs, prior_supported=entry.prior_supported
    )
    if settings.backend not in ("auto", "cpu"):
        try:
            engine = backend(settings.backend).load(spec, files, settings)
        except EngineUnavailable as error:
            raise EngineUnavailable(
                f"The backend '{settings.backend}' cannot be used: {error} Choose another one, "
                "or auto."
            ) from error
        engine.reason = "it was asked for"
        return engine
    from realtime_unmask.inference.choice import choose, first_on_cpu

    return (choose if settings.backend == "auto" else first_on_cpu)(spec, files, settings)


def probe_backends() -> list[BackendStatus]:
    """Each backend in the order of preference, with what it runs on or why it cannot."""
    statuses = []
    for name in PREFERENCE:
        try:
            reason, available = backend(name).probe(), True
        except EngineUnavailable as error:
            reason, available = str(error), False
        statuses.append(BackendStatus(name, available, reason, version(name)))
    return statuses


def version(name: str) -> str:
    """That of a backend's package; empty where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def first_line(error: BaseException) -> str:
    """The part of a backend's message that a person can use, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0].rstrip(".:") if lines else type(error).__name__) + "."


def backend(name: str) -> Backend:
    """The module of a backend; importing it imports none of its packages."""
    return cast(Backend, import_module(f"realtime_unmask.inference.{name}"))
