"""`image`: every picture is done or refused in one clear line, and the rest is finished."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_unmask.cli.image_report import STATUSES
from realtime_unmask.errors import EngineError

from .conftest import FACE, MASK, PAINT, Opened, Ran

Command = Callable[..., Ran]


def photo(
    path: Path, *, faces: int = 1, masked: bool = True, size: tuple[int, int] = (24, 16)
) -> np.ndarray:
    """Write a PNG that FakeUnmasker understands; its pixels as (H, W, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[0, :faces] = FACE
    if masked:
        pixels[8:12, 4:9] = MASK
    Image.fromarray(pixels).save(path)
    return pixels


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened) -> Opened:
    monkeypatch.chdir(tmp_path)
    return opened


def test_one_photo_is_unmasked_and_told(command: Command) -> None:
    before = photo(Path("me.png"), faces=2)
    ran = command("image", "me.png", "-o", "out", "--maps", "maps")
    assert ran.code == 0
    assert ran.err == []
    assert ran.out == [
        f"[1/1] me.png: 2 faces, 1 mask -> {Path('out/me.png')}",
        "1 picture: 1 unmasked",
    ]
    after, painted = read(Path("out/me.png")), read(Path("maps/me.png"))
    assert (after[8:12, 4:9] == PAINT).all()
    assert np.array_equal(painted > 0, (before != after).any(axis=2))


def test_the_paint_follows_the_face_in_another_photo(command: Command, opened: Opened) -> None:
    photo(Path("me.png"))
    bare = photo(Path("bare.png"), masked=False)
    assert command("image", "me.png", "-o", "out", "--like", "bare.png").code == 0
    likeness = opened.unmaskers[0].likeness
    assert likeness is not None
    np.testing.assert_array_equal(likeness.crop, bare)


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ("nobody.png", "--like nobody.png: The picture shows no face"),
        ("text.png", "--like: text.png is"),
        ("gone.png", "--like: There is no file gone.png"),
        ("album", "--like: album is a folder. Name a picture."),
        ("clip.mp4", "--like: clip.mp4 looks like a video, not like a picture"),
    ],
)
def test_a_photo_that_shows_no_bare_face_ends_it_before_anything_is_written(
    command: Command, like: str, words: str
) -> None:
    photo(Path("me.png"))
    photo(Path("nobody.png"), faces=0, masked=False)
    Path("album").mkdir()
    for name in ("text.png", "clip.mp4"):
        Path(name).write_text("no picture")
    Path("report.json").write_text("of the run before")
    ran = command("image", "me.png", "-o", "out", "--like", like, "--json", "report.json", "-f")
    assert ran.code == 2 and not Path("out").exists()
    assert Path("report.json").read_text() == "of the run before"
    assert len(ran.err) == 1 and words in ran.err[0] and ran.err[0].count(like) == 1


def test_the_photo_to_follow_is_never_overwritten(command: Command) -> None:
    photo(Path("me.png"))
    bare = photo(Path("out/me.png"), masked=False)
    for more in (["-o", "out"], ["-o", "o", "--maps", "out"], ["-o", "o", "--json", "out/me.png"]):
        ran = command("image", "me.png", *more, "--like", "out/me.png", "-f")
        assert ran.code == 2 and "overwritten" in ran.err[0]
        np.testing.assert_array_equal(read(Path("out/me.png")), bare)


@pytest.mark.parametrize(("faces", "words"), [(0, "no face found"), (1, "1 face, no mask found")])
def test_photo_without_face_or_mask_is_written_unchanged_with_an_empty_map(
    command: Command, faces: int, words: str
) -> None:
    before = photo(Path("me.png"), faces=faces, masked=False)
    ran = command("image", "me.png", "-o", "out", "--maps", "maps")
    assert ran.code == 0
    assert f"{words}, written unchanged" in ran.out[0]
    assert np.array_equal(read(Path("out/me.png")), before)
    assert read(Path("maps/me.png")).shape == (16, 24)
    assert not read(Path("maps/me.png")).any()
    assert Image.open("out/me.png").text == {}


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


