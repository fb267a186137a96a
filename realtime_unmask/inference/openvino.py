"""OpenVINO on the CPU: the default.

In 8 bits where the network ships so, and the few layers that suffer from it, as all others, in
bf16 or fp32. Where a CPU computes in bf16 that takes from half to one and a half times as long as
fp32, so both are timed when a network is first loaded, and the choice is remembered.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from dataclasses import replace
from functools import cache
from importlib import metadata
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask.ctrl_c import ctrl_c_kept
from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference.engine import BackendEngine, NetworkFiles, first_line
from realtime_unmask.inference.plans import Key, PlanCache
from realtime_unmask.inference.spec import EngineSpec, check_signature
from realtime_unmask.inference.warm_up import blank
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

if TYPE_CHECKING:
    import openvino as ov

# Runs of a network in each of two precisions, turn by turn; the first of each warms up.
_TRIALS = 6
# bf16 has to be faster by this factor, or noise would choose; fp32 is the more exact one.
_CLEARLY = 0.9
_OPENING = threading.Lock()


class OpenVinoEngine(BackendEngine):
    """One compiled model with one infer request, reused for every crop.

    Compiled for a batch of one: with an open batch each layer checks its shapes anew, which takes
    a fifth longer, and on a CPU a batch of n takes as long as n crops in turn.
    """

    backend = "openvino"

    def __init__(self, spec: EngineSpec, compiled: ov.CompiledModel) -> None:
        super().__init__(spec)
        self._request: ov.InferRequest | None = compiled.create_infer_request()
        self._inputs: dict[str, Float32] = {}

    def _start(self, inputs: dict[str, Float32]) -> None:
        # Shared, not copied: the arrays stay referenced until the batch is done.
        self._inputs = inputs
        self._begin(0)

    def _begin(self, number: int) -> None:
        assert self._request is not None
        one = {name: values[number : number + 1] for name, values in self._inputs.items()}
        self._request.start_async(one, share_inputs=True)

    def _finish(self) -> dict[str, Float32]:
        assert self._request is not None
        count = len(next(iter(self._inputs.values())))
        made: dict[str, list[Float32]] = {name: [] for name in self.spec.outputs}
        try:
            for number in range(count):
                if number:
                    self._begin(number)
                self._request.wait()
                # Copied, because the request writes the next crop into the same buffers.
                for name, crops in made.items():
                    crops.append(np.array(self._request.get_tensor(name).data, np.float32))
            return {n: c[0] if count == 1 else np.concatenate(c) for n, c in made.items()}
        finally:
            self._inputs = {}

    def _free(self) -> None:
        self._request = None


def probe() -> str:
    """The CPU and the precision that "auto" uses on it. Raises EngineUnavailable."""
    core = open_core()
    name = core.get_property("CPU", "FULL_DEVICE_NAME")
    return f"CPU ({name}), {'bf16 or fp32, the faster one' if _has_bf16(core) else 'fp32'}"


def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> OpenVinoEngine:
    """See engine.Backend.load."""
    core = open_core()
    precision = _precision(core, settings.precision)
    reduced = files.in_8_bits() if settings.precision in ("auto", "int8") else None
    if reduced is not None:
        files = reduced
    elif settings.precision == "int8":
        raise EngineUnavailable(f"The '{spec.name}' network does not ship in 8 bits.")
    try:
        if precision:
            compiled = _compiled(core, spec, files, configuration(precision, settings.threads))
        else:
            precision, compiled = _faster(core, spec, files, settings.threads)
        told = "int8" if reduced is not None else precision
        return OpenVinoEngine(replace(spec, precision=told), compiled)
    except RuntimeError as error:
        raise EngineUnavailable(
            f"OpenVINO refuses the '{spec.name}' network: {first_line(error)}"
        ) from error


def configuration(precision: str, threads: int) -> dict[str, Any]:
    """What a network is compiled with; 0 threads leave the choice to OpenVINO."""
    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # "f32" is said as well: OpenVINO's own default on a CPU with bf16 is bf16.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        # A thread bound to a core waits for whatever else runs there: camera, window, encoder.
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    return config


def _compiled(
    core: ov.Core, spec: EngineSpec, files: NetworkFiles, config: dict[str, Any]
) -> ov.CompiledModel:
    """The network as it was left in the cache, in half the time, or compiled and left there."""
    key = _key("openvino", core, spec, files, json.dumps(config, sort_keys=True))
    cache = PlanCache.default()
    # OpenVINO's import looks into the current folder, and aborts where it may not be entered.
    stored = cache.load(key) if os.access(".", os.X_OK) else None
    if stored is not None:
        try:
            return core.import_model(stored, "CPU", config)
        except RuntimeError:
            pass  # another build of the same version: compiled and stored anew
    network = core.read_model(files.onnx, b"")
    _check(spec, network)
    network.reshape({name: [1, *shape[1:]] for name, shape in spec.inputs.items()})
    compiled = core.compile_model(network, "CPU", config)
    written = io.BytesIO()
    compiled.export_model(written)
    cache.store(key, written.getvalue())
    return compiled


def _faster(
    core: ov.Core, spec: EngineSpec, files: NetworkFiles, threads: int
) -> tuple[str, ov.CompiledModel]:
    """In bf16 or fp32, by a timed run of this network here, or what one said before."""

    def compiled(precision: str) -> ov.CompiledModel:
        return _compiled(core, spec, files, configuration(precision, threads))

    key = _key("openvino-precision", core, spec, files, f"{threads} threads")
    stored = PlanCache.default().load(key)
    if stored in (b"bf16", b"fp32"):
        return stored.decode(), compiled(stored.decode())
    models = {precision: compiled(precision) for precision in ("bf16", "fp32")}
    requests = {precision: model.create_infer_request() for precision, model in models.items()}
    inputs = blank(spec, 1)
    spent: dict[str, list[float]] = {precision: [] for precision in models}
    for _ in range(_TRIALS):
        for precision, request in requests.items():
            began = time.perf_counter()
            request.infer(inputs)
            spent[precision].append(time.perf_counter() - began)
    bf16, fp32 = (median(spent[precision][1:]) for precision in ("bf16", "fp32"))
    chosen = "bf16" if bf16 < _CLEARLY * fp32 else "fp32"
    PlanCache.default().store(key, chosen.encode())
    return chosen, models[chosen]


def _key(kind: str, core: ov.Core, spec: EngineSpec, files: NetworkFiles, config: str) -> Key:
    return Key(
        kind,
        {
            "network": spec.name,
            "onnx": files.entry.sha256,
            "openvino": metadata.version("openvino"),
            "device": core.get_property("CPU", "FULL_DEVICE_NAME"),
            "config": config,
        },
    )


def open_core() -> ov.Core:
    """OpenVINO, kept from asking any host for anything; one for the whole process.

    On processors with large registers each one gives its thread another stack for signals, and
    takes it back when it goes. Of two, the first to go leaves the stack of a dead one behind, and
    the next Ctrl-C would end the process with a segmentation fault.

    Raises:
        EngineUnavailable: it is not installed, or finds no CPU.
    """
    with _OPENING:  # a cache alone lets two threads that ask at once make one each
        return _core()


@cache
def _core() -> ov.Core:
    # The telemetry package asks a host for leave as soon as it is imported. With None in its
    # place OpenVINO takes its own silent stand-in.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        with ctrl_c_kept():  # its C++ would lose it
            import openvino as ov

        core = ov.Core()
        if "CPU" not in core.available_devices:
            raise EngineUnavailable("OpenVINO finds no CPU plugin. Install openvino again.")
        return core
    # AttributeError: of a package that was removed by half, Python imports what is left.
    except (ImportError, OSError, AttributeError) as error:
        raise EngineUnavailable(
            f"The package openvino cannot be imported: {first_line(error)} "
            "Install it with: pip install openvino."
        ) from error
    except RuntimeError as error:
        raise EngineUnavailable(f"OpenVINO does not start: {first_line(error)}") from error


def _has_bf16(core: ov.Core) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _precision(core: ov.Core, wanted: str) -> str:
    """Of what is not in 8 bits; "" if the faster one of bf16 and fp32 is to be found."""
    if wanted in ("auto", "int8"):
        return "" if _has_bf16(core) else "fp32"
    if wanted == "bf16" and not _has_bf16(core):
        raise EngineUnavailable("This CPU has no bf16 arithmetic; use precision fp32 or auto.")
    return wanted


def _check(spec: EngineSpec, network: ov.Model) -> None:
    for side, ports in (("inputs", network.inputs), ("outputs", network.outputs)):
        found = {
            port.get_any_name(): tuple(
                None if size.is_dynamic else size.get_length() for size in port.partial_shape
            )
            for port in ports
        }
        check_signature(spec, side, found)
        if any(port.element_type.to_string() != "f32" for port in ports):
            raise EngineDamaged(f"The {side} of the '{spec.name}' network are not all float32.")
