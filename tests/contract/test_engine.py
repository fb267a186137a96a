"""What every engine keeps, whichever backend runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.errors import EngineError
from realtime_unmask.inference.engine import ON_CPU, Engine, load_engine
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS, Network
from realtime_unmask.settings import Settings
from tests.unit.inference import fake_gpu, tiny
from tests.unit.inference.tiny import random_inputs, write_networks

NETWORKS: tuple[Network, ...] = ("map", "editor")
Expected = Callable[[Network, Mapping[str, tiny.Float32]], dict[str, tiny.Float32]]

# One thread and several take different ways through a backend on the CPU.
ON_THREADS = [(backend, threads) for backend in ON_CPU for threads in (1, 2)]
# TensorRT itself needs a card; here it is its surface that is kept to, with both ways to memory.
ON_FAKE_GPU = [("tensorrt", "cuda"), ("tensorrt", "pycuda"), ("tensorrt_rtx", "cuda")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_networks(tmp_path_factory.mktemp("engines"))


@pytest.fixture
def expected() -> Expected:
    """What the network of that name gives."""
    return tiny.expected


@pytest.fixture
def atol() -> float:
    """How far from `expected` an fp32 engine may be."""
    return 1e-5


@pytest.fixture(params=[*ON_THREADS, *ON_FAKE_GPU], ids=lambda p: f"{p[0]}-{p[1]}")
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    backend, way = request.param
    if isinstance(way, int):
        return Settings(backend=backend, threads=way, precision="fp32")
    fake_gpu.install(monkeypatch, backend, pycuda=way == "pycuda")
    return Settings(backend=backend, precision="fp32")


@pytest.fixture
def engine(folder: Path, settings: Settings) -> Iterator[Engine]:
    with load_engine("editor", settings, folder) as engine:
        yield engine


@pytest.mark.parametrize("network", NETWORKS)
def test_spec_says_what_the_network_takes_and_gives(
    folder: Path, settings: Settings, network: Network
) -> None:
    with load_engine(network, settings, folder) as engine:
        assert engine.spec.name == network
        assert list(engine.spec.inputs.items()) == list(INPUTS[network].items())
        assert list(engine.spec.outputs.items()) == list(OUTPUTS[network].items())
        assert engine.spec.precision == "fp32"
        assert engine.backend == settings.backend


@pytest.mark.parametrize("network", NETWORKS)
def test_infer_computes_the_network_for_changing_batches(
    folder: Path, settings: Settings, network: Network, expected: Expected, atol: float
) -> None:
    with load_engine(network, settings, folder) as engine:
        for batch in (1, 3, 2):
            inputs = random_inputs(network, batch, seed=batch)
            made = engine.infer(inputs)
            for name, values in expected(network, inputs).items():
                assert made[name].dtype == np.float32
                np.testing.assert_allclose(made[name], values, atol=atol)
            assert made.keys() == engine.spec.outputs.keys()


def test_default_precision_stays_close_to_fp32(
    folder: Path, settings: Settings, expected: Expected
) -> None:
    inputs = random_inputs("map", 1)
    with load_engine("map", replace(settings, precision="auto"), folder) as engine:
        made = engine.infer(inputs)["map"]
    np.testing.assert_allclose(made, expected("map", inputs)["map"], atol=0.01)


def test_same_inputs_give_the_same_bits(engine: Engine) -> None:
    inputs = random_inputs("editor", 2)
    first, second = engine.infer(inputs), engine.infer(inputs)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_result_is_not_overwritten_by_the_next_batch(engine: Engine) -> None:
    first = engine.infer(random_inputs("editor", 1, seed=1))
    kept = {name: value.copy() for name, value in first.items()}
    engine.infer(random_inputs("editor", 1, seed=2))
    assert all(np.array_equal(first[name], kept[name]) for name in kept)
    assert all(value.flags.writeable for value in first.values())


def test_inputs_are_left_alone_and_may_be_read_only_or_strided(
    engine: Engine, expected: Expected, atol: float
) -> None:
    inputs = random_inputs("editor", 2)
    wanted = expected("editor", inputs)
    odd = {name: np.asfortranarray(value) for name, value in inputs.items()}
    for value in odd.values():
        value.flags.writeable = False
    made = engine.infer(odd)
    assert all(np.array_equal(odd[name], inputs[name]) for name in inputs)
    np.testing.assert_allclose(made["rgb"], wanted["rgb"], atol=atol)


def test_submit_then_wait_is_infer(engine: Engine, expected: Expected, atol: float) -> None:
    for batch in (2, 1):
        inputs = random_inputs("editor", batch, seed=batch)
        engine.submit(inputs)
        made = engine.wait()
        np.testing.assert_allclose(made["rgb"], expected("editor", inputs)["rgb"], atol=atol)


def test_submitted_arrays_live_until_they_are_used(
    engine: Engine, expected: Expected, atol: float
) -> None:
    engine.submit(random_inputs("editor", 4))
    churn = [np.full((4, 3, 256, 256), 9, np.float32) for _ in range(4)]
    made = engine.wait()
    wanted = expected("editor", random_inputs("editor", 4))
    np.testing.assert_allclose(made["rgb"], wanted["rgb"], atol=atol)
    assert len(churn) == 4


def test_one_batch_at_a_time(engine: Engine) -> None:
    engine.submit(random_inputs("editor", 1))
    with pytest.raises(EngineError, match=r"call wait\(\) first"):
        engine.submit(random_inputs("editor", 1))
    with pytest.raises(EngineError, match=r"call wait\(\) first"):
        engine.infer(random_inputs("editor", 1))
    engine.wait()
    engine.infer(random_inputs("editor", 1))


def test_wait_for_nothing(engine: Engine) -> None:
    with pytest.raises(EngineError, match="nothing under way"):
        engine.wait()
    engine.infer(random_inputs("editor", 1))
    with pytest.raises(EngineError, match="nothing under way"):
        engine.wait()


def test_missing_and_unknown_names(engine: Engine) -> None:
    inputs = random_inputs("editor", 1)
    inputs["Prior"] = inputs.pop("prior")
    with pytest.raises(ValueError, match=r"missing: prior; unknown: Prior"):
        engine.infer(inputs)


@pytest.mark.parametrize(
    "shape", [(3, 256, 256), (0, 3, 256, 256), (1, 1, 256, 256), (1, 3, 256, 128)]
)
def test_wrong_shape(engine: Engine, shape: tuple[int, ...]) -> None:
    inputs = random_inputs("editor", 1)
    inputs["image"] = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=r"'image' must be \(N, 3, 256, 256\)"):
        engine.infer(inputs)


def test_batches_that_differ(engine: Engine) -> None:
    inputs = random_inputs("editor", 2)
    inputs["prior"] = inputs["prior"][:1]
    with pytest.raises(ValueError, match="'prior' has a batch of 1, the inputs before it 2"):
        engine.infer(inputs)


@pytest.mark.parametrize("kind", ["float64", "uint8"])
def test_wrong_dtype(engine: Engine, kind: str) -> None:
    inputs = random_inputs("editor", 1)
    inputs["map"] = inputs["map"].astype(kind)
    with pytest.raises(TypeError, match=f"'map' must be a float32 numpy array, not {kind}"):
        engine.infer(inputs)


def test_not_an_array(engine: Engine) -> None:
    inputs = random_inputs("editor", 1)
    inputs["map"] = inputs["map"].tolist()
    with pytest.raises(TypeError, match="not list"):
        engine.infer(inputs)


def test_engine_works_on_after_wrong_inputs(engine: Engine) -> None:
    with pytest.raises(ValueError):
        engine.submit({})
    engine.infer(random_inputs("editor", 1))


def test_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    engine.close()
    for call in (
        lambda: engine.infer(random_inputs("editor", 1)),
        lambda: engine.submit(random_inputs("editor", 1)),
        engine.wait,
    ):
        with pytest.raises(EngineError, match="was closed"):
            call()


def test_close_with_a_batch_under_way(engine: Engine) -> None:
    engine.submit(random_inputs("editor", 4))
    engine.close()
    with pytest.raises(EngineError, match="was closed"):
        engine.wait()
