"""A card that fails at work: with `auto` the CPU takes over in that very batch."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.errors import EngineError, EngineLost, EngineUnavailable
from realtime_unmask.inference import choice
from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.settings import Settings

from .fake_driver import Result
from .fake_gpu import Machine
from .tiny import expected, random_inputs

pytestmark = pytest.mark.usefixtures("cache")
AUTO = Settings(precision="fp32")


def lost(machine: Machine, function: str, result: Result) -> None:
    machine.driver.faults[function] = (result, 0)


@pytest.mark.parametrize("there", [False, True], ids=["fetched", "left on the card"])
@pytest.mark.parametrize(
    ("function", "result", "words"),
    [
        ("cuStreamSynchronize", Result.CUDA_ERROR_OUT_OF_MEMORY, "no memory left"),
        ("cuStreamSynchronize", Result.CUDA_ERROR_ILLEGAL_ADDRESS, "stopped working"),
        ("cuMemcpyHtoDAsync", Result.CUDA_ERROR_ILLEGAL_ADDRESS, "stopped working"),
    ],
)
def test_cpu_takes_over_in_the_batch_in_which_the_card_fails(
    folder: Path,
    planned: None,
    times: dict[str, float],
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    function: str,
    result: Result,
    words: str,
    there: bool,
) -> None:
    with load_engine("editor", AUTO, folder) as engine:
        engine.infer(random_inputs("editor", 1))
        lost(machine, function, result)
        for seed in range(3):
            inputs = random_inputs("editor", 2, seed)
            engine.submit(inputs)
            made = engine.wait_there("rgb") if there else engine.wait()
            np.testing.assert_allclose(made["rgb"], expected("editor", inputs)["rgb"], atol=1e-6)
        assert engine.backend == "openvino"
        assert engine.reason.endswith("The CPU goes on with openvino.")
        assert words in engine.reason
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        engine.reason
    ]


def test_backend_by_name_is_not_replaced_when_the_card_fails(
    folder: Path, machine: Machine
) -> None:
    settings = Settings(backend="tensorrt", precision="fp32")
    with load_engine("map", settings, folder) as engine:
        lost(machine, "cuStreamSynchronize", Result.CUDA_ERROR_ILLEGAL_ADDRESS)
        with pytest.raises(EngineLost):
            engine.infer(random_inputs("map", 1))


def test_card_fails_and_no_cpu_backend_works(
    folder: Path,
    planned: None,
    times: dict[str, float],
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine: Engine = load_engine("map", AUTO, folder)
    monkeypatch.setattr(choice, "ON_CPU", ())
    lost(machine, "cuStreamSynchronize", Result.CUDA_ERROR_ILLEGAL_ADDRESS)
    with pytest.raises(EngineUnavailable, match="No backend can run the 'map' network"):
        engine.infer(random_inputs("map", 1))
    with pytest.raises(EngineError, match="was closed"):
        engine.infer(random_inputs("map", 1))
