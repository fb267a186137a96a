"""What each backend keeps is compared before it is parsed: damaged, it is made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.settings import Settings

from . import fake_gpu
from .plan_files import cut, flip, lines
from .tiny import expected, random_inputs


def watched(monkeypatch: pytest.MonkeyPatch, kind: type, method: str) -> list[bytes]:
    """All that `method`, which parses a compiled engine, is given from now on."""
    parsed: list[bytes] = []
    parse = getattr(kind, method)

    def watching(self: Any, content: bytes, *others: Any) -> Any:
        parsed.append(bytes(content))
        return parse(self, content, *others)

    monkeypatch.setattr(kind, method, watching)
    return parsed


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx", "openvino"])
def test_nothing_that_was_damaged_is_parsed(
    folder: Path, cache: PlanCache, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, backend: str, damage: Callable[[Path], None],
) -> None:  # fmt: skip
    if backend == "openvino":
        parsed = [watched(monkeypatch, pytest.importorskip("openvino").Core, "import_model")]
    else:
        fake_gpu.install(monkeypatch, backend)
        parsed = [
            watched(monkeypatch, fake_gpu.Runtime, "deserialize_cuda_engine"),
            watched(monkeypatch, fake_gpu.RuntimeCache, "deserialize"),
        ]
    settings = Settings(backend=backend, precision="fp32")
    inputs = random_inputs("map", 1)
    for _ in range(2):  # made, and read
        with load_engine("map", settings, folder) as engine:
            engine.infer(inputs)
    sound = {entry.path: entry.path.read_bytes() for entry in cache.entries()}
    assert any(content in sound.values() for content in parsed[0])
    for path in sound:
        damage(path)
    damaged = {path.read_bytes() for path in sound}
    with load_engine("map", settings, folder) as engine:
        made = engine.infer(inputs)
    for name, value in expected("map", inputs).items():
        np.testing.assert_allclose(made[name], value, atol=1e-5)
    assert not damaged & {content for given in parsed for content in given}
    assert len(lines(caplog)) == len(sound)
    assert all(entry.fault == "" for entry in cache.entries())
