"""The torch backend's way over an NVIDIA card, with the processor in the card's place: its graphs,
its pinned memory, and a card that is lost. Needs torch, so `make test-training` runs it.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from realtime_unmask.errors import EngineLost
from realtime_unmask.inference.torch_graph import ALONE
from tests.unit.inference.tiny import expected as tiny_expected
from tests.unit.inference.tiny import random_inputs

torch = pytest.importorskip("torch", reason="needs torch; run by make test-training")


class FakeGraph:
    """Replays what was computed while it was recorded, into the same tensors."""

    recorded: Any = None

    def pool(self) -> str:
        return "pool"

    def replay(self) -> None:
        network, inputs, outputs = self.recorded
        with torch.inference_mode():
            for name, made in network(inputs).items():
                outputs[name].copy_(made)


class FakeStream:
    """Work in it is done at once.

    Attributes:
        waits: how often somebody waited for it.
    """

    waits = 0

    def synchronize(self) -> None:
        self.waits += 1

    def record(self, stream: object) -> None: ...


class Cuda:
    """Lets CudaEngine run on the CPU: its own logic, without the card."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.graphs: list[FakeGraph] = []
        self.fault: BaseException | None = None
        self.alone: list[bool] = []  # at each wait for the whole card: was no other thread let in?
        self.others = FakeStream()  # in which all is done that no stream is named for
        zeros = torch.zeros

        def anywhere(shape: Any, *, pin_memory: bool = False, device: str = "cpu") -> Any:
            return zeros(shape)

        monkeypatch.setattr(torch, "zeros", anywhere)
        for name, stand_in in {
            "Stream": FakeStream,
            "Event": FakeStream,
            "CUDAGraph": self._graph,
            "graph": self._recording,
            "stream": lambda stream: nullcontext(),
            "current_stream": lambda: self.others,
            "empty_cache": self._waiting_for_all,
        }.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)

    def _graph(self) -> FakeGraph:
        self.graphs.append(FakeGraph())
        return self.graphs[-1]

    def _recording(self, graph: FakeGraph, **how: object) -> Any:
        self._waiting_for_all()
        return nullcontext()

    def _waiting_for_all(self) -> None:
        self.alone.append(ALONE.locked())


@pytest.fixture
def cuda_engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    from realtime_unmask.inference.manifest import INPUTS, OUTPUTS
    from realtime_unmask.inference.spec import EngineSpec
    from realtime_unmask.inference.torch import CudaEngine
    from realtime_unmask.inference.torch_graph import Run

    fake = Cuda(monkeypatch)
    spec = EngineSpec("editor", INPUTS["editor"], OUTPUTS["editor"])

    def network(inputs: Any) -> Any:
        if fake.fault is not None:
            raise fake.fault
        return {
            "rgb": inputs["image"] + inputs["prior"] * inputs["prior_weight"],
            "confidence": inputs["map"] * inputs["map"],
        }

    record = Run.record

    def recording(run: Any, pool: Any) -> None:
        record(run, pool)
        run.graph.recorded = (network, run._device_in, run.left)

    monkeypatch.setattr(Run, "record", recording)
    with CudaEngine(spec, network) as engine:
        yield engine, fake


@pytest.mark.parametrize("batches", [(1, 2, 4, 1, 2), (6, 1, 6)])
def test_cuda_engine_keeps_a_graph_for_each_small_batch(
    cuda_engine: Any, batches: tuple[int, ...]
) -> None:
    engine, fake = cuda_engine
    for seed, batch in enumerate(batches):
        inputs = random_inputs("editor", batch, seed)
        made = engine.infer(inputs)
        for name, values in tiny_expected("editor", inputs).items():
            np.testing.assert_allclose(made[name], values, atol=1e-6)
            assert made[name].base is None, "an array of its own"
    assert len(fake.graphs) == len({batch for batch in batches if batch <= 4})


def test_cuda_engine_waits_for_its_weights_before_it_runs(cuda_engine: Any) -> None:
    """They are laid out in the stream of the thread, and streams do not wait for each other."""
    _, fake = cuda_engine
    assert fake.others.waits == 1


def test_one_thread_at_a_time_records_and_gives_memory_back(cuda_engine: Any) -> None:
    engine, fake = cuda_engine
    engine.infer(random_inputs("editor", 1))
    engine.infer(random_inputs("editor", 1))
    assert fake.alone == [True, True], "a graph, and what its rehearsal took"
    assert not ALONE.locked()
    engine.close()
    assert fake.alone == [True] * 3
    assert not ALONE.locked()


