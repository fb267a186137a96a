"""What an engine takes and gives, and whether that is what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from realtime_unmask.errors import EngineDamaged
from realtime_unmask.inference.manifest import Shape
from realtime_unmask.types import Float32


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine takes and gives; every tensor is float32.

    Attributes:
        name: the network's.
        inputs: name -> shape, in order; a size of None is the batch N, 1 or more.
        outputs: likewise.
        precision: that of the arithmetic, "fp32", "bf16", "fp16", or "int8" (most of it).
        prior_supported: whether it was trained to use its input `prior`.
    """

    name: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    precision: str = "fp32"
    prior_supported: bool = False


def check_signature(spec: EngineSpec, side: str, found: Mapping[str, Shape]) -> None:
    """Compare what a backend found in the file with what the manifest says of it.

    Args:
        spec: made from the manifest.
        side: "inputs" or "outputs".
        found: name -> shape; a size that the file leaves open is None.

    Raises:
        EngineDamaged: they differ.
    """
    wanted: Mapping[str, Shape] = getattr(spec, side)
    if dict(found) != dict(wanted):
        raise EngineDamaged(
            f"The {side} of the '{spec.name}' network are {dict(found)}, but its manifest says "
            f"{dict(wanted)}. Install realtime-unmask again, or export the network again."
        )


def checked(inputs: Mapping[str, Float32], spec: EngineSpec) -> dict[str, Float32]:
    """The inputs in the spec's order, C-contiguous; raises as Engine.infer says."""
    missing = [name for name in spec.inputs if name not in inputs]
    unknown = [name for name in inputs if name not in spec.inputs]
    if missing or unknown:
        raise ValueError(
            f"The '{spec.name}' network takes {', '.join(spec.inputs)}; "
            + "; ".join(
                f"{word}: {', '.join(map(str, names))}"
                for word, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            + "."
        )
    ready = {}
    batch: int | None = None
    for name, shape in spec.inputs.items():
        value = inputs[name]
        if not isinstance(value, np.ndarray) or value.dtype != np.float32:
            kind = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
            raise TypeError(f"'{name}' must be a float32 numpy array, not {kind}.")
        if not _fits(value.shape, shape):
            wanted = ", ".join("N" if n is None else str(n) for n in shape)
            raise ValueError(f"'{name}' must be ({wanted}) with N >= 1, not {value.shape}.")
        if batch is not None and value.shape[0] != batch:
            raise ValueError(
                f"'{name}' has a batch of {value.shape[0]}, the inputs before it {batch}."
            )
        batch = value.shape[0]
        ready[name] = np.ascontiguousarray(value)
    return ready


def _fits(have: tuple[int, ...], want: Shape) -> bool:
    return len(have) == len(want) and all(
        a >= 1 if b is None else a == b for a, b in zip(have, want, strict=True)
    )
