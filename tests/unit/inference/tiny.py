"""Two networks with the real ones' inputs and outputs, and arithmetic that a test can repeat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from realtime_unmask.inference.manifest import (
    INPUTS,
    OUTPUTS,
    Manifest,
    Network,
    NetworkEntry,
    Shape,
)

Float32 = NDArray[np.float32]
WEIGHTS = np.array([0.1, 0.2, 0.3], np.float32).reshape(1, 3, 1, 1)


def map_model() -> onnx.ModelProto:
    """map = 0.1 R + 0.2 G + 0.3 B, as a convolution."""
    nodes = [helper.make_node("Conv", ["image", "weights"], ["map"])]
    return _model("map", nodes, [numpy_helper.from_array(WEIGHTS, "weights")])


def editor_model() -> onnx.ModelProto:
    """rgb = image + prior * prior_weight, confidence = map * map."""
    nodes = [
        helper.make_node("Mul", ["prior", "prior_weight"], ["trusted"]),
        helper.make_node("Add", ["image", "trusted"], ["rgb"]),
        helper.make_node("Mul", ["map", "map"], ["confidence"]),
    ]
    return _model("editor", nodes, [])


def expected(network: Network, inputs: Mapping[str, Float32]) -> dict[str, Float32]:
    """What the network of that name gives."""
    if network == "map":
        return {"map": (inputs["image"] * WEIGHTS).sum(1, keepdims=True, dtype=np.float32)}
    return {
        "rgb": inputs["image"] + inputs["prior"] * inputs["prior_weight"],
        "confidence": inputs["map"] * inputs["map"],
    }


def random_inputs(network: Network, batch: int, seed: int = 0) -> dict[str, Float32]:
    """Inputs of the right names and shapes."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.random((batch, *shape[1:]), np.float32)
        for name, shape in INPUTS[network].items()
    }


def write_network(folder: Path, network: Network, model: onnx.ModelProto) -> None:
    """Put a network into `folder` and its entry into the manifest there."""
    path = folder / f"{network}.onnx"
    path.write_bytes(model.SerializeToString())
    there = (folder / "manifest.json").exists()
    manifest = Manifest.load(folder) if there else Manifest({})
    manifest.with_network(network, NetworkEntry.describe(network, path)).save(folder)


def write_networks(folder: Path) -> Path:
    """Put both networks into `folder`."""
    write_network(folder, "map", map_model())
    write_network(folder, "editor", editor_model())
    return folder


def value_info(name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A tensor's declaration; None becomes the batch N."""
    return helper.make_tensor_value_info(name, kind, ["N" if n is None else n for n in shape])


def _model(
    network: Network, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        network,
        [value_info(name, shape) for name, shape in INPUTS[network].items()],
        [value_info(name, shape) for name, shape in OUTPUTS[network].items()],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
