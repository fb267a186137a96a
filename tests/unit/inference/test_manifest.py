"""The manifest: what is written is read again, and what is wrong is named in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime_unmask.errors import EngineDamaged
from realtime_unmask.inference import manifest
from realtime_unmask.inference.manifest import Manifest, NetworkEntry, read_network

from .test_onnx_file import external
from .tiny import map_model, write_network, write_networks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_networks(tmp_path)


def change(folder: Path, **fields: Any) -> None:
    """Set fields of the map's entry in the file."""
    path = folder / "manifest.json"
    table = json.loads(path.read_text())
    table["networks"]["map"].update(fields)
    path.write_text(json.dumps(table))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "editor.onnx").write_bytes(b"x")
    entry = NetworkEntry.describe(
        "editor", tmp_path / "editor.onnx", prior_supported=True, metrics={"psnr": 21.5},
        data=("omi", "aaf"), created="2026-11-21", opset=18,
    )  # fmt: skip
    Manifest({"editor": entry}).save(tmp_path)
    assert Manifest.load(tmp_path).entry("editor") == entry
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["editor.onnx", "manifest.json"]


def test_with_network_keeps_the_others(folder: Path) -> None:
    before = Manifest.load(folder)
    entry = NetworkEntry.describe("map", folder / "editor.onnx")
    after = before.with_network("map", entry)
    assert after.entry("map") == entry
    assert after.entry("editor") == before.entry("editor")


def test_unknown_keys_are_passed_over(folder: Path) -> None:
    change(folder, steps=1200)
    assert Manifest.load(folder).entry("map").file == "map.onnx"


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(EngineDamaged, match=r"manifest\.json cannot be read"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\x00", "nonsense", "[" * 100_000])
def test_manifest_that_is_not_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(EngineDamaged, match="is not valid JSON"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("table", [[], {}, {"networks": []}, {"networks": {"map": 1}}, None])
def test_manifest_of_another_form(tmp_path: Path, table: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(table))
    with pytest.raises(EngineDamaged, match="is damaged"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": "abc"},
        {"sha256": None},
        {"file": "../map.onnx"},
        {"file": "a/map.onnx"},
        {"file": "map.pkl"},
        {"inputs": {}},
        {"inputs": {"image": "all"}},
        {"outputs": {"map": [None, -1, 256, 256]}},
        {"prior_supported": "yes"},
        {"opset": True},
        {"data": "omi"},
    ],
)
def test_entry_with_a_wrong_value(folder: Path, fields: dict[str, Any]) -> None:
    change(folder, **fields)
    with pytest.raises(EngineDamaged, match="is damaged"):
        Manifest.load(folder)


def test_entry_that_lacks_a_field(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text('{"networks": {"map": {"file": "map.onnx"}}}')
    with pytest.raises(EngineDamaged, match="lacks inputs, outputs, sha256"):
        Manifest.load(folder)


def test_network_that_the_manifest_does_not_name(tmp_path: Path) -> None:
    write_network(tmp_path, "map", map_model())
    with pytest.raises(EngineDamaged, match="no 'editor' network"):
        Manifest.load(tmp_path).entry("editor")


def test_network_of_another_contract(folder: Path) -> None:
    change(folder, inputs={"image": [None, 3, 128, 128]})
    with pytest.raises(EngineDamaged, match=r"image \(N, 3, 128, 128\).*needs image"):
        Manifest.load(folder).entry("map")


def test_intact_file_is_read(folder: Path) -> None:
    entry = Manifest.load(folder).entry("map")
    assert read_network(folder, entry) == (folder / "map.onnx").read_bytes()


def test_altered_file_is_refused(folder: Path) -> None:
    path = folder / "map.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(EngineDamaged, match="SHA-256 differs"):
        read_network(folder, Manifest.load(folder).entry("map"))


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "map.onnx").unlink()
    with pytest.raises(EngineDamaged, match=r"map\.onnx cannot be read"):
        read_network(folder, Manifest.load(folder).entry("map"))


def test_oversized_file_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "MAX_BYTES", 100)
    entry = Manifest.load(folder).entry("map")
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("was read"))
    with pytest.raises(EngineDamaged, match="is larger than"):
        read_network(folder, entry)


def test_file_with_external_data_is_refused(tmp_path: Path) -> None:
    model = map_model()
    model.graph.initializer.append(external("more"))
    write_network(tmp_path, "map", model)
    with pytest.raises(EngineDamaged, match="keeps weights in other files"):
        read_network(tmp_path, Manifest.load(tmp_path).entry("map"))


def test_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.onnx").write_bytes(b"hello")
    entry = NetworkEntry.describe("map", tmp_path / "map.onnx")
    with pytest.raises(EngineDamaged, match="is not an ONNX network"):
        read_network(tmp_path, entry)
