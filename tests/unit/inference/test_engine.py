"""What engines of all backends have in common: how they end."""

from __future__ import annotations

import pytest

from realtime_unmask.errors import EngineError, EngineLost
from realtime_unmask.inference.engine import BackendEngine
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS
from realtime_unmask.inference.spec import EngineSpec

from .tiny import Float32, random_inputs


class Broken(BackendEngine):
    """Fails to free itself, and to finish what was begun."""

    backend = "broken"

    def __init__(self, error: Exception) -> None:
        super().__init__(EngineSpec("map", INPUTS["map"], OUTPUTS["map"]))
        self.error = error
        self.freed = 0

    def _start(self, inputs: dict[str, Float32]) -> None: ...

    def _finish(self) -> dict[str, Float32]:
        raise self.error

    def _free(self) -> None:
        self.freed += 1
        raise self.error


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("error", [RuntimeError("CUDA error 700"), EngineLost("It is gone.")])
def test_closing_never_raises(error: Exception, busy: bool) -> None:
    with Broken(error) as engine:
        if busy:
            engine.submit(random_inputs("map", 1))
    engine.close()
    assert engine.freed == 1
    with pytest.raises(EngineError, match="was closed"):
        engine.wait()
