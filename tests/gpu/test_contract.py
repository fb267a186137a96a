"""The engines' contract on a real card, in fp32, and against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from realtime_unmask import resources
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.manifest import Network
from realtime_unmask.settings import Settings
from tests.contract.test_engine import *  # noqa: F403  the tests, on the fixtures below
from tests.contract.test_engine import Expected
from tests.unit.inference.tiny import Float32

from .conftest import skip_without_any

pytestmark = pytest.mark.gpu
skip_without_any()


@pytest.fixture(scope="module")
def folder() -> Path:
    return resources.folder("engines")


@pytest.fixture
def settings(on_gpu: Settings) -> Settings:
    return replace(on_gpu, precision="fp32")


@pytest.fixture
def atol() -> float:
    """Another order of sums than on the CPU."""
    return 5e-4


@pytest.fixture
def expected() -> Expected:
    def reference(network: Network, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
        pytest.importorskip("torch", reason="the reference needs torch")
        with load_engine(network, Settings(backend="torch_cpu")) as engine:
            return engine.infer(inputs)

    return reference
