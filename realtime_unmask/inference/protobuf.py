"""Reads and writes protobuf messages field by field: all that ONNX files ask for here."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = memoryview | int


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """The (number, wire type, value) of each field of one message; a varint's value is an int.

    Raises:
        ValueError: it is not well formed.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"there is no wire type {wire}")
        if length > len(data) - at:
            raise ValueError("it ends too soon")
        yield number, wire, data[at : at + length]
        at += length


def field(number: int, wire: int, value: Value | bytes) -> bytes:
    """One field, as `fields` gives it."""
    key = _coded(number << 3 | wire)
    if isinstance(value, int):
        return key + _coded(value)
    return key + (_coded(len(value)) if wire == BYTES else b"") + bytes(value)


def text(number: int, value: str) -> bytes:
    """A field that holds a string."""
    return field(number, BYTES, value.encode())


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("it ends too soon")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number in it is too long")


def _coded(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
