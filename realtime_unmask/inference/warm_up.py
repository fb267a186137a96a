"""First runs of a network, before there is anything to show.

On a GPU each batch size is prepared when it first comes: a graph is recorded, kernels are loaded or
compiled. In the middle of a sequence that holds up a frame.
"""

from __future__ import annotations

import numpy as np

from realtime_unmask.inference.engine import ON_GPU, Engine
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.types import Float32


def warm_up(engine: Engine, most: int) -> None:
    """Run each batch of 1 to `most` once; on a CPU, where all are alike, none.

    Raises:
        EngineError: the backend failed.
    """
    for batch in range(1, most + 1):
        if engine.backend in ON_GPU:  # asked each time: a CPU may have taken over
            engine.infer(blank(engine.spec, batch))


def blank(spec: EngineSpec, batch: int) -> dict[str, Float32]:
    """Inputs of zeros."""
    shapes = {name: [n or batch for n in shape] for name, shape in spec.inputs.items()}
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
