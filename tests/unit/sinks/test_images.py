"""Writing photos: complete files, honest metadata, or one clear sentence and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_unmask.errors import OutputError
from realtime_unmask.sinks.images import write_map, write_picture, write_whole

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_pixels_come_back_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.png"
    write_picture(path, NOISE, reconstructed=True)
    assert np.array_equal(np.asarray(Image.open(path)), NOISE)


def test_alpha_comes_back(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", NOISE, alpha=NOISE[..., 0], reconstructed=False)
    read = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(read, np.dstack([NOISE, NOISE[..., 0]]))


def test_a_painted_picture_says_so_and_another_does_not(tmp_path: Path) -> None:
    write_picture(tmp_path / "painted.png", NOISE, reconstructed=True)
    write_picture(tmp_path / "same.png", NOISE, reconstructed=False)
    painted = Image.open(tmp_path / "painted.png").text  # type: ignore[attr-defined]
    assert painted["Software"].startswith("Realtime Unmask")
    for key in ("Description", "Comment"):
        assert "AI-reconstructed" in painted[key]
        assert "a plausible guess, not the person; not for identification." in painted[key]
    assert Image.open(tmp_path / "same.png").text == {}  # type: ignore[attr-defined]


def test_map_is_8_bit_grey(tmp_path: Path) -> None:
    write_map(tmp_path / "a.png", NOISE[..., 0])
    read = Image.open(tmp_path / "a.png")
    assert read.mode == "L"
    assert np.array_equal(np.asarray(read), NOISE[..., 0])


def test_new_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_map(tmp_path / "a.png", NOISE[..., 0])
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def write(file: object) -> None:
        file.write(b"half of the n")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, write)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_by_now_is_left_alone_unless_it_may_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:  # as on a disk that has none
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.png"
    write_map(path, NOISE[..., 0], replace=False)
    first = path.read_bytes()
    with pytest.raises(OutputError, match=r"a\.png was not there .* another run"):
        write_map(path, NOISE[..., 1], replace=False)
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["a.png"]
    write_map(path, NOISE[..., 1])
    assert path.read_bytes() != first


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_folders_that_were_made_for_nothing_go_and_others_stay(
    tmp_path: Path, fault: BaseException
) -> None:
    def write(file: object) -> None:
        raise fault

    (tmp_path / "theirs").mkdir()
    for name in ("theirs/a.png", "theirs/new/deep/a.png"):
        with pytest.raises((KeyboardInterrupt, OutputError)):
            write_whole(tmp_path / name, write)
        assert not list((tmp_path / "theirs").iterdir())


def test_full_disk_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    def write(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"a\.png cannot be written \(No space left"):
        write_whole(tmp_path / "a.png", write)
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_map(tmp_path / "file" / "a.png", NOISE[..., 0])


def test_a_link_stays_one(tmp_path: Path) -> None:
    write_map(tmp_path / "there.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "link.png").symlink_to("there.png")
    write_map(tmp_path / "link.png", np.full((4, 4), 9, np.uint8))
    assert (tmp_path / "link.png").is_symlink()
    assert np.asarray(Image.open(tmp_path / "there.png")).max() == 9


def test_a_link_to_what_is_not_there_yet_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("disk/there.png")
    write_map(tmp_path / "link.png", NOISE[..., 0])
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "disk/there.png").is_file()


def test_longest_legal_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    write_map(path, NOISE[..., 0])
    assert path.is_file()
