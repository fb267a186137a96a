"""Writes small ONNX graphs, so that the benchmark needs no ONNX package. See onnx.proto3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from realtime_unmask.types import Float32

_INT, _INTS = 2, 7  # AttributeProto.AttributeType
_FLOAT32 = 1  # TensorProto.DataType
_IR_VERSION, _OPSET = 8, 13

Value = int | Sequence[int]


@dataclass(slots=True)
class Graph:
    """A network that is being written, one node after another."""

    nodes: list[bytes] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)

    def node(self, kind: str, inputs: Sequence[str], output: str, **values: Value) -> str:
        """Add an operation; returns its output's name."""
        parts = [_text(1, name) for name in inputs]
        parts += [_text(2, output), _text(3, output), _text(4, kind)]
        parts += [_message(5, _attribute(name, value)) for name, value in values.items()]
        self.nodes.append(b"".join(parts))
        return output

    def weight(self, name: str, values: Float32) -> str:
        """Add a constant; returns its name."""
        sizes = b"".join(_number(1, size) for size in values.shape)
        self.weights.append(
            sizes + _number(2, _FLOAT32) + _text(8, name) + _message(9, values.tobytes())
        )
        return name

    def model(
        self,
        inputs: Mapping[str, Sequence[int | None]],
        outputs: Mapping[str, Sequence[int | None]],
    ) -> bytes:
        """The ONNX file. A size of None is open, named N."""
        graph = b"".join(_message(1, node) for node in self.nodes) + _text(2, "graph")
        graph += b"".join(_message(5, weight) for weight in self.weights)
        graph += b"".join(_message(11, _tensor(*one)) for one in inputs.items())
        graph += b"".join(_message(12, _tensor(*one)) for one in outputs.items())
        return (
            _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _number(2, _OPSET))
        )


def _attribute(name: str, value: Value) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _INT)
    return _text(1, name) + b"".join(_number(8, one) for one in value) + _number(20, _INTS)


def _tensor(name: str, shape: Sequence[int | None]) -> bytes:
    sizes = b"".join(
        _message(1, _text(2, "N") if size is None else _number(1, size)) for size in shape
    )
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT32) + _message(2, sizes)))


def _number(field_number: int, value: int) -> bytes:
    return _varint(field_number << 3) + _varint(value)


def _text(field_number: int, value: str) -> bytes:
    return _message(field_number, value.encode())


def _message(field_number: int, value: bytes) -> bytes:
    return _varint(field_number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
