"""What an ONNX file asks for is seen without an ONNX package, also in odd and broken files."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from realtime_unmask.inference.onnx_file import uses_external_data

from .tiny import editor_model, map_model


def external(name: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../elsewhere")
    return tensor


def branch(weight: TensorProto) -> onnx.GraphProto:
    """A graph whose only tensor hides in a node's attribute."""
    return helper.make_graph([helper.make_node("Constant", [], ["x"], value=weight)], "g", [], [])


@pytest.mark.parametrize("make", [map_model, editor_model])
def test_single_file_network_is_clean(make: object) -> None:
    assert callable(make)
    assert uses_external_data(make().SerializeToString()) is False


def test_external_initializer_is_seen() -> None:
    model = map_model()
    model.graph.initializer.append(external("more"))
    assert uses_external_data(model.SerializeToString())


def test_external_tensor_in_an_attribute_of_a_branch_is_seen() -> None:
    choice = helper.make_node("If", ["c"], ["x"], then_branch=branch(external("w")))
    outer = helper.make_graph([choice], "g", [], [])
    assert uses_external_data(helper.make_model(outer).SerializeToString())


def test_external_tensor_in_a_function_is_seen() -> None:
    model = map_model()
    nodes = list(branch(external("w")).node)
    model.functions.append(helper.make_function("d", "f", [], ["x"], nodes, []))
    assert uses_external_data(model.SerializeToString())


def test_external_sparse_tensor_is_seen() -> None:
    model = map_model()
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(external("values"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([0]), "indices"))
    assert uses_external_data(model.SerializeToString())


@pytest.mark.parametrize("data", [b"", b"not a network", b"\x00" * 64, b"\xff" * 64, b"\x3a\x80"])
def test_not_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        uses_external_data(data)


def test_file_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="ends too soon"):
        uses_external_data(map_model().SerializeToString()[:-40])


def test_bottomless_nesting_is_refused() -> None:
    graph = branch(external("w"))
    for _ in range(20):
        graph = helper.make_graph(
            [helper.make_node("If", ["c"], ["x"], then_branch=graph)], "g", [], []
        )
    with pytest.raises(ValueError, match="nested too deeply"):
        uses_external_data(helper.make_model(graph).SerializeToString())


def test_mutated_files_raise_nothing_else() -> None:
    original = np.frombuffer(map_model().SerializeToString(), np.uint8)
    rng = np.random.default_rng(7)
    for _ in range(500):
        data = original.copy()
        data[rng.integers(len(data), size=3)] = rng.integers(256, size=3)
        try:
            uses_external_data(data.tobytes())
        except ValueError:
            pass
