"""ONNX Runtime on the CPU: the second choice, fp32."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference.engine import BackendEngine, NetworkFiles, first_line
from realtime_unmask.inference.spec import EngineSpec, check_signature
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

_ERRORS_ONLY = 3


class OnnxRuntimeEngine(BackendEngine):
    """One session; with a single thread nothing runs behind the caller's back: `submit` works."""

    backend = "onnxruntime"

    def __init__(self, spec: EngineSpec, session: Any, threads: int) -> None:
        super().__init__(spec)
        self._session = session
        self._in_background = threads > 1
        self._done = threading.Event()
        self._done.set()
        self._values: list[Float32] = []
        self._error = ""

    def _start(self, inputs: dict[str, Float32]) -> None:
        names = list(self.spec.outputs)
        self._done.clear()
        self._error = ""
        try:
            if self._in_background:
                self._session.run_async(names, inputs, self._take, None)
            else:
                self._take(self._session.run(names, inputs), None, "")
        except _fault() as error:
            self._done.set()
            raise RuntimeError(str(error)) from error

    def _finish(self) -> dict[str, Float32]:
        self._done.wait()
        values, self._values = self._values, []
        if self._error:
            raise RuntimeError(self._error)
        return {
            name: np.asarray(value, np.float32)
            for name, value in zip(self.spec.outputs, values, strict=True)
        }

    def _free(self) -> None:
        # Also where Ctrl-C ended the wait for it: a session that goes while it runs ends the
        # process with a segmentation fault.
        self._done.wait()
        self._session = None

    def _take(self, values: list[Float32], _: None, error: str) -> None:
        self._values, self._error = values, error
        self._done.set()


def probe() -> str:
    """What it runs on. Raises EngineUnavailable."""
    package()
    return "CPU, fp32"


def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> OnnxRuntimeEngine:
    """See engine.Backend.load."""
    if settings.precision in ("bf16", "int8"):
        raise EngineUnavailable("ONNX Runtime computes in fp32 only; use precision fp32 or auto.")
    threads = settings.threads or _processors()
    session = open_session(spec.name, files.onnx, threads)
    _check(spec, session)
    return OnnxRuntimeEngine(spec, session, threads)


def open_session(name: str, onnx: bytes, threads: int) -> Any:
    """An InferenceSession on the CPU; 0 threads: all that this process may use.

    Raises:
        EngineUnavailable: the package cannot be imported, or refuses the network.
    """
    runtime = package()
    options = runtime.SessionOptions()
    threads = threads or _processors()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between batches would take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except _fault() as error:
        raise EngineUnavailable(
            f"ONNX Runtime refuses the '{name}' network: {first_line(error)}"
        ) from error


def package() -> Any:
    """The module `onnxruntime`, which tells nobody that it is used.

    Raises:
        EngineUnavailable: it cannot be imported.
    """
    # Its import alone makes a name for this machine, keeps that in the user's cache folder and
    # sends it away with the program's path and the system's name: the function below, which ends
    # what would follow, comes too late for it. Windows heeds the function only.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    # AttributeError: of a package that was removed by half, Python imports what is left.
    except (ImportError, OSError, AttributeError) as error:
        raise EngineUnavailable(
            f"The package onnxruntime cannot be imported: {first_line(error)} "
            "Install it with: pip install onnxruntime."
        ) from error
    return onnxruntime


def _fault() -> tuple[type[BaseException], ...]:
    """What ONNX Runtime raises. Its classes have no common base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = (k for k in vars(state).values() if isinstance(k, type) and issubclass(k, Exception))
    return (RuntimeError, *kinds)


def _processors() -> int:
    """Those that this process may use, which is fewer than the machine's in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check(spec: EngineSpec, session: Any) -> None:
    for side, ports in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        found = {
            port.name: tuple(size if isinstance(size, int) else None for size in port.shape)
            for port in ports
        }
        check_signature(spec, side, found)
        if any(port.type != "tensor(float)" for port in ports):
            raise EngineDamaged(f"The {side} of the '{spec.name}' network are not all float32.")
