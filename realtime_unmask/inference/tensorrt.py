"""TensorRT on an NVIDIA card, fp16; for the package tensorrt and, the same, for tensorrt_rtx.

A plan is built once for a card and kept by plans.py. With "auto" only a plan that is there already
is used: building takes seconds to minutes, and the program starts at once (standby.py builds it
meanwhile).
"""

from __future__ import annotations

import traceback
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np

from realtime_unmask.errors import (
    EngineDamaged,
    EngineLost,
    EngineNotBuilt,
    EngineUnavailable,
)
from realtime_unmask.inference import cuda
from realtime_unmask.inference.cuda_memory import CudaMemory, Launch, memory_package, open_memory
from realtime_unmask.inference.engine import BackendEngine, NetworkFiles
from realtime_unmask.inference.plans import Key, PlanCache
from realtime_unmask.inference.spec import EngineSpec, check_signature
from realtime_unmask.inference.tensorrt_build import (
    MAX_BATCH,
    TENSORRT,
    Flavour,
    build_plan,
    logger,
    precision,
)
from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32


class PlanRefused(EngineUnavailable):
    """TensorRT does not take a plan, though it is as it was stored; another build may serve."""


class TensorRtEngine(BackendEngine):
    """One plan, one stream, and buffers that are made once.

    Args:
        spec: with the precision of the plan.
        flavour: whose plan it is.
        plan: checked by whoever read it.
        memory: is closed with the engine.
        kernels: where TensorRT-RTX keeps what it compiled for this card; None for no place.
    """

    def __init__(
        self,
        spec: EngineSpec,
        flavour: Flavour,
        plan: bytes,
        memory: CudaMemory,
        kernels: _Kernels | None = None,
    ) -> None:
        super().__init__(spec)
        self.backend = flavour.name
        self._memory = memory
        module = flavour.module()
        self._log = logger(module)
        self._engine: Any = None
        self._config: Any = None
        self._kernels: _Kernels | None = None
        self._arrays: dict[str, Float32] = {}
        self._addresses: dict[str, int] = {}
        # Launches by batch size. A recorded graph holds its context's shapes: one context each.
        self._launches: dict[int, Launch] = {}
        self._contexts: dict[int, Any] = {}
        self._before: list[dict[str, Float32]] = []
        self._batch = 0
        with ExitStack() as undo:
            undo.callback(self._let_go)
            undo.push(_clear_frames)
            self._open(module, flavour.label, plan, kernels)
            undo.pop_all()

    def _open(self, module: Any, label: str, plan: bytes, kernels: _Kernels | None) -> None:
        """Make all that does not depend on the size of a batch."""
        self._log.lines.clear()
        self._engine = module.Runtime(self._log).deserialize_cuda_engine(plan)
        if self._engine is None:
            if "outofmemory" in "".join(self._log.lines).replace(" ", "").lower():
                raise EngineLost(self._lost())  # the plan is sound
            raise PlanRefused(
                f"{label} refuses the plan of the '{self.spec.name}' network: {self._log.cause()}"
            )
        self._check(module)
        if kernels is not None:
            self._config = _runtime_config(module, self._engine)
            self._kernels = kernels
            kernels.attach(self._config)
        for name, shape in {**self.spec.inputs, **self.spec.outputs}.items():
            sizes = tuple(n or MAX_BATCH for n in shape)
            self._arrays[name] = self._memory.pinned(sizes)
            self._addresses[name] = self._memory.device(self._arrays[name].nbytes)

    def _check(self, module: Any) -> None:
        """The plan's tensors are those of the network. Raises EngineDamaged."""
        names = [self._engine.get_tensor_name(n) for n in range(self._engine.num_io_tensors)]
        for side, mode in (("inputs", "INPUT"), ("outputs", "OUTPUT")):
            wanted = getattr(module.TensorIOMode, mode)
            ours = [name for name in names if self._engine.get_tensor_mode(name) == wanted]
            shapes = {name: tuple(self._engine.get_tensor_shape(name)) for name in ours}
            found = {name: tuple(None if n == -1 else n for n in s) for name, s in shapes.items()}
            check_signature(self.spec, side, found)
            if any(self._engine.get_tensor_dtype(name) != module.float32 for name in ours):
                raise EngineDamaged(
                    f"The {side} of the '{self.spec.name}' network are not all float32."
                )

    def _start(self, inputs: dict[str, Float32]) -> None:
        count = next(iter(inputs.values())).shape[0]
        self._before = []
        with ExitStack() as undo:
            undo.push(_clear_frames)
            for begin in range(0, count, MAX_BATCH):
                if begin:  # the buffers hold MAX_BATCH: the result so far is taken out
                    self._before.append(self._take())
                self._launch({n: v[begin : begin + MAX_BATCH] for n, v in inputs.items()})

    def _launch(self, inputs: dict[str, Float32]) -> None:
        self._batch = next(iter(inputs.values())).shape[0]
        for name, values in inputs.items():
            part = self._arrays[name][: self._batch]
            np.copyto(part, values)
            self._memory.upload(self._addresses[name], part)
        launch = self._launches.get(self._batch) or self._prepare(self._batch)
        launch()
        for name in self.spec.outputs:
            self._memory.download(self._arrays[name][: self._batch], self._addresses[name])

    def _take(self) -> dict[str, Float32]:
        self._memory.wait()
        return {name: self._arrays[name][: self._batch].copy() for name in self.spec.outputs}

    def _finish(self) -> dict[str, Float32]:
        parts = [*self._before, self._take()]
        self._before = []
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _free(self) -> None:
        try:
            self._memory.wait()  # a batch that was interrupted may still use all of it
            if self._kernels is not None:
                self._kernels.keep()
        except (EngineLost, RuntimeError) as error:  # of a card that is gone
            self._note(error)
        finally:
            self._let_go()
            self._memory.close()

    def _let_go(self) -> None:
        """In the reverse order of making: contexts hold the engine, and all memory on the card."""
        self._launches.clear()
        self._contexts.clear()
        if self._kernels is not None:
            self._kernels.runtime_cache = None
        self._kernels = self._config = self._engine = None
        self._arrays.clear()

    def _prepare(self, batch: int) -> Launch:
        """A context for batches of that size, and what starts it."""
        self._log.lines.clear()
        # Kept by the engine alone: what a function holds, or one made in it, an error would keep.
        self._contexts[batch] = (
            self._engine.create_execution_context()
            if self._config is None
            else self._engine.create_execution_context(self._config)
        )
        if self._contexts[batch] is None:
            raise EngineLost(self._lost())
        for name, address in self._addresses.items():
            self._contexts[batch].set_tensor_address(name, address)
        for name in self.spec.inputs:
            self._contexts[batch].set_input_shape(name, self._arrays[name][:batch].shape)

        def enqueue() -> None:
            self._log.lines.clear()
            if not self._contexts[batch].execute_async_v3(self._memory.stream):
                raise EngineLost(self._lost())

        launch: Launch | None = None
        if self._config is None:  # TensorRT-RTX records graphs by itself
            enqueue()  # the first run makes what no graph can record
            launch = self._memory.record(enqueue)
        self._launches[batch] = launch or enqueue
        return self._launches[batch]

    def _lost(self) -> str:
        return (
            f"{self.backend} failed to run the '{self.spec.name}' network: {self._log.cause()} "
            "The GPU is out of memory, or gone. Use --backend cpu, or see "
            "`realtime-unmask doctor`."
        )


