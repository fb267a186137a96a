"""The seeds' networks: what they must come to, and how far ours are ahead. Ratios only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from realtime_unmask.bench import networks, run, seeds
from realtime_unmask.errors import UsageError
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.settings import Settings


@pytest.fixture(scope="module")
def pair() -> dict[str, seeds.Seed]:
    return {name: seeds.build(name) for name in seeds.GMAC}


def test_the_seeds_come_to_the_published_size(pair: dict[str, seeds.Seed]) -> None:
    assert pair["map"].macs / 1e9 == pytest.approx(12.7, abs=0.05)
    assert pair["map"].weights / 1e6 == pytest.approx(34.5, abs=0.1)
    assert pair["editor"].macs / 1e9 == pytest.approx(7.9, abs=0.05)
    assert pair["editor"].weights / 1e6 == pytest.approx(3.3, abs=0.1)


def test_the_multiply_adds_are_those_of_the_file(pair: dict[str, seeds.Seed]) -> None:
    """Counted again from the ONNX graph, shapes by onnx's own inference."""
    for seed in pair.values():
        model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(seed.onnx))
        onnx.checker.check_model(model)
        weights = {w.name: tuple(w.dims) for w in model.graph.initializer}
        sides = {
            v.name: v.type.tensor_type.shape.dim[2].dim_value for v in model.graph.value_info
        }
        sides["image"] = sides["made"] = seeds.SIDE
        macs = 0
        for node in model.graph.node:
            if node.op_type == "Conv":
                macs += int(np.prod(weights[node.input[1]])) * sides[node.output[0]] ** 2
            elif node.op_type == "ConvTranspose":
                macs += int(np.prod(weights[node.input[1]])) * sides[node.input[0]] ** 2
        assert macs == seed.macs


def test_another_seed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(seeds.GMAC, "editor", 9.0)
    with pytest.raises(ValueError, match=r"7\.89 GMAC, not 9"):
        seeds.build("editor")


def test_the_same_seed_is_built_every_time(pair: dict[str, seeds.Seed]) -> None:
    again = seeds.build("editor").onnx
    assert hashlib.sha256(again).digest() == hashlib.sha256(pair["editor"].onnx).digest()


def test_our_networks_are_many_times_faster_than_the_seeds() -> None:
    """At four times the pixels, on the default backend, turn by turn in one process."""
    settings = Settings(backend="openvino")
    with load_engine("map", settings) as mapper, load_engine("editor", settings) as editor:
        for _ in range(3):  # other work on the machine makes them more alike
            found = networks.compare(mapper, editor, 0, [], rounds=4)
            assert found is not None
            fast = found.against_fp32 >= 8
            fast = fast and (found.against_same is None or found.against_same >= 4)
            if fast:
                break
    assert fast, found


def test_a_network_of_ones_own_is_timed_as_well(tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(seeds.build("editor").onnx)
    settings = Settings(backend="onnxruntime")
    with load_engine("map", settings) as mapper, load_engine("editor", settings) as editor:
        found = networks.compare(mapper, editor, 0, [mine], rounds=1)
    assert found is not None
    assert found.others_ms["mine.onnx"] > 0
    assert found.precision == "fp32" and found.against_same == found.against_fp32


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "cannot be read (No such file or directory)"),
        ("odd", "is no ONNX network"),
        ("half", "is no ONNX network, or is damaged"),
        ("open", "leaves more sizes of its input open"),
        ("strange", "Frobnicate"),
    ],
)
def test_what_cannot_be_run_is_named_with_the_reason(
    tmp_path: Path, backend: str, name: str, words: str
) -> None:
    whole = seeds.build("editor").onnx
    content = {
        "odd": b"odd",
        "half": whole[: len(whole) // 2],
        "open": model("Relu", [1, 3, "h", "w"]),
        "strange": model("Frobnicate", [1, 3, 8, 8]),
    }
    path = tmp_path / f"{name}.onnx"
    if name in content:
        path.write_bytes(content[name])
    with pytest.raises(UsageError) as caught:
        networks.other(path, backend, "fp32", 0)
    said = str(caught.value)
    assert str(path) in said and words in said
    assert ".cpp" not in said and "\n" not in said


def model(kind: str, shape: list[int | str]) -> bytes:
    """An ONNX network of one layer."""
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 17)]
    made: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return made


def test_networks_are_tried_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.start, "launch", lambda _: pytest.fail("it was measured"))
    path = tmp_path / "mine.onnx"
    for content in (b"odd", model("Frobnicate", [1, 3, 8, 8])):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="mine.onnx"):
            run.measure(
                Settings(backend="openvino"), (640, 480), 1, 1.0, [path],
                lambda: pytest.fail("a window was opened"), lambda _: None,
            )  # fmt: skip
    path.write_bytes(model("Relu", [1, 3, 8, 8]))
    networks.try_out([path], Settings(backend="openvino"))
