"""What the engines' tests share: tiny networks, a cache of their own, and a card on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_unmask.inference import choice, plans
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_gpu import Machine
from .tiny import write_networks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both networks, with their manifest."""
    (tmp_path / "engines").mkdir()
    return write_networks(tmp_path / "engines")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanCache:
    """The user's, empty, and nothing was said of it yet."""
    monkeypatch.setattr(plans, "_said", set())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return PlanCache.default()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One with TensorRT."""
    return fake_gpu.install(monkeypatch, "tensorrt")


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One with TensorRT-RTX."""
    return fake_gpu.install(monkeypatch, "tensorrt_rtx")


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the timed run will measure, ms; change it."""
    wanted = {"tensorrt": 1.0, "openvino": 10.0}
    monkeypatch.setattr(choice, "_time_ms", lambda engine: wanted[engine.backend])
    return wanted


@pytest.fixture
def planned(folder: Path, cache: PlanCache, machine: Machine) -> None:
    """The plans for this card are there, in fp32."""
    settings = Settings(backend="tensorrt", precision="fp32")
    load_engine("map", settings, folder).close()
    load_engine("editor", settings, folder).close()
