"""Networks in 8 bits: what is measured, what is refused, and what the program then loads."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.manifest import INPUTS, Manifest, Network, read_network
from realtime_unmask.settings import Settings
from training.quantise import Loss, check, inputs, quantise, samples, score
from training.shards import Faces


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    """The shipped networks, of which none is in 8 bits."""
    shipped = resources.folder("engines")
    manifest = Manifest.load(shipped)
    for entry in manifest.networks.values():
        copy(shipped / entry.file, tmp_path)
    plain = {n: replace(e, int8="", int8_sha256="") for n, e in manifest.networks.items()}
    Manifest(plain).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("network", ["map", "editor"])
def test_samples_are_what_the_program_hands_over(network: Network, faces: Faces) -> None:
    made = samples(network, faces, 3, prior=False)
    again = samples(network, faces, 3, prior=False)
    for one, other in zip(made, again, strict=True):
        given = inputs(network, one)
        assert list(given) == list(INPUTS[network])
        for name, shape in INPUTS[network].items():
            assert given[name].shape == (1, *shape[1:]) and given[name].dtype == np.float32
            assert np.array_equal(given[name], inputs(network, other)[name])
    if network == "editor":
        given = inputs(network, made[0])
        assert not (given["image"] * given["map"]).any()
        assert not given["prior"].any() and not given["prior_weight"].any()


@pytest.mark.parametrize("network", ["map", "editor"])
def test_the_score_falls_when_the_weights_are_spoilt(
    network: Network, faces: Faces, engines: Path
) -> None:
    """The same file scores the same; one with random weights scores less."""
    import onnx
    from onnx import numpy_helper

    model = read_network(engines, Manifest.load(engines).entry(network))
    held = samples(network, faces, 4, prior=False)
    whole = score(network, model, held)
    assert score(network, model, held) == whole
    spoilt = onnx.load_model_from_string(model)
    rng = np.random.default_rng(1)
    for weight in spoilt.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.ndim == 4:
            noise = rng.standard_normal(values.shape).astype(np.float32) * values.std()
            weight.CopyFrom(numpy_helper.from_array(noise, weight.name))
    assert score(network, spoilt.SerializeToString(), held) < whole


@pytest.mark.parametrize(
    ("network", "before", "after", "passes"),
    [("editor", 22.0, 21.85, True), ("editor", 22.0, 21.7, False), ("map", 0.95, 0.946, True),
     ("map", 0.95, 0.94, False), ("editor", 22.0, float("nan"), False)],
)  # fmt: skip
def test_a_network_that_loses_too_much_is_refused(
    network: Network, before: float, after: float, passes: bool
) -> None:
    if passes:
        check(network, Loss(before, after))
        return
    with pytest.raises(ValueError, match="not written"):
        check(network, Loss(before, after))


def as_int8(engines: Path, network: Network, content: bytes, sha256: str | None = None) -> None:
    path = engines / f"{network}.int8.onnx"
    path.write_bytes(content)
    manifest = Manifest.load(engines)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    entry = replace(manifest.entry(network), int8=path.name, int8_sha256=digest)
    manifest.with_network(network, entry).save(engines)


def test_openvino_takes_the_file_in_8_bits_where_there_is_one(engines: Path) -> None:
    openvino = Settings(backend="openvino")
    with load_engine("map", openvino, engines) as engine:
        assert engine.spec.precision in ("bf16", "fp32")
    as_int8(engines, "map", (engines / "map.onnx").read_bytes())
    with load_engine("map", openvino, engines) as engine:
        assert engine.spec.precision == "int8"
    with load_engine("map", replace(openvino, precision="fp32"), engines) as engine:
        assert engine.spec.precision == "fp32"
    with load_engine("map", replace(openvino, backend="onnxruntime"), engines) as engine:
        assert engine.spec.precision == "fp32"


def test_8_bits_that_do_not_ship_cannot_be_had(engines: Path) -> None:
    for backend in ("openvino", "onnxruntime"):
        with pytest.raises(EngineUnavailable):
            load_engine("map", Settings(backend=backend, precision="int8"), engines)


def test_an_altered_file_in_8_bits_is_refused(engines: Path) -> None:
    as_int8(engines, "map", (engines / "map.onnx").read_bytes(), "0" * 64)
    with pytest.raises(EngineDamaged, match="int8"):
        load_engine("map", Settings(backend="openvino"), engines)


@pytest.mark.slow
def test_the_whole_step(faces: Faces, engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf", reason="needs nncf: pip install nncf")
    monkeypatch.setattr("training.quantise.CALIBRATION", 8)
    monkeypatch.setattr("training.quantise.CHECKED", 4)
    monkeypatch.setattr("training.quantise.check", lambda *_: None)
    monkeypatch.setattr("training.data.validation_faces", lambda all_of_them: all_of_them)
    monkeypatch.setattr("training.data.training_faces", lambda all_of_them: all_of_them)
    loss = quantise("map", faces, engines)
    assert np.isfinite(loss.after)
    with load_engine("map", Settings(backend="openvino"), engines) as engine:
        assert engine.spec.precision == "int8"
        made = engine.infer(inputs("map", samples("map", faces, 1, prior=False)[0]))
        assert made["map"].shape == (1, 1, 256, 256)
