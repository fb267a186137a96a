"""The engines' contract kept by torch on the CPU; needs torch, so `make test-training` runs it."""

from __future__ import annotations

from collections.abc import Mapping
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
from realtime_unmask.settings import Settings
from tests.unit.inference.tiny import Float32, random_inputs

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
