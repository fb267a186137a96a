"""Steps that cannot be recorded run as they are written."""

from __future__ import annotations

import pytest
import torch

from training import recorded
from training.recorded import WARM_UP, Recorder


def unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that are not recorded run without a card's streams."""
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(Recorder, "_aside", lambda self, work, batch: work(batch))


def test_without_a_card_every_step_runs_as_it_is_written() -> None:
    recorder = Recorder(on=False)
    given = [torch.full((1,), float(number)) for number in range(6)]
    made = [recorder("form", lambda b: {"twice": b["x"] * 2}, {"x": x})["twice"] for x in given]
    assert [float(value) for value in made] == [0, 2, 4, 6, 8, 10]


def test_a_step_that_cannot_be_recorded_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(work: object, batch: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(recorded, "_record", refuse)
    unrecorded(monkeypatch)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    recorder = Recorder(on=True)
    for number in range(WARM_UP + 3):
        made = recorder("form", lambda b: {"x": b["x"]}, {"x": torch.full((1,), float(number))})
        assert float(made["x"]) == number
    assert capsys.readouterr().out.count("not recorded") == 1


def test_each_form_has_a_recording_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Tape:
        def __init__(self, work: object) -> None:
            made.append(work)

        def play(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return batch

    monkeypatch.setattr(recorded, "_record", lambda work, batch: Tape(work))
    unrecorded(monkeypatch)
    recorder = Recorder(on=True)
    for form in ("plain", "moved", "plain", "plain", "moved", "plain", "plain", "moved", "moved"):
        recorder(form, lambda b: b, {"x": torch.zeros(1)})
    assert len(made) == 2


def test_forms_of_the_past_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tape:
        def play(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return batch

    monkeypatch.setattr(recorded, "_record", lambda work, batch: Tape())
    unrecorded(monkeypatch)
    recorder = Recorder(on=True)
    for form in ("plain", "moved", "judged", "judged and moved"):
        for _ in range(WARM_UP + 1):
            recorder(form, lambda b: b, {"x": torch.zeros(1)})
    assert list(recorder._recordings) == ["judged", "judged and moved"]
