"""`--backend auto`: what serves best here, by a short timed run, with the reasons; and `cpu`.

Without a GPU that can be used the order decides, and nothing is timed: looking costs microseconds.
With one, each backend that loads runs the network a few times. The fastest is taken, an earlier
one in the order where the difference is small, and the choice is remembered, but not that of a CPU
because a GPU had no memory left or failed: it may be well next time. Should the GPU run out of
memory or vanish later on, the CPU takes over in the very batch that failed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any

from realtime_unmask.closing import Closing
from realtime_unmask.errors import (
    EngineDamaged,
    EngineError,
    EngineLost,
    EngineNotBuilt,
    EngineUnavailable,
)
from realtime_unmask.inference import cuda
from realtime_unmask.inference.cuda_memory import PACKAGES
from realtime_unmask.inference.engine import (
    ON_CPU,
    ON_GPU,
    PREFERENCE,
    BackendEngine,
    Engine,
    NetworkFiles,
    backend,
    version,
)
from realtime_unmask.inference.plans import Key, PlanCache
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.warm_up import blank
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32

KIND = "choice"
# A later backend in the order has to be this much faster to be taken.
CLEARLY = 0.8
_WARM_UP, _RUNS = 3, 7

_log = logging.getLogger(__name__)


def choose(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> Engine:
    """Load a network on the backend that serves best here; its `reason` says why that one.

    Raises:
        EngineUnavailable: none works.
        EngineDamaged: the network's files are altered.
    """
    passed_over: dict[str, str] = {}
    gpu = [name for name in ON_GPU if _works(name, passed_over)]
    if not gpu:
        return _without_gpu(spec, files, settings, passed_over)
    chosen = _remembered(spec, files, settings) or _timed(gpu, spec, files, settings, passed_over)
    if chosen.backend in ON_CPU:
        return chosen
    return GuardedEngine(chosen, spec, files, settings)


def first_on_cpu(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> BackendEngine:
    """Load a network on the first backend that works on the CPU; its `reason` says why that one.

    Raises:
        EngineUnavailable: none works.
        EngineDamaged: the network's files are altered.
    """
    passed_over: dict[str, str] = {}
    for name in ON_CPU:
        engine = _loaded(name, spec, files, settings, passed_over)
        if engine is not None:
            reasons = [f"{other}: {reason}" for other, reason in passed_over.items()]
            engine.reason = "; ".join(reasons) or "the first choice on a CPU"
            return engine
    reasons = [f"{name}: {reason}" for name, reason in passed_over.items()]
    raise EngineUnavailable(
        f"No backend can run the '{spec.name}' network here. {' '.join(reasons)}"
    )


class GuardedEngine(Closing):
    """An engine on a GPU; when that is lost, one on the CPU does the batch again and goes on.

    Attributes:
        spec, backend, reason: see Engine; they are those of the engine at work.
    """

    def __init__(
        self, engine: BackendEngine, spec: EngineSpec, files: NetworkFiles, settings: Settings
    ) -> None:
        self._engine = engine
        self._otherwise = (spec, files, settings)
        self._inputs: Mapping[str, Float32] = {}
        self.spec, self.backend, self.reason = engine.spec, engine.backend, engine.reason

    def infer(self, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
        """See Engine.infer."""
        self.submit(inputs)
        return self.wait()

    def submit(self, inputs: Mapping[str, Float32]) -> None:
        """See Engine.submit."""
        try:
            self._engine.submit(inputs)
        except EngineLost as error:
            self._fall_back(error)
            self._engine.submit(inputs)
        self._inputs = inputs

    def wait(self) -> dict[str, Float32]:
        """See Engine.wait."""
        try:
            return self._engine.wait()
        except EngineLost as error:
            self._fall_back(error)
            return self._engine.infer(self._inputs)
        finally:
            self._inputs = {}

    def wait_there(self, name: str) -> dict[str, Any]:
        """See Engine.wait_there."""
        try:
            return self._engine.wait_there(name)
        except EngineLost as error:
            self._fall_back(error)
            return self._engine.infer(self._inputs)
        finally:
            self._inputs = {}

    @property
    def card(self) -> str:
        """See Engine."""
        return self._engine.card

    def close(self) -> None:
        """See Engine.close."""
        self._engine.close()

    def _fall_back(self, error: EngineLost) -> None:
        if self._engine.backend in ON_CPU:
            raise error
        self._engine.close()
        self._engine = first_on_cpu(*self._otherwise)
        self.spec, self.backend = self._engine.spec, self._engine.backend
        self.reason = f"{error} The CPU goes on with {self.backend}."
        _log.warning("%s", self.reason)


def _works(name: str, passed_over: dict[str, str]) -> bool:
    try:
        backend(name).probe()
    except EngineUnavailable as error:
        passed_over[name] = str(error)
        return False
    return True


def _without_gpu(
    spec: EngineSpec, files: NetworkFiles, settings: Settings, passed_over: Mapping[str, str]
) -> BackendEngine:
    """As `first_on_cpu`, where no GPU can be used, with the reasons for that too."""
    engine = first_on_cpu(spec, files, settings)
    engine.reason = "; ".join([engine.reason, *_no_gpu(passed_over)])
    return engine


def _loaded(
    name: str,
    spec: EngineSpec,
    files: NetworkFiles,
    settings: Settings,
    passed_over: dict[str, str],
) -> BackendEngine | None:
    try:
        return backend(name).load(spec, files, settings)
    except EngineUnavailable as error:
        passed_over[name] = str(error)
        return None


def _remembered(
    spec: EngineSpec, files: NetworkFiles, settings: Settings
) -> BackendEngine | None:
    """What the last timed run on this machine chose; None where there was none, or it fails."""
    stored = PlanCache.default().load(_key(spec, files, settings))
    if stored is None:
        return None
    chosen = json.loads(stored)
    engine = _loaded(chosen["backend"], spec, files, settings, {})
    if engine is not None:
        engine.reason = f"{chosen['reason']} (remembered)"
    return engine


def _timed(
    gpu: list[str],
    spec: EngineSpec,
    files: NetworkFiles,
    settings: Settings,
    passed_over: dict[str, str],
) -> BackendEngine:
    """Load and time each, keep the best. Raises EngineUnavailable."""
    best: BackendEngine | None = None
    times: dict[str, float] = {}
    may_pass = False  # what kept a GPU from being tried: it may be well at the next start
    unbuilt: list[str] = []
    cpu = next((name for name in ON_CPU if _works(name, passed_over)), None)
    with ExitStack() as kept:
        for name in [*gpu, *([cpu] if cpu else [])]:
            try:
                engine, times[name] = _tried(name, spec, files, settings)
            except EngineDamaged:
                raise
            except EngineError as error:
                passed_over[name] = str(error)
                # A plan that is missing is waited for: who builds it makes this choice forgotten.
                if isinstance(error, EngineNotBuilt):
                    unbuilt.append(name)
                else:
                    may_pass |= name in gpu
                continue
            if best is None or times[name] < CLEARLY * times[best.backend]:
                kept.close()
                best = kept.enter_context(engine)
            else:
                engine.close()
        kept.pop_all()
    if best is None:
        return _without_gpu(spec, files, settings, passed_over)
    listed = ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items())
    others = [f"{n}: {passed_over[n]}" for n in PREFERENCE if n in passed_over]
    best.reason = "; ".join([f"the best of a timed run: {listed}", *others])
    if best.backend in ON_GPU or not may_pass:
        chosen = {"backend": best.backend, "reason": best.reason}
        cache = PlanCache.default()
        cache.store(_key(spec, files, settings), json.dumps(chosen).encode())
        # Who built it during the timed run had nothing to make forgotten yet.
        if any(is_built(name, spec, files, settings) for name in unbuilt):
            cache.forget(KIND)
    return best


def is_built(name: str, spec: EngineSpec, files: NetworkFiles, settings: Settings) -> bool:
    """Whether a backend has what it needs a plan for; settings with "auto", or it is built now."""
    try:
        backend(name).load(spec, files, settings).close()
    except EngineNotBuilt:
        return False
    except EngineError:
        pass
    return True


def _tried(
    name: str, spec: EngineSpec, files: NetworkFiles, settings: Settings
) -> tuple[BackendEngine, float]:
    """One backend's engine, and the time of a run, ms. Raises EngineError."""
    with ExitStack() as undo:
        engine = undo.enter_context(backend(name).load(spec, files, settings))
        spent_ms = _time_ms(engine)
        undo.pop_all()
    return engine, spent_ms


def _time_ms(engine: BackendEngine) -> float:
    """The median time of one crop, ms. Raises EngineError."""
    inputs = blank(engine.spec, 1)
    spent = []
    for _ in range(_WARM_UP + _RUNS):
        began = time.perf_counter()
        engine.infer(inputs)
        spent.append((time.perf_counter() - began) * 1e3)
    return median(spent[_WARM_UP:])


def _key(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> Key:
    card = cuda.card_or_none()
    about = {
        "network": spec.name,
        "onnx": files.entry.sha256,
        "precision": settings.precision,
        "threads": str(settings.threads),
        "gpu": card.name if card else "",
        "driver": card.driver if card else "",
        "packages": ", ".join(f"{name} {version(name)}" for name in (*PREFERENCE, *PACKAGES)),
    }
    return Key(KIND, about)


def _no_gpu(passed_over: Mapping[str, str]) -> list[str]:
    """Why no GPU is used: each reason once, with the backends that gave it."""
    by_reason: dict[str, list[str]] = {}
    for name in ON_GPU:
        by_reason.setdefault(passed_over[name], []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
