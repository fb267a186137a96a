"""Data files: one that is damaged, or something else, is a sentence with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import files
from training.labelled import load_real_masks
from training.shards import Faces, load_shards, packed, save_shard


def saved(path: Path, faces: Faces, **changes: Any) -> None:
    np.savez(path, allow_pickle=False, **(packed(faces) | changes))


def spoil(path: Path, how: str, faces: Faces) -> None:
    """Make a file that is no shard."""
    count = len(faces)
    if how == "text":
        path.write_text("no shard")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut short":
        save_shard(path, faces)
        path.write_bytes(path.read_bytes()[:-2000])
    elif how == "flipped":
        save_shard(path, faces)
        content = bytearray(path.read_bytes())
        content[5000] ^= 255
        path.write_bytes(content)
    elif how == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif how == "folder":
        path.mkdir()
    else:
        change = {
            "no pictures": {"offsets": np.zeros(count + 1, int)},
            "offsets beyond": {"offsets": packed(faces)["offsets"] * 2},
            "fewer names": {"name": faces.name[:-1]},
            "no mesh": {"landmarks": np.zeros((count, 5, 2), np.float16)},
            "no number": {"corners": np.full((count, 4, 2), np.nan, np.float32)},
        }[how]
        saved(path, faces, **change)


HOW = ["text", "empty", "cut short", "flipped", "one array", "folder", "no pictures",
       "offsets beyond", "fewer names", "no mesh", "no number"]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_shard_is_named(how: str, faces: Faces, tmp_path: Path) -> None:
    save_shard(tmp_path / "faces-000.npz", faces)
    assert len(load_shards(tmp_path)) == len(faces)
    spoil(tmp_path / "faces-001.npz", how, faces)
    with pytest.raises(ValueError, match=r"faces-001\.npz is damaged, or not a shard of `prepare`"):
        load_shards(tmp_path)


@pytest.mark.parametrize("how", ["text", "cut short", "no mesh"])
def test_a_damaged_file_of_labelled_photographs_is_named(
    how: str, faces: Faces, tmp_path: Path
) -> None:
    spoil(tmp_path / "real.npz", how, faces)
    with pytest.raises(ValueError, match=r"real\.npz is damaged, or not a file of `harvest`"):
        load_real_masks(tmp_path / "real.npz")


def test_a_shard_is_no_file_of_labelled_photographs(faces: Faces, tmp_path: Path) -> None:
    save_shard(tmp_path / "faces-000.npz", faces)
    with pytest.raises(ValueError, match=r"\(no 'maps' in it\)"):
        load_real_masks(tmp_path / "faces-000.npz")


@pytest.mark.parametrize(
    "content", [b"file,set\na,b\n", b"", b"\xff\x00", b"file,split\na\n", b"file,split\na,b,c\n",
                b'file,split\n"a,b\n']
)  # fmt: skip
def test_a_damaged_table_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"faces\.csv is damaged, or not a CSV file"):
        files.rows(tmp_path / "faces.csv", "file", "split")


def test_a_text_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"names\.txt is damaged, or not a text"):
        files.lines(tmp_path / "names.txt")