def test_report_has_its_documented_shape(command: Command) -> None:
    photo(Path("me.png"))
    command("image", "me.png", "gone.png", "-o", "out", "--json", "new/report.json")
    report = json.loads(Path("new/report.json").read_text())
    assert set(report) == {"format", "program", "complete", "seconds", "counts", "files"}
    assert report["format"] == 1
    assert report["complete"] is True
    assert report["counts"] == dict.fromkeys(STATUSES, 0) | {"unmasked": 1, "failed": 1}
    done, failed = report["files"]
    assert done.pop("seconds") >= 0
    assert done == {
        "input": "me.png",
        "output": str(Path("out/me.png")),
        "map": None,
        "status": "unmasked",
        "faces": 1,
        "masks": 1,
        "notes": [],
        "error": None,
    }
    assert set(failed) == {*done, "seconds"}
    assert failed["status"] == "failed"


def test_report_is_written_when_ctrl_c_ends_the_run(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/b.png"))
    here.fault = KeyboardInterrupt()
    ran = command("image", "in", "-o", "out", "--json", "report.json")
    assert ran.code == 130
    assert ran.err == ["stopped"]
    report = json.loads(Path("report.json").read_text())
    assert report["complete"] is False
    assert [file["status"] for file in report["files"]] == ["unmasked"]
    assert os.listdir("out") == ["a.png"]
    assert here.unmaskers[0].closed


def test_engine_that_fails_ends_the_run_with_its_sentence(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/b.png"))
    here.fault = EngineError("The engine is gone. Start again.")
    ran = command("image", "in", "-o", "out")
    assert ran.code == 1
    assert ran.err == ["error: The engine is gone. Start again."]


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        (["a.png", "a.jpg"], ["a.png", "a.jpg"]),
        (["in/a.png", "in/a.jpg"], ["in"]),
        (["x/a.png", "y/a.png"], ["x", "y"]),
    ],
)
def test_two_inputs_for_one_name_are_refused_before_work(
    command: Command, here: Opened, names: list[str], arguments: list[str]
) -> None:
    for name in names:
        photo(Path(name))
    ran = command("image", *arguments, "-o", "out")
    assert ran.code == 2
    assert len(ran.err) == 1
    for name in names:
        assert str(Path(name)) in ran.err[0]
    assert not Path("out").exists()
    assert here.unmaskers == []


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


@pytest.mark.parametrize("output", ["in", "in/."])
def test_results_among_the_inputs_are_refused(command: Command, output: str) -> None:
    photo(Path("in/a.png"))
    ran = command("image", "in", "-o", output)
    assert ran.code == 2
    assert "among the inputs" in ran.err[0]


@pytest.mark.parametrize("options", [["-o", "."], ["-o", "out", "--maps", "."]])
def test_input_is_never_replaced_even_by_force(command: Command, options: list[str]) -> None:
    photo(Path("a.png"))
    before = Path("a.png").read_bytes()
    ran = command("image", "a.png", *options, "--force")
    assert ran.code == 2
    assert "would replace" in ran.err[0]
    assert Path("a.png").read_bytes() == before


def test_input_behind_a_link_is_never_replaced(command: Command) -> None:
    photo(Path("real/a.png"))
    Path("out").mkdir()
    Path("out/a.png").symlink_to(Path("../real/a.png"))
    assert command("image", "real/a.png", "-o", "out", "--force").code == 2


def test_given_maps_are_never_replaced(command: Command) -> None:
    photo(Path("a.png"))
    Path("maps").mkdir()
    Image.new("L", (24, 16)).save("maps/a.png")
    ran = command("image", "a.png", "-o", "out", "--use-maps", "maps", "--maps", "maps", "--force")
    assert ran.code == 2
    assert str(Path("maps/a.png")) in ran.err[0]