def test_recording_that_fails_lets_the_next_thread_in(cuda_engine: Any) -> None:
    engine, fake = cuda_engine
    fake.fault = torch.cuda.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(EngineLost):
        engine.infer(random_inputs("editor", 1))
    assert not ALONE.locked()


@pytest.mark.parametrize("batch", [2, 6], ids=["with a graph", "without"])
def test_cuda_engine_leaves_an_output_on_the_card(cuda_engine: Any, batch: int) -> None:
    engine, _ = cuda_engine
    assert engine.card == "cuda"
    first, second = (random_inputs("editor", batch, seed) for seed in (1, 2))
    engine.submit(first)
    made = engine.wait_there("rgb")
    engine.infer(second)  # written over the first one's outputs, not over what was handed out
    wanted = tiny_expected("editor", first)
    assert isinstance(made["rgb"], torch.Tensor)
    np.testing.assert_allclose(made["rgb"].numpy(), wanted["rgb"], atol=1e-6)
    np.testing.assert_allclose(made["confidence"], wanted["confidence"], atol=1e-6)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), "no memory left"),
        (torch.AcceleratorError("CUDA error: device-side assert", 710), "stopped working"),
    ],
)
def test_cuda_engine_that_loses_the_card_says_so(
    cuda_engine: Any, fault: BaseException, words: str
) -> None:
    engine, fake = cuda_engine
    fake.fault = fault
    with pytest.raises(EngineLost, match=words):
        engine.infer(random_inputs("editor", 1))


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), False),
        (torch.AcceleratorError("CUDA error: device-side assert", 710), True),
    ],
)
def test_pinned_memory_outlives_a_card_that_is_lost(
    cuda_engine: Any, monkeypatch: pytest.MonkeyPatch, fault: BaseException, kept: bool
) -> None:
    """Whether torch may free it: on a lost card that would end the process."""
    engine, fake = cuda_engine
    engine.infer(random_inputs("editor", 1))
    fake.fault = fault
    monkeypatch.setattr(FakeGraph, "replay", lambda graph: graph.recorded[0]({}))
    with pytest.raises(EngineLost):
        engine.infer(random_inputs("editor", 1))
    assert [run._abandoned for run in engine._runs.values()] == [kept]
    for run in engine._runs.values():
        released(run)


@pytest.mark.parametrize("batch", [2, 6], ids=["while its graph is made", "without a graph"])
def test_pinned_memory_of_a_batch_that_was_never_finished_is_kept_too(
    cuda_engine: Any, batch: int
) -> None:
    engine, fake = cuda_engine
    fake.fault = torch.AcceleratorError("CUDA error: device-side assert", 710)
    with pytest.raises(EngineLost):
        engine.infer(random_inputs("editor", batch))
    run = engine._run
    tensor = run._host_in["image"]
    before = sys.getrefcount(tensor)
    run.abandon()
    assert sys.getrefcount(tensor) == before, "once is enough"
    assert run._abandoned
    released(run)


@pytest.mark.parametrize("batch", [2, 6], ids=["with a graph", "without"])
def test_pinned_memory_of_an_idle_engine_outlives_a_card_that_another_one_lost(
    cuda_engine: Any, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """It is told by nobody, and all engines share one CUDA context."""
    engine, _ = cuda_engine
    engine.infer(random_inputs("editor", batch))
    runs = {id(run): run for run in (*engine._runs.values(), engine._run)}

    def lost(stream: FakeStream) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert", 710)

    monkeypatch.setattr(FakeStream, "synchronize", lost)
    engine.close()
    assert [run._abandoned for run in runs.values()] == [True]
    for run in runs.values():
        released(run)


def test_pinned_memory_is_freed_with_an_engine_whose_card_is_well(cuda_engine: Any) -> None:
    engine, _ = cuda_engine
    engine.infer(random_inputs("editor", 1))
    run = engine._run
    engine.close()
    assert not run._abandoned


def released(run: Any) -> None:
    """No card was lost: the test leaves nothing behind."""
    if run._abandoned:
        for tensor in (*run._host_in.values(), *run._host_out.values()):
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(tensor))
