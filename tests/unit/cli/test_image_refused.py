"""`image`: what is refused before work starts, so that nothing is overwritten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from realtime_unmask.types import Frame, FrameResult

from .conftest import Command, FakeUnmasker, Opened
from .photos import photo, read

pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["empty", "-o", "out"], "no picture in empty"),
        (["a.png", "-o", "a.png"], "a.png is a file"),
        (["a.png", "-o", "out", "--use-maps", "gone"], "no folder gone"),
        (["a.png", "-o", "out", "--json", "empty"], "empty is a folder"),
        (["a.png", "-o", "out", "--json", "a.png/r.json"], "r.json cannot be written"),
        (["a.png", "-o", "out", "--backend", "abacus"], "no backend 'abacus'"),
        (["a.png", "-o", "out", "--threads", "3000000000"], "number of threads must be 0 to 1024"),
        (["a.png", "-o", "out", "--threads", "x"], "--threads takes a whole number, not 'x'. See"),
        (["https://x/a.png", "-o", "out"], "https://x/a.png is an address"),
        (["a.png", "-o", "-"], "cannot go to standard output"),
        (["a.png", "-o", "out", "--maps", "-"], "cannot go to standard output"),
        (["a.png", "-o", "out", "--json", "-"], "cannot go to standard output"),
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
    assert not Path("out").exists() and not Path("-").exists()


@pytest.mark.parametrize("words", [("", "-o", "out"), ("a.png", "-o", ""), ("a.png", "--output=")])
def test_an_empty_argument_is_not_the_current_folder(
    command: Command, words: tuple[str, ...]
) -> None:
    photo(Path("a.png"))
    ran = command("image", *words)
    assert ran.code == 2
    assert len(ran.err) == 1 and "is empty" in ran.err[0]
    assert [path.name for path in Path().iterdir()] == ["a.png"]


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


def test_all_inputs_for_one_name_are_named_at_once(command: Command, here: Opened) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "b/c.png", "b/c.jpg", "alone.png"):
        photo(Path("in", name))
    ran = command("image", "in", "-o", "out", "--maps", "maps")
    assert ran.code == 2
    pairs = [
        ("a.jpg", "a.png", "a.png"),
        ("a.jpg", "a.webp", "a.png"),
        ("b/c.jpg", "b/c.png", "b/c.png"),
    ]
    assert ran.err == [
        f"error: The result of {Path('in', one)} and the result of {Path('in', other)} would both "
        f"be written to {Path('out', target)}. Rename one, or use two folders."
        for one, other, target in pairs
    ]
    assert not Path("out").exists()
    assert here.unmaskers == []


@pytest.mark.parametrize("maps", ["out", "out/../out"])
def test_maps_and_results_in_one_folder_are_refused(command: Command, maps: str) -> None:
    for name in "ab":
        photo(Path("in", f"{name}.png"))
    Path("out").mkdir()
    ran = command("image", "in", "-o", "out", "--maps", maps)
    assert ran.code == 2
    assert ran.err == [
        "error: The results and the maps would land in one folder, out, under the same names. "
        "Choose another folder for the maps."
    ]


def test_a_map_where_another_result_would_be_is_refused(command: Command) -> None:
    for name in ("x/a.png", "a.png"):
        photo(Path("in", name))
    ran = command("image", "in", "-o", "out", "--maps", "out/x")
    assert ran.code == 2
    assert len(ran.err) == 1
    one, other = Path("in/a.png"), Path("in/x/a.png")
    assert f"The map of {one} and the result of {other} would both" in ran.err[0]


@pytest.mark.parametrize("output", ["in", "in/."])
def test_results_among_the_inputs_are_refused(command: Command, output: str) -> None:
    photo(Path("in/a.png"))
    ran = command("image", "in", "-o", output)
    assert ran.code == 2
    assert "holds the inputs, and results would land among them. Choose" in ran.err[0]


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


def test_given_maps_are_never_replaced(command: Command) -> None:
    photo(Path("a.png"))
    Path("maps").mkdir()
    Image.new("L", (24, 16)).save("maps/a.png")
    ran = command("image", "a.png", "-o", "out", "--use-maps", "maps", "--maps", "maps", "--force")
    assert ran.code == 2
    assert str(Path("maps/a.png")) in ran.err[0]


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


@pytest.mark.parametrize("name", ["out/a.png", "maps/a.png"])
def test_what_another_run_has_written_meanwhile_stays(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    photo(Path("a.png"))
    photo(Path("b.png"))
    process = FakeUnmasker.process

    def slow(self: FakeUnmasker, frame: Frame) -> FrameResult:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"theirs")
        return process(self, frame)

    monkeypatch.setattr(FakeUnmasker, "process", slow)
    ran = command("image", "a.png", "b.png", "-o", "out", "--maps", "maps")
    assert ran.code == 1
    assert len(ran.err) == 1 and f"{Path(name)} was not there" in ran.err[0]
    assert Path(name).read_bytes() == b"theirs"
    assert read(Path("out/b.png")).shape == (16, 24, 3)
    monkeypatch.setattr(FakeUnmasker, "process", process)
    assert command("image", "a.png", "-o", "out", "--maps", "maps", "--force").code == 0
    assert Path(name).read_bytes() != b"theirs"


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
