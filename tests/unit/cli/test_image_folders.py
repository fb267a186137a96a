"""`image`: each picture of a folder is done or refused in one line, and the rest is finished."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Command, Opened
from .photos import photo

pytestmark = pytest.mark.usefixtures("here")


def test_folders_are_searched_and_mirrored(command: Command) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/deep/er/b.c.png"))
    ran = command("image", "in", "-o", "out", "--maps", "maps")
    assert ran.code == 0
    for folder in ("out", "maps"):
        assert Path(folder, "a.png").is_file()
        assert Path(folder, "deep/er/b.c.png").is_file()


def test_nasty_folder_is_finished_and_each_failure_is_one_line(command: Command) -> None:
    photo(Path("in/good.png"))
    photo(Path("in/last.png"))
    photo(Path("in/one_pixel.png"), size=(1, 1))
    Image.fromarray(np.full((8, 8), 60000, np.uint16)).save("in/deep.png")
    Image.new("CMYK", (8, 8)).save("in/cmyk.jpg")
    Image.new("1", (20_000, 6_000)).save("in/huge.png")
    whole = Path("in/good.png").read_bytes()
    Path("in/corrupt.png").write_bytes(whole[: len(whole) // 2])
    Path("in/text.jpg").write_text("Dear diary")
    Path("in/notes.txt").write_text("Dear diary")
    Path("in/raw.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    Path("in/.DS_Store").write_text("")
    ran = command("image", "in", "-o", "out", "--json", "report.json")
    assert ran.code == 1
    assert len(ran.err) == 3
    for name in ("corrupt.png", "huge.png", "text.jpg"):
        assert sum(name in line for line in ran.err) == 1
    assert sorted(os.listdir("out")) == sorted(
        ["cmyk.png", "deep.png", "good.png", "last.png", "one_pixel.png"]
    )
    for name in ("notes.txt", "raw.HEIC"):
        why = f"{Path('in', name)}: not a picture that this program reads, passed over"
        assert why in ran.out
    assert ran.out[-1] == (
        "8 pictures: 2 unmasked, 1 without a mask, 2 without a face, 3 failed; "
        "3 other files passed over"
    )
    files = {Path(f["input"]).name: f for f in json.loads(Path("report.json").read_text())["files"]}
    assert files["deep.png"]["notes"] == ["16 bits a channel were reduced to 8"]
    assert files["notes.txt"]["status"] == "skipped"
    assert files["corrupt.png"]["status"] == "failed"
    assert "corrupt.png" in files["corrupt.png"]["error"]


def test_folder_of_pictures_of_other_kinds_is_not_called_empty(command: Command) -> None:
    Path("in").mkdir()
    Path("in/me.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    ran = command("image", "in", "-o", "out")
    assert ran.code == 2
    assert ran.err == [
        "error: There is no picture in in that this program reads: PNG, JPEG, WEBP, BMP, TIFF, "
        "GIF. Give a folder that has some, or save others as JPEG or PNG first."
    ]


def test_jpeg_under_the_name_that_windows_gives_it_is_found_in_a_folder(command: Command) -> None:
    photo(Path("in/me.png"))
    Path("in/me.png").rename("in/me.jfif")
    assert command("image", "in", "-o", "out").code == 0
    assert Path("out/me.png").is_file()


def test_named_file_that_is_no_picture_or_not_there_fails_and_the_rest_is_done(
    command: Command,
) -> None:
    photo(Path("me.png"))
    Path("notes.txt").write_text("Dear diary")
    ran = command("image", "gone.png", "notes.txt", "me.png", "-o", "out")
    assert ran.code == 1
    assert len(ran.err) == 2
    assert "There is no file gone.png" in ran.err[0]
    assert "notes.txt is not a picture" in ran.err[1]
    assert Path("out/me.png").is_file()


def test_same_file_given_twice_is_done_once(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    ran = command("image", "in", Path("in/a.png"), "-o", "out")
    assert ran.code == 0
    assert here.unmaskers[0].calls == 1


def test_results_inside_the_input_folder_are_not_eaten(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    arguments = ("image", "in", "-o", "in/unmasked", "--maps", "in/maps", "--force")
    for _ in range(2):
        assert command(*arguments).code == 0
    assert [unmasker.calls for unmasker in here.unmaskers] == [1, 1]
    assert not Path("in/unmasked/unmasked").exists()


def test_links_and_hidden_folders_are_passed_over(command: Command) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/.trash/b.png"))
    Path("in/loop").symlink_to(Path("."))
    ran = command("image", "in", "-o", "out")
    assert ran.code == 0
    assert os.listdir("out") == ["a.png"]
    assert "2 other files passed over" in ran.out[-1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_unreadable_folder_is_a_failure(command: Command) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/locked/b.png"))
    Path("in/locked").chmod(0)
    try:
        ran = command("image", "in", "-o", "out")
    finally:
        Path("in/locked").chmod(0o700)
    assert ran.code == 1
    assert "cannot be listed" in ran.err[0]