@dataclass(slots=True)
class _Kernels:
    """What TensorRT-RTX compiles for the card when a plan runs, kept from start to start."""

    cache: PlanCache
    key: Key
    runtime_cache: Any = None
    loaded: bytes = b""

    def attach(self, config: Any) -> None:
        """Give what was kept to the engine."""
        self.runtime_cache = config.create_runtime_cache()
        self.loaded = self.cache.load(self.key) or b""
        if self.loaded:
            # Checked once more by TensorRT; refused, it only means compiling again.
            self.runtime_cache.deserialize(self.loaded)
        config.set_runtime_cache(self.runtime_cache)

    def keep(self) -> None:
        """Store what came anew."""
        made = self.runtime_cache.serialize()
        if made is not None and bytes(made) != self.loaded:
            self.cache.store(self.key, bytes(made))


def probe_flavour(flavour: Flavour) -> str:
    """The card and the precision. Raises EngineUnavailable."""
    card = cuda.card()
    flavour.module()
    if flavour.portable:
        flavour.capability(card.sm)
    memory_package()
    return f"{card.name} ({card.sm}), fp16"


def load_flavour(
    flavour: Flavour, spec: EngineSpec, files: NetworkFiles, settings: Settings
) -> TensorRtEngine:
    """See engine.Backend.load; "auto" takes a plan only if it is there already.

    One from the cache that TensorRT refuses counts as missing.
    """
    card = cuda.card()
    spec = replace(spec, precision=precision(settings))
    cache, may_build = PlanCache.default(), settings.backend != "auto"
    plan, is_new = stored_or_built(flavour, spec, files, card, cache, may_build=may_build)
    key = flavour.plan_key(spec, files, card)
    about = {**key.about, "gpu": card.name, "driver": card.driver}
    kernels = _Kernels(cache, Key(f"{flavour.name}-kernels", about)) if flavour.portable else None
    try:
        return _opened(flavour, spec, plan, kernels)
    except PlanRefused as error:
        if is_new:  # a third would be no better
            raise
        if not cache.drop(key, plan, str(error)):
            cache = PlanCache(None)
    plan, _ = stored_or_built(flavour, spec, files, card, cache, may_build=may_build)
    return _opened(flavour, spec, plan, kernels)


