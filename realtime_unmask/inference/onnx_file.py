"""A look at an ONNX file before a backend parses it: does it ask for other files?

A network that keeps weights outside itself would make a backend open paths of the file's own
choosing, and its SHA-256 would not cover them. ONNX is protobuf; only the fields on the way to
a tensor's location are followed here, so that no ONNX package is needed at run time.
"""

from __future__ import annotations

from realtime_unmask.inference.protobuf import fields

# Message -> {field number: message inside}, after onnx.proto3. Functions reach graphs through
# their nodes, nodes through their attributes.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# Deeper than any real network; keeps a hostile file from exhausting the stack.
_DEPTH = 32


def uses_external_data(model: bytes) -> bool:
    """Whether any tensor of the ONNX file `model` says that its values are in another file.

    Raises:
        ValueError: it is not a well-formed ONNX file.
    """
    if not any(number == 7 for number, *_ in fields(memoryview(model))):
        raise ValueError("it holds no graph")
    return _external(memoryview(model), "model", _DEPTH)


def _external(data: memoryview, kind: str, depth: int) -> bool:
    if depth == 0:
        raise ValueError("its graphs are nested too deeply")
    for number, _, value in fields(data):
        if kind == "tensor" and number in (_EXTERNAL_DATA, _DATA_LOCATION):
            if number == _EXTERNAL_DATA or value != 0:
                return True
        inside = _INSIDE[kind].get(number)
        if inside is None:
            continue
        if not isinstance(value, memoryview):
            raise ValueError(f"field {number} of a {kind} is not a message")
        if _external(value, inside, depth - 1):
            return True
    return False
