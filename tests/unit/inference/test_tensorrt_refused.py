"""A plan that is as it was stored, and that TensorRT does not take: as if it were not there."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference import plans, standby
from realtime_unmask.inference.engine import NetworkFiles, load_engine
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS, Network
from realtime_unmask.inference.plans import Key, PlanCache
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.standby import FLAVOURS
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_gpu import Machine
from .plan_files import lines
from .tiny import expected, random_inputs

AUTO = Settings(precision="fp32")
SETTINGS = Settings(backend="tensorrt", precision="fp32")
STRANGE = b"of another TensorRT"


def store_strange(
    cache: PlanCache, folder: Path | None, network: Network = "map",
    backend: str = "tensorrt", precision: str = "fp32",
) -> Key:  # fmt: skip
    """Let such a plan be in the cache, with its true digest."""
    spec = EngineSpec(network, INPUTS[network], OUTPUTS[network], precision=precision)
    key = FLAVOURS[backend].plan_key(spec, NetworkFiles.read(network, folder), fake_gpu.CARD)
    assert cache.store(key, STRANGE)
    return key


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_backend_asked_for_by_name_builds_it_anew(
    folder: Path,
    cache: PlanCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    backend: str,
) -> None:
    machine = fake_gpu.install(monkeypatch, backend)
    key = store_strange(cache, folder, backend=backend)
    inputs = random_inputs("map", 1)
    for _ in range(2):
        with load_engine("map", Settings(backend=backend, precision="fp32"), folder) as engine:
            made = engine.infer(inputs)["map"]
        np.testing.assert_allclose(made, expected("map", inputs)["map"], atol=1e-6)
    assert len(machine.module.builds) == 1
    assert cache.load(key) not in (None, STRANGE)
    assert machine.driver.alive == {}
    (line,) = lines(caplog)
    assert line == (
        f"A compiled engine is made anew: {FLAVOURS[backend].label} refuses the plan of the 'map' "
        "network: Version tag does not match."
    )


def test_second_that_is_refused_is_the_last(
    folder: Path, cache: PlanCache, machine: Machine
) -> None:
    store_strange(cache, folder)
    machine.module.refuses_plans = True
    with pytest.raises(EngineUnavailable, match="TensorRT refuses the plan of the 'map' network"):
        load_engine("map", SETTINGS, folder)
    assert len(machine.module.builds) == 1
    assert machine.driver.alive == {}


def test_cache_that_keeps_it_does_not_get_in_the_way(
    folder: Path, cache: PlanCache, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written to, say."""
    store_strange(cache, folder)
    monkeypatch.setattr(plans, "_remove", lambda *_: None)
    load_engine("map", SETTINGS, folder).close()
    assert len(machine.module.builds) == 1
    with load_engine("map", AUTO, folder) as engine:
        assert "is not built yet" in engine.reason


def test_auto_goes_on_without_and_builds_nothing(
    folder: Path, cache: PlanCache, machine: Machine
) -> None:
    key = store_strange(cache, folder)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert "tensorrt: The fp32 plan of the 'map' network for this card is not built yet" in (
            engine.reason
        )
    assert machine.module.builds == []
    assert cache.load(key) is None


def test_standby_builds_it_anew_at_once(
    cache: PlanCache,
    machine: Machine,
    times: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_strange(cache, None, "editor", precision="fp16")
    assert standby.main([json.dumps(asdict(Settings()))]) == 0
    assert len(machine.module.builds) == 2
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"chosen": {"map": "tensorrt", "editor": "tensorrt"}}


@pytest.mark.parametrize("why", ["Cuda Runtime (out of memory)", "Error Code 2: OutOfMemory"])
def test_card_that_is_full_costs_no_plan(
    folder: Path, cache: PlanCache, machine: Machine, why: str
) -> None:
    """It would be built for minutes, on a card that has no room for it."""
    load_engine("map", SETTINGS, folder).close()
    machine.module.refuses_plans, machine.module.why_refused = True, why
    with pytest.raises(EngineUnavailable, match="The GPU is out of memory"):
        load_engine("map", SETTINGS, folder)
    assert len(machine.module.builds) == 1
    machine.module.refuses_plans = False
    load_engine("map", SETTINGS, folder).close()
    assert len(machine.module.builds) == 1
