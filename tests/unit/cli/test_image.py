"""`image`: what is made of a photo, by itself, after another one, or where a map says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_unmask.errors import EngineError

from .conftest import BLURRED, PAINT, Command, Opened
from .photos import photo, read

pytestmark = pytest.mark.usefixtures("here")


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


def test_the_paint_follows_the_face_in_another_photo(command: Command, opened: Opened) -> None:
    photo(Path("me.png"))
    bare = photo(Path("bare.png"), masked=False)
    assert command("image", "me.png", "-o", "out", "--like", "bare.png").code == 0
    likeness = opened.unmaskers[0].likeness
    assert likeness is not None
    np.testing.assert_array_equal(likeness.crop, bare)


def test_a_blurred_photo_is_followed_and_said_to_be_blurred(
    command: Command, opened: Opened
) -> None:
    photo(Path("me.png"))
    bare = photo(Path("bare.png"), masked=False)
    bare[-1, -1] = BLURRED
    Image.fromarray(bare).save("bare.png")
    ran = command("image", "me.png", "-o", "out", "--like", "bare.png", "--quiet")
    assert ran.code == 0 and opened.unmaskers[0].likeness is not None
    assert len(ran.err) == 1
    assert ran.err[0].startswith("note: --like bare.png: the face in it is blurred")


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


@pytest.mark.parametrize(
    ("value", "words"), [(0, "is black wherever there is a face"), (255, "covers the eyes")]
)
def test_a_given_map_that_can_give_nothing_is_said_to(
    command: Command, value: int, words: str
) -> None:
    photo(Path("a.png"))
    Path("given").mkdir()
    Image.new("L", (24, 16), value).save("given/a.png")
    ran = command("image", "a.png", "-o", "out", "--use-maps", "given")
    assert ran.code == 0
    assert f"{Path('given/a.png')} {words}" in ran.out[0]


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


def test_settings_reach_the_unmasker(command: Command, here: Opened) -> None:
    photo(Path("a.png"))
    command("image", "a.png", "-o", "out", "--backend", "onnxruntime", "--threads", "3")
    assert (here.settings[0].backend, here.settings[0].threads) == ("onnxruntime", 3)


def test_engine_that_fails_ends_the_run_with_its_sentence(command: Command, here: Opened) -> None:
    photo(Path("in/a.png"))
    photo(Path("in/b.png"))
    here.fault = EngineError("The engine is gone. Start again.")
    ran = command("image", "in", "-o", "out")
    assert ran.code == 1
    assert ran.err == ["error: The engine is gone. Start again."]
