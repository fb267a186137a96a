"""fp16 networks made from the shipped ones: valid, of the same signature, and close."""

from __future__ import annotations

import random

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from realtime_unmask.faces.alignment import align, crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import NetworkFiles
from realtime_unmask.inference.manifest import INPUTS, Network
from realtime_unmask.inference.onnx_half import to_half
from realtime_unmask.unmask.map import normalise

from .tiny import editor_model, map_model

NETWORKS: tuple[Network, ...] = ("map", "editor")


def run(model: bytes, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    made: list[NDArray[np.float32]] = session.run(None, inputs)
    return made


@pytest.fixture(scope="module")
def batch(portrait: NDArray[np.uint8], detector: Detector) -> dict[str, NDArray[np.float32]]:
    """A real masked face, and the same with its lower half blanked."""
    alignment = align(detector.find(portrait, 1)[0], 256)
    image = normalise(crop(portrait, alignment))[None]
    hole = np.zeros_like(image[:, :1])
    hole[:, :, 130:230, 60:200] = 1
    return {
        "image": image * (1 - hole),
        "map": hole,
        "prior": np.zeros_like(image),
        "prior_weight": np.zeros_like(hole),
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_shipped_network_stays_itself(
    network: Network, batch: dict[str, NDArray[np.float32]]
) -> None:
    model = NetworkFiles.read(network).onnx
    half = to_half(model)
    assert len(half) < 0.6 * len(model)
    inputs = {name: batch[name] for name in INPUTS[network]}
    for full, made in zip(run(model, inputs), run(half, inputs), strict=True):
        assert made.dtype == np.float32
        levels = np.abs(made - full) * (127.5 if full.min() < 0 else 255)
        assert levels.max() <= 2
        assert levels.mean() <= 0.3


@pytest.mark.parametrize("network", NETWORKS)
def test_file_is_valid_and_has_the_same_inputs_and_outputs(network: Network) -> None:
    model = NetworkFiles.read(network).onnx
    before, after = onnx.load_from_string(model), onnx.load_from_string(to_half(model))
    onnx.checker.check_model(after, full_check=True)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    kinds = [tensor.data_type for tensor in after.graph.initializer]
    assert TensorProto.FLOAT16 in kinds
    # What Resize takes as its sizes has to stay float32.
    assert kinds.count(TensorProto.FLOAT) <= 1


def test_output_that_is_also_used_inside() -> None:
    model = editor_model()
    model.graph.node[2].input[0] = "rgb"
    model.graph.node[2].input[1] = "prior"
    inputs = {n: np.full((1, *s[1:]), 0.5, np.float32) for n, s in INPUTS["editor"].items()}
    rgb, confidence = run(to_half(model.SerializeToString()), inputs)
    assert (rgb == 0.75).all()
    assert (confidence == 0.375).all()


def test_average_is_taken_in_full_precision() -> None:
    """65,536 times 40 leaves the range of fp16 long before it is divided."""
    model = map_model()
    del model.graph.node[:], model.graph.initializer[:]
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        helper.make_node("ReduceMean", ["mean", "channel"], ["map"], keepdims=1),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "channel"))
    (mean,) = run(
        to_half(model.SerializeToString()), {"image": np.full((1, 3, 256, 256), 40, np.float32)}
    )
    assert mean.ravel().tolist() == [40.0]


def unknown_operator() -> bytes:
    model = map_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    return model.SerializeToString()


def large_weight() -> bytes:
    model = map_model()
    values = np.full((1, 3, 1, 1), 1e6, np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "weights"))
    return model.SerializeToString()


def weight_as_list() -> bytes:
    model = map_model()
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 3, 1, 1], [0.1, 0.2, 0.3])
    model.graph.initializer[0].CopyFrom(weights)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (unknown_operator(), "no fp16 form of the operator NoSuchOperator"),
        (large_weight(), "too large for fp16"),
        (weight_as_list(), "not stored as raw bytes"),
    ],
)
def test_what_has_no_fp16_form_is_refused(model: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_half(model)


def test_damaged_files_are_refused_or_converted_but_never_crash() -> None:
    sound = map_model().SerializeToString()
    rng = random.Random(0)
    refused = 0
    for _ in range(1500):
        broken = bytearray(sound)
        broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            to_half(bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])]))
        except ValueError:
            refused += 1
    assert refused > 300