def test_input_is_not_replaced_where_the_disk_knows_it_by_another_name_as_well(
    command: Command,
) -> None:
    """As IMG_1.PNG and IMG_1.png are one file on most disks of a Mac: here, a second link."""
    photo(Path("IMG_1.PNG"))
    if not Path("IMG_1.png").exists():
        Path("IMG_1.png").hardlink_to("IMG_1.PNG")
    ran = command("image", "IMG_1.PNG", "-o", ".", "--force")
    assert ran.code == 2
    assert "would replace IMG_1.PNG, which is an input" in ran.err[0]


def test_report_never_replaces_an_input(command: Command) -> None:
    photo(Path("a.png"))
    ran = command("image", "a.png", "-o", "out", "--json", "a.png", "--force")
    assert ran.code == 2
    assert "The report would replace a.png" in ran.err[0]


def test_result_that_is_there_stays_without_force(command: Command) -> None:
    photo(Path("a.png"))
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"dear")
    ran = command("image", "a.png", "-o", "out")
    assert ran.code == 2
    assert "--force" in ran.err[0]
    assert Path("out/a.png").read_bytes() == b"dear"
    assert command("image", "a.png", "-o", "out", "--force").code == 0
    assert read(Path("out/a.png")).shape == (16, 24, 3)


def test_maps_and_results_in_one_folder_are_refused(command: Command) -> None:
    photo(Path("a.png"))
    ran = command("image", "a.png", "-o", "out", "--maps", "out")
    assert ran.code == 2
    assert "The result of a.png and the map of a.png" in ran.err[0]


def test_given_maps_say_where_to_paint_and_can_be_written_too(command: Command) -> None:
    photo(Path("in/deep/a.jpg").with_suffix(".png"), masked=False)
    given = np.zeros((16, 24), np.uint8)
    given[2:4, 2:4] = 255
    Path("given/deep").mkdir(parents=True)
    Image.fromarray(given).save("given/deep/a.png")
    ran = command("image", "in", "-o", "out", "--use-maps", "given", "--maps", "maps")
    assert ran.code == 0
    assert (read(Path("out/deep/a.png"))[2:4, 2:4] == PAINT).all()
    assert np.array_equal(read(Path("maps/deep/a.png")), given)


def test_missing_or_misfit_map_fails_its_picture_alone(command: Command) -> None:
    for name in ("a", "b", "c"):
        photo(Path(f"in/{name}.png"))
    Path("given").mkdir()
    Image.new("L", (24, 16), 255).save("given/a.png")
    Image.new("L", (16, 24), 255).save("given/b.png")
    ran = command("image", "in", "-o", "out", "--use-maps", "given")
    assert ran.code == 1
    assert "16 x 24 pixels, its picture 24 x 16" in ran.err[0]
    assert f"There is no map {Path('given/c.png')}" in ran.err[1]
    assert os.listdir("out") == ["a.png"]


