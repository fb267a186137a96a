"""ONNX -> a TensorRT plan: strongly typed, for batches of 1 to MAX_BATCH, for one kind of card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference import cuda
from realtime_unmask.inference.engine import NetworkFiles, first_line
from realtime_unmask.inference.onnx_half import to_half
from realtime_unmask.inference.plans import Key
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.missing import install_extra
from realtime_unmask.settings import Settings

MAX_BATCH = 4
_WORKSPACE = 256 * 2**20
_LINES = 8
_MAKING = Lock()


@dataclass(frozen=True, slots=True)
class Flavour:
    """One of the two packages with TensorRT's interface.

    Attributes:
        name: of the backend and of the package.
        label: for people.
        extra: what installs it.
        portable: its plans serve every card of a compute capability, and can be built without
            one; what depends on card and driver is compiled when they run.
    """

    name: str
    label: str
    extra: str
    portable: bool

    def module(self) -> Any:
        """The package. Raises EngineUnavailable."""
        try:
            return import_module(self.name)
        except (ImportError, OSError) as error:  # OSError: one of its libraries is missing
            raise EngineUnavailable(
                f"The package {self.name} cannot be imported: {first_line(error)} "
                f"Install it with: {install_extra(self.extra)}."
            ) from error

    def capability(self, sm: str) -> Any:
        """What the package calls a compute capability, "sm_86" for instance.

        Raises:
            EngineUnavailable: it has no plans for such cards.
        """
        module = self.module()
        if not self.portable:
            raise EngineUnavailable(
                f"{self.label} builds for the card in the machine only; {RTX.label} builds for "
                "others."
            )
        known = module.ComputeCapability.__members__
        name = sm.replace("_", "").upper()
        if name not in known or not name.startswith("SM"):
            cards = ", ".join(f"sm_{n[2:]}" for n in known if n.startswith("SM"))
            raise EngineUnavailable(
                f"{self.label} {module.__version__} does not build for {sm}; it knows {cards}. "
                "Other cards are served by the backends tensorrt and torch."
            )
        return known[name]

    def plan_key(self, spec: EngineSpec, files: NetworkFiles, card: cuda.Card | str) -> Key:
        """What the plan depends on.

        Args:
            card: the card here, or "sm_86" for instance for a portable plan.
        """
        about = {
            "network": spec.name,
            "onnx": files.entry.sha256,
            self.name: str(self.module().__version__),
            "precision": spec.precision,
            "tf32": "off",
            "batches": f"1-{MAX_BATCH}",
            "card": card if isinstance(card, str) else card.sm,
        }
        if not self.portable and isinstance(card, cuda.Card):
            about |= {"gpu": card.name, "driver": card.driver}
        return Key(self.name, about)


TENSORRT = Flavour("tensorrt", "TensorRT", "gpu", portable=False)
RTX = Flavour("tensorrt_rtx", "TensorRT-RTX", "gpu-rtx", portable=True)


def precision(settings: Settings) -> str:
    """That of the arithmetic. Raises EngineUnavailable."""
    if settings.precision in ("bf16", "int8"):
        raise EngineUnavailable("TensorRT computes in fp16 or fp32 here; use precision auto.")
    return "fp16" if settings.precision == "auto" else settings.precision


def build_plan(flavour: Flavour, spec: EngineSpec, files: NetworkFiles, sm: str = "") -> bytes:
    """Compile a network; takes seconds to minutes.

    Args:
        spec: with the precision to build for.
        sm: "sm_86" for instance, for cards that need not be here; empty for the one that is.

    Raises:
        EngineUnavailable: the package is missing, or cannot build for that card.
        EngineDamaged: the network cannot be converted.
    """
    module = flavour.module()
    log = logger(module)
    log.lines.clear()
    try:
        builder = module.Builder(log)
        network = builder.create_network(_strongly_typed(module))
        parser = module.OnnxParser(network, log)
        if not parser.parse(_model(spec, files)):
            reasons = [parser.get_error(n).desc() for n in range(parser.num_errors)]
            raise RuntimeError("; ".join(reasons) or log.cause())
        config = builder.create_builder_config()
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, _WORKSPACE)
        config.clear_flag(module.BuilderFlag.TF32)  # on by default, and fp32 means fp32
        profile = builder.create_optimization_profile()
        for number in range(network.num_inputs):
            port = network.get_input(number)
            rest = tuple(port.shape)[1:]
            profile.set_shape(port.name, (1, *rest), (1, *rest), (MAX_BATCH, *rest))
        config.add_optimization_profile(profile)
        if sm:
            config.num_compute_capabilities = 1
            config.set_compute_capability(flavour.capability(sm), 0)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise RuntimeError(log.cause())
        return bytes(plan)
    # TypeError: what the bindings make of a builder that could not be created.
    except (RuntimeError, TypeError) as error:
        raise EngineUnavailable(
            f"{flavour.label} cannot build the '{spec.name}' network: {first_line(error)}"
        ) from error


def logger(module: Any) -> Any:
    """The logger of `module`; TensorRT takes only one in a process, and holds on to it."""
    with _MAKING:  # a cache alone lets two threads that ask at once make one each
        return _logger(module)


@cache
def _logger(module: Any) -> Any:
    base: Any = module.ILogger

    class Lines(base):  # type: ignore[misc]
        """Keeps the first errors, which TensorRT would write to standard error."""

        def __init__(self) -> None:
            base.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """Keep errors; a person is told of them only if something fails."""
            errors = (module.ILogger.INTERNAL_ERROR, module.ILogger.ERROR)
            # Bounded: a card that is gone says so with each call.
            if severity in errors and len(self.lines) < _LINES:
                self.lines.append(message)

        def cause(self) -> str:
            """The first error since `lines` was cleared, which is mostly the cause."""
            return self.lines[0] if self.lines else "it gives no reason."

    return Lines()


def _model(spec: EngineSpec, files: NetworkFiles) -> bytes:
    if spec.precision == "fp32":
        return files.onnx
    try:
        return to_half(files.onnx)
    except ValueError as error:
        raise EngineDamaged(
            f"{files.entry.file} cannot be converted to fp16: {error}. Use --backend torch or cpu, "
            "or export the network again."
        ) from error


def _strongly_typed(module: Any) -> int:
    """The flag; a version in which networks are always so may have none."""
    flag = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)