def _opened(
    flavour: Flavour, spec: EngineSpec, plan: bytes, kernels: _Kernels | None
) -> TensorRtEngine:
    """The engine of a plan, with memory of its own. Raises EngineUnavailable."""
    with ExitStack() as undo:
        memory = undo.enter_context(open_memory())
        try:
            engine = TensorRtEngine(spec, flavour, plan, memory, kernels)
        except EngineLost as error:
            raise EngineUnavailable(str(error)) from error
        # What the bindings make of something that could not be created.
        except (RuntimeError, TypeError, AttributeError) as error:
            raise EngineUnavailable(
                f"{flavour.label} cannot run the plan of the '{spec.name}' network: "
                f"{logger(flavour.module()).cause()} See `realtime-unmask doctor`."
            ) from error
        undo.pop_all()
    return engine


def stored_or_built(
    flavour: Flavour,
    spec: EngineSpec,
    files: NetworkFiles,
    card: cuda.Card | str,
    cache: PlanCache,
    *,
    may_build: bool = True,
) -> tuple[bytes, bool]:
    """The plan for a card, from the cache or built into it; and whether it was built just now.

    Raises:
        EngineNotBuilt: it is not there and may not be built.
        EngineUnavailable: it cannot be built.
    """
    key = flavour.plan_key(spec, files, card)
    sm = card if isinstance(card, str) else card.sm if flavour.portable else ""

    built = False

    def build() -> bytes:
        nonlocal built
        built = True
        return build_plan(flavour, spec, files, sm)

    plan = cache.fetch(key, build) if may_build else cache.load(key)
    if built:  # only now: whatever was chosen until the plan was stored was chosen without it
        cache.forget("choice")
    if plan is None:
        how = "with: realtime-unmask engines build."
        if spec.precision != "fp16":  # which is all that this command builds
            how = (
                "by asking for this backend by name once: "
                f"Settings(backend='{flavour.name}', precision='{spec.precision}')."
            )
        raise EngineNotBuilt(
            f"The {spec.precision} plan of the '{spec.name}' network for this card is not built "
            f"yet. Build it {how}"
        )
    return plan, built


def _clear_frames(_: object, __: object, trace: TracebackType | None) -> None:
    """An error that is handed on keeps its lines, and nothing of TensorRT's alive.

    Its traceback has the frames of all functions that it came through. Their variables would hold
    the engine and its contexts until the error is gone, which is after the memory that those use.
    """
    traceback.clear_frames(trace)


def _runtime_config(module: Any, engine: Any) -> Any:
    """TensorRT-RTX's settings of a run: graphs, and when kernels are compiled."""
    config = engine.create_runtime_config()
    config.cuda_graph_strategy = module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    # By default kernels for a batch size are compiled beside the frames, and the pixels change in
    # the middle of a sequence; so they are compiled before the first batch of that size.
    eager = module.DynamicShapesKernelSpecializationStrategy.EAGER
    config.dynamic_shapes_kernel_specialization_strategy = eager
    return config


def probe() -> str:
    """See probe_flavour."""
    return probe_flavour(TENSORRT)


def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> TensorRtEngine:
    """See load_flavour."""
    return load_flavour(TENSORRT, spec, files, settings)
