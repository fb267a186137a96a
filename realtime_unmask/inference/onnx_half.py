"""An fp32 network -> the same in fp16, as an ONNX file, without any ONNX package.

TensorRT computes in the types that the file says. Inputs and outputs stay float32; averages over
whole planes are taken in fp32, since thousands of halves do not add up well. The file's protobuf is
rewritten field by field; what is not understood here is refused rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from realtime_unmask.inference import protobuf
from realtime_unmask.inference.protobuf import BYTES, VARINT, Value, fields

# Field numbers of onnx.proto3.
_MODEL_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 2, 8, 9
_FLOAT, _HALF = 1, 10
_LARGEST_HALF = 65504.0

# Operators whose output has the type of their first input, and no float32 inside.
_PLAIN = frozenset(
    "Add AveragePool Clip Concat Conv ConvTranspose DepthToSpace Flatten Gemm GlobalAveragePool "
    "HardSigmoid Identity LeakyRelu MaxPool Mul PRelu Relu Reshape Sigmoid Slice SpaceToDepth "
    "Squeeze Sub Tanh Transpose Unsqueeze".split()
)
_AVERAGES = frozenset({"ReduceMean"})
_RESIZE = "Resize"
# The sizes that Resize takes are float32 by ONNX's rules: its second and third input.
_RESIZE_KEPT = (1, 2)


def to_half(model: bytes) -> bytes:
    """The ONNX file `model` with fp16 weights and arithmetic between float32 inputs and outputs.

    Raises:
        ValueError: it is not well formed, or holds something that has no fp16 form known here.
    """
    made = bytearray()
    for number, wire, value in fields(memoryview(model)):
        if number == _MODEL_GRAPH and isinstance(value, memoryview):
            made += protobuf.field(number, BYTES, _graph(value))
        else:
            made += protobuf.field(number, wire, value)
    return bytes(made)


def _graph(graph: memoryview) -> bytes:
    rows = list(fields(graph))
    inputs = [_name(value, 1) for number, _, value in rows if number == _INPUT]
    outputs = [_name(value, 1) for number, _, value in rows if number == _OUTPUT]
    nodes = [_message(value) for number, _, value in rows if number == _NODE]
    kept = {
        _text(names[at])
        for node in nodes
        if _text(_all(node, _NODE_KIND)[0]) == _RESIZE
        for names in [_all(node, _NODE_INPUT)]
        for at in _RESIZE_KEPT
        if at < len(names)
    }
    made = bytearray()
    for name in inputs:
        made += _node(_cast(name, _inner(name), _HALF))
    renamed = set(inputs) | set(outputs)
    for node in nodes:
        made += b"".join(_node(one) for one in _converted(node, renamed))
    for name in outputs:
        made += _node(_cast(_inner(name), name, _FLOAT))
    for number, wire, value in rows:
        if number == _INITIALIZER and _name(value, _TENSOR_NAME) not in kept:
            made += protobuf.field(number, wire, _half_tensor(_message(value)))
        elif number not in (_NODE, _VALUE_INFO):  # the types in value_info are those of before
            made += protobuf.field(number, wire, value)
    return bytes(made)


def _converted(node: memoryview, renamed: set[str]) -> Iterable[bytes]:
    """The node or nodes that do the same in fp16, with the inner names of inputs and outputs."""
    kind = _text(_all(node, _NODE_KIND)[0])
    if kind not in _PLAIN | _AVERAGES | {_RESIZE}:
        raise ValueError(f"no fp16 form of the operator {kind} is known")
    made = bytearray()
    first, result = "", ""
    for number, wire, value in fields(node):
        if number in (_NODE_INPUT, _NODE_OUTPUT):
            name = _text(value)
            name = _inner(name) if name in renamed else name
            if kind in _AVERAGES and number == _NODE_OUTPUT:
                result, name = name, f"{name}/full"
            elif kind in _AVERAGES and not first:
                first, name = name, f"{name}/full/{_text(_all(node, _NODE_OUTPUT)[0])}"
                before = _cast(first, name, _FLOAT)
            made += protobuf.text(number, name)
        else:
            made += protobuf.field(number, wire, value)
    if kind not in _AVERAGES:
        return [bytes(made)]
    return [before, bytes(made), _cast(f"{result}/full", result, _HALF)]


def _half_tensor(tensor: memoryview) -> bytes:
    """A tensor with fp16 values where it had float32 ones."""
    kind = [value for number, _, value in fields(tensor) if number == _TENSOR_TYPE]
    if kind != [_FLOAT]:
        return bytes(tensor)
    made = bytearray()
    found = False
    for number, wire, value in fields(tensor):
        if number == _TENSOR_TYPE:
            value = _HALF
        elif number == _TENSOR_RAW and isinstance(value, memoryview):
            values = np.frombuffer(value, "<f4")
            if not (np.abs(values) <= _LARGEST_HALF).all():
                raise ValueError("a weight is too large for fp16")
            made += protobuf.field(number, wire, values.astype("<f2").tobytes())
            found = True
            continue
        made += protobuf.field(number, wire, value)
    if not found:
        raise ValueError("a weight is not stored as raw bytes")
    return bytes(made)


def _cast(source: str, target: str, kind: int) -> bytes:
    attribute = (
        protobuf.text(1, "to")
        + protobuf.field(3, VARINT, kind)
        + protobuf.field(20, VARINT, 2)  # the attribute is an integer
    )
    return (
        protobuf.text(_NODE_INPUT, source)
        + protobuf.text(_NODE_OUTPUT, target)
        + protobuf.text(_NODE_NAME, f"cast to {target}")
        + protobuf.text(_NODE_KIND, "Cast")
        + protobuf.field(_NODE_ATTRIBUTE, BYTES, attribute)
    )


def _node(content: bytes) -> bytes:
    return protobuf.field(_NODE, BYTES, content)


def _inner(name: str) -> str:
    return f"{name}/half"


def _message(value: Value) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError("a number stands where a message should")
    return value


def _all(message: memoryview, wanted: int) -> list[memoryview]:
    found = [_message(value) for number, _, value in fields(message) if number == wanted]
    if not found and wanted == _NODE_KIND:
        raise ValueError("a node names no operator")
    return found


def _name(value: Value, number: int) -> str:
    found = _all(_message(value), number)
    return _text(found[0]) if found else ""


def _text(value: Value) -> str:
    return bytes(_message(value)).decode()