def test_alpha_is_kept(command: Command) -> None:
    pixels = photo(Path("a.png"))
    alpha = np.full((16, 24), 80, np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save("a.png")
    assert command("image", "a.png", "-o", "out").code == 0
    assert (read(Path("out/a.png"))[..., 3] == 80).all()


def test_painted_result_says_what_it_is(command: Command) -> None:
    photo(Path("a.png"))
    command("image", "a.png", "-o", "out")
    assert "not for identification" in Image.open("out/a.png").text["Description"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["empty", "-o", "out"], "no picture in empty"),
        (["a.png", "-o", "a.png"], "a.png is a file"),
        (["a.png", "-o", "out", "--use-maps", "gone"], "no folder gone"),
        (["a.png", "-o", "out", "--json", "empty"], "empty is a folder"),
        (["a.png", "-o", "out", "--backend", "abacus"], "no backend 'abacus'"),
        (["a.png", "-o", "out", "--threads", "3000000000"], "threads must be 0 to 1024"),
        (["a.png"], "--output"),
        (["-o", "out"], "INPUT"),
        (["a.png", "-o", "out", "--colour"], "--colour"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    command: Command, here: Opened, arguments: list[str], words: str
) -> None:
    Path("empty").mkdir()
    photo(Path("a.png"))
    ran = command("image", *arguments)
    assert ran.code == 2
    assert len(ran.err) == 1
    assert words in ran.err[0]
    assert here.unmaskers == []
    assert not Path("out").exists()


def test_quiet_prints_failures_only(command: Command) -> None:
    photo(Path("in/a.png"))
    Path("in/b.jpg").write_text("Dear diary")
    Path("in/c.txt").write_text("Dear diary")
    ran = command("image", "in", "-o", "out", "--quiet")
    assert ran.out == []
    assert len(ran.err) == 1


def test_names_that_start_with_a_dash_or_break_lines_stay_one_line(command: Command) -> None:
    photo(Path("-o.png"))
    photo(Path("new\nline ü.png"))
    ran = command("image", "-o", "out", "--", "-o.png", "new\nline ü.png")
    assert ran.code == 0
    assert len(ran.out) == 3
    assert "new\\nline ü.png" in ran.out[1]
    assert Path("out/new\nline ü.png").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
def test_names_that_are_no_unicode_work(command: Command) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo(Path(name))
    ran = command("image", name, "-o", "out", "--json", "report.json")
    assert ran.code == 0
    assert Path("out", name).is_file()
    assert json.loads(Path("report.json").read_text())["files"][0]["input"] == name


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


def test_settings_reach_the_unmasker(command: Command, here: Opened) -> None:
    photo(Path("a.png"))
    command("image", "a.png", "-o", "out", "--backend", "onnxruntime", "--threads", "3")
    assert (here.settings[0].backend, here.settings[0].threads) == ("onnxruntime", 3)


@pytest.mark.parametrize("words", [("", "-o", "out"), ("a.png", "-o", ""), ("a.png", "--output=")])
def test_an_empty_argument_is_not_the_current_folder(
    command: Command, words: tuple[str, ...]
) -> None:
    photo(Path("a.png"))
    ran = command("image", *words)
    assert ran.code == 2
    assert len(ran.err) == 1 and "is empty" in ran.err[0]
    assert [path.name for path in Path().iterdir()] == ["a.png"]


@pytest.mark.parametrize("words", [("-o", "a.webp"), ("-o", "out", "--maps", "m.mp4")])
def test_a_folder_that_looks_like_a_file_is_refused(
    command: Command, words: tuple[str, ...]
) -> None:
    photo(Path("a.png"))
    ran = command("image", "a.png", *words)
    assert ran.code == 2
    assert "Name a folder" in ran.err[0]
    assert [path.name for path in Path().iterdir()] == ["a.png"]


@pytest.mark.parametrize("target", ["out/a.png", "report.json"])
def test_a_pipe_is_never_replaced(command: Command, target: str) -> None:
    photo(Path("a.png"))
    Path("out").mkdir()
    os.mkfifo(target)
    ran = command("image", "a.png", "-o", "out", "--json", "report.json", "--force")
    assert ran.code == 2
    assert "not an ordinary file" in ran.err[0]
    assert Path(target).is_fifo()


def test_a_folder_that_may_not_be_searched_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(Path("a.png"))
    real = Path.exists

    def exists(path: Path) -> bool:
        if "locked" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "exists", exists)
    ran = command("image", "a.png", "-o", "locked/out")
    assert ran.code == 2
    assert ran.err == [
        f"error: {Path('locked/out')} cannot be used (Permission denied). "
        "Check it and its permissions."
    ]


def test_a_full_standard_output_does_not_stop_the_work(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(text: str, *, err: bool = False) -> None:
        raise OSError(28, "No space left on device")

    photo(Path("a.png"))
    photo(Path("b.png"))
    monkeypatch.setattr("realtime_unmask.cli.common.typer.echo", full)
    monkeypatch.setattr("realtime_unmask.cli.common._silence", lambda stream: None)
    assert command("image", "a.png", "b.png", "-o", "out").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]
