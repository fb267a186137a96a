"""The engines' contract kept by torch on the CPU; needs torch, so `make test-training` runs it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.errors import EngineDamaged, EngineLost, EngineUnavailable
from realtime_unmask.inference import safetensors_file
from realtime_unmask.inference.engine import NetworkFiles, backend, load_engine
from realtime_unmask.inference.manifest import Manifest, Network
from realtime_unmask.inference.torch_graph import ALONE
from realtime_unmask.settings import Settings
from tests.unit.inference.tiny import Float32, random_inputs
from tests.unit.inference.tiny import expected as tiny_expected

torch = pytest.importorskip("torch", reason="needs torch; run by make test-training")

from tests.contract.test_engine import *  # noqa: E402, F403  the tests, on the fixtures below
from tests.contract.test_engine import Expected  # noqa: E402

SETTINGS = Settings(backend="torch_cpu", precision="fp32")


@pytest.fixture(scope="module")
def folder() -> Path:
    """The shipped networks: torch runs no others."""
    return resources.folder("engines")


@pytest.fixture
def settings() -> Settings:
    return Settings(backend="torch_cpu", threads=1, precision="fp32")


@pytest.fixture(autouse=True)
def threads() -> Any:
    """The number of torch's threads belongs to the process: put back what it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def expected() -> Expected:
    return reference


def reference(network: Network, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
    """The network built from the file by torch's own means."""
    made = built(network)
    with torch.no_grad():
        values = made(*(torch.tensor(value) for value in inputs.values()))
    names = ["map"] if network == "map" else ["rgb", "confidence"]
    return dict(
        zip(names, (v.numpy() for v in (values if len(names) > 1 else (values,))), strict=True)
    )


@cache
def built(network: Network) -> Any:
    from safetensors.torch import load_file

    from realtime_unmask.inference.networks import EditorNet, MapNet

    made = MapNet() if network == "map" else EditorNet()
    state = load_file(resources.folder("engines") / f"{network}.safetensors")
    missing, unexpected = made.load_state_dict({n: v.float() for n, v in state.items()}, False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return made.eval()


@pytest.mark.parametrize("network", ["map", "editor"])
def test_file_is_read_as_its_own_library_reads_it(network: Network) -> None:
    from safetensors.numpy import load

    data = NetworkFiles.read(network).weights()
    ours, theirs = safetensors_file.read_tensors(data), load(data)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value.astype(np.float32))


@pytest.mark.parametrize("network", ["map", "editor"])
def test_torch_and_onnx_are_the_same_network(network: Network) -> None:
    inputs = {
        name: value[:, :, ::32, ::32].repeat(32, 2).repeat(32, 3)
        for name, value in random_inputs(network, 2).items()
    }
    onnx = Settings(backend="onnxruntime")
    with load_engine(network, SETTINGS) as one, load_engine(network, onnx) as other:
        first, second = one.infer(inputs), other.infer(inputs)
    for name in first:
        # The weights in the safetensors file are rounded to fp16.
        assert np.abs(first[name] - second[name]).max() <= 2 / 127.5


@pytest.mark.parametrize("network", ["map", "editor"])
def test_normalisation_folds_into_the_convolutions(network: Network) -> None:
    from realtime_unmask.inference.manifest import INPUTS, OUTPUTS
    from realtime_unmask.inference.spec import EngineSpec
    from realtime_unmask.inference.torch import build, fuse

    files = NetworkFiles.read(network)
    spec = EngineSpec(network, INPUTS[network], OUTPUTS[network])
    fused = fuse(build(spec, files))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    inputs = random_inputs(network, 1)
    made = fused(*(torch.tensor(value) for value in inputs.values()))
    made = made if isinstance(made, tuple) else (made,)
    for ours, theirs in zip(made, reference(network, inputs).values(), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    shipped = resources.folder("engines")
    for name in ("manifest.json", "map.onnx"):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    weights = bytearray((shipped / "map.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "map.safetensors").write_bytes(weights)
    with pytest.raises(EngineDamaged, match=r"map.safetensors is not the file .* SHA-256 differs"):
        load_engine("map", SETTINGS, tmp_path)


def test_weights_of_the_other_network_are_refused(tmp_path: Path) -> None:
    shipped = resources.folder("engines")
    entries = Manifest.load(shipped).networks
    (tmp_path / "map.onnx").write_bytes((shipped / "map.onnx").read_bytes())
    (tmp_path / "map.safetensors").write_bytes((shipped / "editor.safetensors").read_bytes())
    from realtime_unmask.inference.manifest import NetworkEntry

    entry = NetworkEntry.describe("map", tmp_path / "map.onnx")
    Manifest({**entries, "map": entry}).save(tmp_path)
    with pytest.raises(EngineDamaged, match="does not hold the weights of the 'map' network"):
        load_engine("map", SETTINGS, tmp_path)


def test_network_without_weights_is_refused(tmp_path: Path) -> None:
    from tests.unit.inference.tiny import write_networks

    with pytest.raises(EngineDamaged, match="names no safetensors file"):
        load_engine("map", SETTINGS, write_networks(tmp_path))


def test_bf16_is_not_offered() -> None:
    with pytest.raises(EngineUnavailable, match="reference computes in fp32"):
        load_engine("map", Settings(backend="torch_cpu", precision="bf16"))


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_torch_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime_unmask.inference import cuda
    from tests.unit.inference.fake_gpu import CARD

    monkeypatch.setattr(cuda, "card", lambda: CARD)
    with pytest.raises(EngineUnavailable, match="is a build without CUDA"):
        load_engine("map", Settings(backend="torch"))


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac, whose GPU is the processor here."""
    from realtime_unmask.inference import torch as ours

    to, tensor = torch.nn.Module.to, torch.tensor
    here = {"mps": "cpu"}

    def moved(module: Any, *where: Any, **how: Any) -> Any:
        return to(module, *(here.get(one, one) for one in where), **how)

    def made(*value: Any, device: Any = None, **how: Any) -> Any:
        return tensor(*value, device=here.get(device, device), **how)

    monkeypatch.setattr(ours, "is_apple", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", moved)
    monkeypatch.setattr(torch, "tensor", made)


@pytest.mark.parametrize("network", ["map", "editor"])
def test_an_apple_gpu_computes_in_fp16(apple: None, network: Network) -> None:
    assert backend("torch").probe() == "Apple GPU (MPS), fp16"
    inputs = random_inputs(network, 2)
    with load_engine(network, Settings(backend="torch")) as engine:
        assert (engine.backend, engine.spec.precision) == ("torch", "fp16")
        first, second = engine.infer(inputs), engine.infer(inputs)
    for name, value in reference(network, inputs).items():
        assert first[name].dtype == np.float32
        assert 0 < np.abs(first[name] - value).max() < 0.05
        np.testing.assert_array_equal(first[name], second[name])


def test_an_apple_gpu_that_fails_is_lost(apple: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with load_engine("map", Settings(backend="torch")) as engine:
        full = RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)")

        def forward(*_: object) -> None:
            raise full

        monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
        with pytest.raises(EngineLost, match="The GPU stopped working .* MPS backend out of mem"):
            engine.infer(random_inputs("map", 1))


def test_a_mac_whose_gpu_torch_cannot_use_says_so(
    apple: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(EngineUnavailable, match=r"torch finds no Apple GPU \(MPS\) here"):
        backend("torch").probe()


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
