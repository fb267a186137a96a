"""Weights are read exactly, and a file that lies about its sizes is refused."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_unmask.inference.safetensors_file import read_tensors

ENGINES = Path(__file__).resolve().parents[3] / "engines"
ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def packed(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_arrays_come_back_with_names_shapes_and_values() -> None:
    first = np.arange(6, dtype="<f4").reshape(2, 3)
    second = np.array([0.5, -1.5], "<f2")
    header = {
        "__metadata__": {"architecture": "map-1"},
        "second": {"dtype": "F16", "shape": [2], "data_offsets": [24, 28]},
        "first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    }
    made = read_tensors(packed(header, first.tobytes() + second.tobytes()))
    assert made.keys() == {"first", "second"}
    np.testing.assert_array_equal(made["first"], first)
    np.testing.assert_array_equal(made["second"], second)
    assert all(value.dtype == np.float32 and value.flags.writeable for value in made.values())


def test_scalar() -> None:
    header = {"one": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}
    assert read_tensors(packed(header, struct.pack("<f", 2.5)))["one"] == 2.5


@pytest.mark.parametrize("name", ["map", "editor"])
def test_shipped_weights(name: str) -> None:
    made = read_tensors((ENGINES / f"{name}.safetensors").read_bytes())
    assert len(made) > 20
    assert all(np.isfinite(value).all() for value in made.values())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "header is too long"),
        (b"\x01", "header is too long"),
        (struct.pack("<Q", 2**63) + b"{}", "header is too long"),
        (struct.pack("<Q", 3) + b"{}", "header is too long"),
        (packed(b"[]"), "not a table"),
        (packed({"a": 1}), "agreed form"),
        (packed({"a": {**ONE, "more": 1}}, bytes(8)), "agreed form"),
        (packed({"a": {**ONE, "dtype": "I64"}}, bytes(8)), "another type"),
        (packed({"a": {**ONE, "dtype": ["F32"]}}, bytes(8)), "another type"),
        (packed({"a": {**ONE, "shape": [-2]}}, bytes(8)), "sizes of 'a'"),
        (packed({"a": {**ONE, "shape": [True, 2]}}, bytes(8)), "sizes of 'a'"),
        (packed({"a": {**ONE, "shape": [1] * 9}}, bytes(8)), "sizes of 'a'"),
        (packed({"a": {**ONE, "data_offsets": [0]}}, bytes(8)), "sizes of 'a'"),
        (packed({"a": {**ONE, "shape": [3]}}, bytes(8)), "place of 'a'"),
        (packed({"a": ONE}, bytes(7)), "place of 'a'"),
        (packed({"a": ONE, "b": ONE}, bytes(8)), "place of 'b'"),
        (packed({"a": ONE}, bytes(9)), "belong to no array"),
        (packed(b'{"a": {}, "a": {}}'), "stands twice"),
        (packed(b"[" * 200_000), "nested too deeply"),
        (packed(b"\xff\xfe"), "codec"),
    ],
)
def test_file_that_is_not_well_formed_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_tensors(data)


def test_damaged_files_are_refused_or_read_but_never_crash() -> None:
    header = {"a": ONE, "b": {"dtype": "F16", "shape": [2, 2], "data_offsets": [8, 16]}}
    sound = packed(header, bytes(16))
    rng = random.Random(0)
    refused = 0
    for _ in range(2000):
        broken = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            read_tensors(bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])]))
        except ValueError:
            refused += 1
    assert refused > 1000
