"""What an unmasker does with its engines besides frames: warm them up, and close them."""

from __future__ import annotations

import pytest

from realtime_unmask.errors import AssetError, EngineUnavailable
from realtime_unmask.unmask import unmasker as unmaskers
from realtime_unmask.unmask.unmasker import Unmasker
from tests.unit.conftest import FakeEngine


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
