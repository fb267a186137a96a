"""What an unmasker does with its engines besides frames: warm them up, and close them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import AssetError, EngineError, EngineUnavailable
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS, Network
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame
from realtime_unmask.unmask import unmasker as unmaskers
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine, Planes


@pytest.fixture
def load(
    monkeypatch: pytest.MonkeyPatch, map_engine: FakeEngine, editor_engine: FakeEngine
) -> dict[str, FakeEngine]:
    """What load_engine gives, by the network's name; take one out and it fails."""
    engines = {"map": map_engine, "editor": editor_engine}

    def load_engine(network: str, settings: object) -> FakeEngine:
        if network not in engines:
            raise EngineUnavailable("It cannot be loaded.")
        return engines[network]

    monkeypatch.setattr(unmaskers, "load_engine", load_engine)
    return engines


@pytest.mark.parametrize("error", [AssetError("The landmarker is missing."), OSError("No file.")])
def test_engines_are_closed_where_no_unmasker_comes_of_them(
    load: dict[str, FakeEngine], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(unmaskers, "Detector", fails)
    with pytest.raises(type(error)):
        Unmasker.default()
    assert [engine.closed for engine in load.values()] == [True, True]


def test_first_engine_is_closed_where_the_second_is_not_to_be_had(
    load: dict[str, FakeEngine], map_engine: FakeEngine
) -> None:
    del load["editor"]
    with pytest.raises(EngineUnavailable):
        Unmasker.default()
    assert map_engine.closed


def test_engines_stay_open_as_long_as_their_unmasker(load: dict[str, FakeEngine]) -> None:
    with Unmasker.default():
        assert [engine.closed for engine in load.values()] == [False, False]
    assert [engine.closed for engine in load.values()] == [True, True]


@pytest.mark.parametrize(
    "use",
    [
        lambda unmasker, frame: unmasker.process(frame),
        lambda unmasker, frame: unmasker.process(frame, State()),
        lambda unmasker, frame: unmasker.begin(frame),
        lambda unmasker, frame: unmasker.on_head(frame),
        lambda unmasker, frame: unmasker.enrol(frame.image),
    ],
    ids=["a still", "a sequence", "begin", "on_head", "enrol"],
)
def test_closed_unmasker_says_so_also_where_there_is_no_face(
    load: dict[str, FakeEngine], use: Callable[[Unmasker, Frame], object]
) -> None:
    with Unmasker.default() as unmasker:
        pass
    with pytest.raises(EngineError, match=r"^This unmasker was closed\. Make another one\.$"):
        use(unmasker, Frame(np.full((64, 64, 3), 77, np.uint8)))


@pytest.fixture
def unmasker(map_engine: FakeEngine, editor_engine: FakeEngine) -> Iterator[Unmasker]:
    """On a backend that is named, with networks of the real ones' form."""
    engines: dict[Network, FakeEngine] = {"map": map_engine, "editor": editor_engine}
    for name, engine in engines.items():
        engine.spec = EngineSpec(name, INPUTS[name], OUTPUTS[name])
        engine.backend = "torch"
    with Unmasker(map_engine, editor_engine) as made:
        yield made


def batches(engine: FakeEngine) -> list[int]:
    """Sizes of those that it was asked for."""
    return [len(inputs["image"]) for inputs in engine.calls]


def test_gpu_is_warmed_for_each_number_of_faces(
    unmasker: Unmasker, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    unmasker.warm()
    for engine, name in ((map_engine, "map"), (editor_engine, "editor")):
        assert batches(engine) == [1, 2, 3, 4]
        wanted = {n: (2, *shape[1:]) for n, shape in engine.spec.inputs.items()}
        assert {n: v.shape for n, v in engine.calls[1].items()} == wanted, name
        assert all(v.dtype == np.float32 for v in engine.calls[1].values())


# A face whose mask reaches out of its crop counts twice.
@pytest.mark.parametrize(("most", "wanted"), [(1, [1, 2]), (9, [1, 2, 3, 4])])
def test_gpu_is_warmed_for_no_more_crops_than_may_come_in_a_batch(
    unmasker: Unmasker, editor_engine: FakeEngine, most: int, wanted: list[int]
) -> None:
    unmasker.settings = Settings(max_faces=most)
    unmasker.warm()
    assert batches(editor_engine) == wanted


def test_cpu_starts_without(
    unmasker: Unmasker, map_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    map_engine.backend = editor_engine.backend = "openvino"
    unmasker.warm()
    assert map_engine.calls == editor_engine.calls == []


def test_cpu_that_takes_over_meanwhile_is_not_warmed(
    unmasker: Unmasker, map_engine: FakeEngine
) -> None:
    answer = map_engine.answer

    def falls_back(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        if len(inputs["image"]) == 2:
            map_engine.backend = "openvino"
        return answer(inputs)

    map_engine.answer = falls_back
    unmasker.warm()
    assert batches(map_engine) == [1, 2]
