"""Reads a safetensors file: named arrays and nothing else, with every size checked first.

    8 bytes: length of the header | the header, JSON | the arrays' bytes, without gaps

A file is refused unless its arrays cover it exactly. Nothing in it is executed.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any

import numpy as np

from realtime_unmask.types import Float32

# Far above the shipped networks' headers (some 15 kB).
_MAX_HEADER = 2**20
_MAX_RANK = 8
_TYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}


def read_tensors(data: bytes) -> dict[str, Float32]:
    """The arrays of a safetensors file, by name, as float32 of their own.

    Raises:
        ValueError: the file is not well formed, or holds other kinds than 16 and 32 bit floats.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _MAX_HEADER):
        raise ValueError("its header is too long for the file")
    body = memoryview(data)[8 + length :]
    rows = _header(data[8 : 8 + length])
    arrays = {}
    reached = 0
    for name, (begin, end, kind, shape) in sorted(rows.items(), key=lambda row: row[1][:2]):
        if begin != reached or end - begin != prod(shape) * kind.itemsize or end > len(body):
            raise ValueError(f"the place of '{name}' in it is wrong")
        reached = end
        values = np.frombuffer(body[begin:end], kind).reshape(shape)
        arrays[name] = values.astype(np.float32)
    if reached != len(body):
        raise ValueError("it holds bytes that belong to no array")
    return arrays


def _header(text: bytes) -> dict[str, tuple[int, int, np.dtype[Any], tuple[int, ...]]]:
    try:
        table = json.loads(text.decode(), object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    if not isinstance(table, dict):
        raise ValueError("its header is not a table")
    table.pop("__metadata__", None)
    return {name: _row(name, row) for name, row in table.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands twice in its header")
    return table


def _row(name: str, row: Any) -> tuple[int, int, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(row, dict) or row.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of '{name}' is not of the agreed form")
    if row["dtype"] not in ("F16", "F32"):
        raise ValueError(f"'{name}' is of another type than F16 or F32")
    shape, place = row["shape"], row["data_offsets"]
    if not _sizes(shape) or len(shape) > _MAX_RANK or not _sizes(place) or len(place) != 2:
        raise ValueError(f"the sizes of '{name}' are wrong")
    return place[0], place[1], _TYPES[row["dtype"]], tuple(shape)


def _sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**40 for n in values)
