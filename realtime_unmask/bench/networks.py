"""The networks alone, ours and the seeds', turn by turn, so that a busy machine is fair to both."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np

from realtime_unmask.bench import seeds
from realtime_unmask.errors import EngineUnavailable, UsageError
from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.inference.onnx_file import uses_external_data
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

Run = Callable[[], object]
BACKENDS = ("openvino", "onnxruntime")
ROUNDS = 12
_OURS_A_ROUND = 3
_OPEN = "it leaves more sizes of its input open than the batch's"


@dataclass(frozen=True, slots=True)
class Reference:
    """The pair of networks, one crop of each, medians.

    Attributes:
        ours_ms: map and editor at 256 px, through Engine.infer.
        precision: theirs.
        seeds_fp32_ms: the seeds' pair at 128 px in fp32.
        seeds_same_ms: the seeds' pair in our precision; None for int8, which is compared with
            fp32 only.
        against_fp32, against_same: how many times faster ours are.
        seeds_gmac: multiply-adds of the seeds' two networks, 1e9.
        others_ms: networks named by --against, by file name, in our precision.
    """

    ours_ms: float
    precision: str
    seeds_fp32_ms: float
    seeds_same_ms: float | None
    against_fp32: float
    against_same: float | None
    seeds_gmac: dict[str, float]
    others_ms: dict[str, float]


def compare(
    map_engine: Engine,
    editor_engine: Engine,
    threads: int,
    others: Sequence[Path],
    rounds: int = ROUNDS,
) -> Reference | None:
    """Time the pairs; None on a backend that runs no foreign ONNX files.

    Raises:
        UsageError: one of `others` cannot be run.
    """
    backend, precision = editor_engine.backend, editor_engine.spec.precision
    if backend not in BACKENDS:
        return None
    pair = [seeds.build(name) for name in seeds.GMAC]
    ours = [_ours(map_engine), _ours(editor_engine)]
    runs = {
        kind: _all([_ready(seed.onnx, backend, kind, threads) for seed in pair])
        for kind in sorted({"fp32", precision} - {"int8"})
    }
    for path in others:
        runs[path.name] = other(path, backend, precision, threads)
    spent = _turn_by_turn(_all(ours), runs, rounds)
    same = spent.get(precision)
    return Reference(
        round(spent["ours"], 3),
        precision,
        round(spent["fp32"], 3),
        round(same, 3) if same else None,
        round(spent["fp32"] / spent["ours"], 2),
        round(same / spent["ours"], 2) if same else None,
        {seed.name: round(seed.macs / 1e9, 3) for seed in pair},
        {path.name: round(spent[path.name], 3) for path in others},
    )


def _turn_by_turn(ours: Run, others: Mapping[str, Run], rounds: int) -> dict[str, float]:
    """Median milliseconds of each."""
    spent: dict[str, list[float]] = {"ours": [], **{name: [] for name in others}}
    runs = {"ours": ours, **others}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            for _ in range(_OURS_A_ROUND if name == "ours" else 1):
                began = time.perf_counter()
                run()
                if turn:  # the first one warms up
                    spent[name].append((time.perf_counter() - began) * 1e3)
    return {name: median(values) for name, values in spent.items()}


def _all(runs: Sequence[Run]) -> Run:
    def run() -> None:
        for one in runs:
            one()

    return run


def _ours(engine: Engine) -> Run:
    rng = np.random.default_rng(2)
    inputs = {
        name: rng.random([1 if size is None else size for size in shape], np.float32)
        for name, shape in engine.spec.inputs.items()
    }
    return lambda: engine.infer(inputs)


def try_out(others: Sequence[Path], settings: Settings) -> None:
    """Run each of `others` once, in a process of its own: what it loads is not the program's.

    Raises:
        UsageError: one of them cannot be run.
        EngineError: no backend can run this program's networks.
    """
    for path in others:
        _read(path)
    # Ctrl-C is the parent's matter.
    process = ProcessPoolExecutor(
        1, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    )
    with process:
        for path in others:
            try:
                process.submit(_run_once, path, settings).result()
            except BrokenProcessPool as error:
                raise UsageError(f"{path} crashes what runs it. Try another --backend.") from error


def _run_once(path: Path, settings: Settings) -> None:
    with load_engine("editor", settings) as engine:
        backend, precision = engine.backend, engine.spec.precision
    if backend not in BACKENDS:
        return
    run = other(path, backend, precision, settings.threads)
    try:
        run()
    except Exception as error:  # noqa: BLE001  the process ends here; backends have their own
        raise UsageError(f"{backend} cannot run {path}: {_refusal(error)}.") from None


def other(path: Path, backend: str, precision: str, threads: int) -> Run:
    """A call that runs the ONNX file `path` on one crop of its own size.

    Raises:
        UsageError: it cannot be read or run.
    """
    onnx = _read(path)
    try:
        return _ready(onnx, backend, precision, threads)
    except (RuntimeError, ValueError, TypeError, EngineUnavailable) as error:
        raise UsageError(f"{backend} cannot run {path}: {_refusal(error)}.") from error


def _read(path: Path) -> bytes:
    """The content of an ONNX file. Raises UsageError where it is none, or not all of one."""
    try:
        onnx = path.read_bytes()
        outside = uses_external_data(onnx)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Check its name.") from error
    except ValueError as error:
        raise UsageError(
            f"{path} is no ONNX network, or is damaged. Export it again, as one .onnx file."
        ) from error
    if outside:
        raise UsageError(f"{path} keeps weights in other files. Export it as one .onnx file.")
    return onnx


def _refusal(error: Exception) -> str:
    """The line of a backend's message that is for people.

    OpenVINO's begin with places in its C++, and list what is the matter behind dashes.
    """
    lines = [line.strip() for line in str(error).splitlines() if "pp:" not in line]
    listed = [line for line in lines if line.startswith("--")]
    found = next(filter(None, listed + lines), type(error).__name__)
    return found.strip("-:. ")


def _ready(onnx: bytes, backend: str, precision: str, threads: int) -> Run:
    """A network compiled as the program compiles its own, with a batch of one to run on."""
    rng = np.random.default_rng(2)
    inputs: dict[str, Float32] = {}
    if backend == "openvino":
        from realtime_unmask.inference.openvino import configuration, open_core

        core = open_core()
        network = core.read_model(onnx, b"")
        network.reshape({port.get_any_name(): [1, *_sides(port)] for port in network.inputs})
        compiled = core.compile_model(network, "CPU", configuration(precision, threads))
        request = compiled.create_infer_request()
        for port in compiled.inputs:
            inputs[port.get_any_name()] = rng.random(list(port.shape), np.float32)
        return lambda: request.infer(inputs, share_inputs=True)
    from realtime_unmask.inference.onnxruntime import open_session

    session = open_session("reference", onnx, threads)
    for port in session.get_inputs():
        if not all(isinstance(size, int) for size in port.shape[1:]):
            raise ValueError(_OPEN)
        inputs[port.name] = rng.random([1, *port.shape[1:]], np.float32)
    return lambda: session.run(None, inputs)


def _sides(port: object) -> list[int]:
    """All sizes of an input but its batch's. Raises ValueError where one is open."""
    shape = list(port.partial_shape)[1:]  # type: ignore[attr-defined]
    if any(size.is_dynamic for size in shape):
        raise ValueError(_OPEN)
    return [size.get_length() for size in shape]
