"""Pictures become shards; bad ones are counted, and no face at all is an error."""

from __future__ import annotations

import io
import os
import shutil
import struct
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from realtime_unmask.faces.alignment import EYE_CENTRE, EYE_DISTANCE
from realtime_unmask.types import Alignment
from realtime_unmask.unmask.compositor import known_region
from tests.training.conftest import DEMO
from training import data
from training import prepare as prepare_module
from training.__main__ import main
from training.prepare import corners, prepare
from training.real_masks import for_scoring
from training.shards import CROP, MARGIN, STORED, Faces, load_shards


def test_every_face_lies_at_the_reference(faces: Faces) -> None:
    assert len(faces) == 6
    for mesh in faces.landmarks:
        eyes = mesh[[33, 263]]
        middle = eyes.mean(0) - MARGIN
        assert np.allclose(middle / CROP, EYE_CENTRE, atol=0.02)
        assert np.ptp(eyes[:, 0]) / CROP == pytest.approx(EYE_DISTANCE, rel=0.08)
    assert faces.image(0).shape == (STORED, STORED, 3)


def test_unreadable_and_empty_pictures_are_counted(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(pictures, folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not a picture either")
    cv2.imwrite(str(folder / "wall.png"), np.full((300, 300, 3), 90, np.uint8))
    counts = prepare([folder], tmp_path / "out")
    assert (counts.kept, counts.unreadable, counts.no_face) == (6, 1, 1)


def test_one_bad_file_does_not_end_it(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(pictures, folder)
    (folder / "text.mp4").write_text("no video")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "large.png").write_bytes(_claiming(33_000, 33_000))
    (folder / "text.tar").write_text("no tar")
    counts = prepare([folder], tmp_path / "out")
    assert (counts.kept, counts.unreadable, counts.passed_over) == (6, 5, 0)
    said = capsys.readouterr().err
    assert "text.mp4" in said and "text.tar is no tar, or breaks off" in said


def _claiming(width: int, height: int) -> bytes:
    """A PNG that says that it is so large."""
    content = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_what_comes_before_the_break_of_a_tar_is_kept(
    mode: Any, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "faces.tar", mode) as archive:
        for path in sorted(pictures.iterdir())[:3]:
            archive.add(path, path.name)
    content = (tmp_path / "faces.tar").read_bytes()
    (tmp_path / "faces.tar").write_bytes(content[: len(content) * 5 // 6])
    counts = prepare([tmp_path / "faces.tar"], tmp_path / "out")
    assert (counts.kept, counts.unreadable, len(load_shards(tmp_path / "out"))) == (2, 1, 2)
    assert "faces.tar is no tar, or breaks off; what came before is kept" in capsys.readouterr().err


def test_tars_loose_pictures_and_single_ones_are_read_and_the_rest_is_counted(
    pictures: Path, tmp_path: Path
) -> None:
    folder, picture = tmp_path / "mixed", pictures / "face_00.png"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(picture, folder / "sub" / "loose.png")
    image = cv2.imread(str(picture))
    assert image is not None
    cv2.imwrite(str(folder / "old.tiff"), image)
    cv2.imwrite(str(folder / "old.gif"), image)
    (folder / "notes.txt").write_text("about the pictures")
    with tarfile.open(folder / "more.tar", "w") as archive:
        archive.add(picture, "in_tar.png")
        archive.add(folder / "notes.txt", "in_tar.txt")
    counts = prepare([folder, picture], tmp_path / "out")
    assert (counts.kept, counts.passed_over, counts.unreadable) == (5, 2, 0)
    assert set(load_shards(tmp_path / "out").name) == {
        "sub/loose.png", "old.tiff", "old.gif", "in_tar.png", "face_00.png",
    }  # fmt: skip


def test_the_command_says_what_became_of_the_pictures(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(pictures), "-o", str(tmp_path / "out")]
    assert main(["prepare", *arguments]) == 0
    val = int((load_shards(tmp_path / "out").split == "val").sum())
    assert capsys.readouterr().out.startswith(f"6 faces kept, {val} of them for validation")
    assert main(["prepare", str(tmp_path / "none"), *arguments[1:]]) == 1
    assert f"error: There is no {tmp_path / 'none'}." in capsys.readouterr().err


def test_a_table_of_other_splits_is_refused(
    pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "faces")
    table = tmp_path / "faces" / "faces.csv"
    for content, said in (
        ("file,split,set,origin\nface_00.png,training,a,b\n", "split of face_00.png is 'training'"),
        ("file,split\nface_00.png,train\n", "no column set, origin"),
    ):
        table.write_text(content)
        with pytest.raises(ValueError, match=rf"faces\.csv.*{said}"):
            prepare([tmp_path / "faces"], tmp_path / "out")


def test_pictures_with_a_mask_are_left_out_by_name(pictures: Path, tmp_path: Path) -> None:
    names = tmp_path / "masked.txt"
    names.write_text("# they wear masks\nface_00.png\nface_10.png\n")
    counts = prepare([pictures], tmp_path / "out", names)
    assert (counts.kept, counts.excluded) == (4, 2)
    assert "face_00.png" not in load_shards(tmp_path / "out").name


def test_namesakes_are_different_people(pictures: Path, tmp_path: Path) -> None:
    picture = pictures / "face_00.png"
    for name in ("here/anna/001.png", "here/boris/001.png", "here/002.png", "there/002.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, tmp_path / name)
    with tarfile.open(tmp_path / "more.tar", "w") as archive:
        archive.add(picture, "./clara/001.png")
        archive.add(picture, "./003.png")
    prepare([tmp_path / "here", tmp_path / "there", tmp_path / "more.tar"], tmp_path / "out")
    made = load_shards(tmp_path / "out")
    assert set(made.name) == {
        "anna/001.png", "boris/001.png", "clara/001.png", "002.png", "002__1.png", "003.png",
    }  # fmt: skip
    assert len(set(data.person(made))) == 6


def test_labels_and_exclusions_reach_into_folders(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "faces" / "a").mkdir(parents=True)
    for name in ("face_00.png", "face_10.png"):
        shutil.copy(pictures / name, tmp_path / "faces" / "a" / name)
    (tmp_path / "faces" / "faces.csv").write_text(
        "tar,file,split,set,origin\nx.tar,face_00.png,val,studio,30_1_2.jpg\n"
    )
    (tmp_path / "masked.txt").write_text("face_10.png\n")
    counts = prepare([tmp_path / "faces"], tmp_path / "out", tmp_path / "masked.txt")
    made = load_shards(tmp_path / "out")
    assert counts.excluded == 1
    assert (made.name[0], made.split[0], made.set[0]) == ("a/face_00.png", "val", "studio")


def test_a_folder_without_faces_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"No usable face was found in .*empty"):
        prepare([folder], tmp_path / "out")


def test_tars_and_their_labels_are_read(pictures: Path, tmp_path: Path) -> None:
    name = "face_00.png"
    with tarfile.open(tmp_path / "faces-x.tar", "w") as archive:
        data = (pictures / name).read_bytes()
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    (tmp_path / "faces.csv").write_text(
        "tar,file,split,set,width,height,origin,licence\n"
        f"faces-x.tar,{name},val,studio,1,1,30_1_2.jpg,none\n"
    )
    prepare([tmp_path], tmp_path / "out")
    made = load_shards(tmp_path / "out")
    assert (made.split[0], made.set[0], made.origin[0]) == ("val", "studio", "30_1_2.jpg")


def test_shards_stay_below_their_size(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("training.prepare.MAX_SHARD_BYTES", 60_000)
    prepare([pictures], tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) > 1
    assert len(load_shards(tmp_path)) == 6
    assert "only a part" not in capsys.readouterr().err


def test_what_was_prepared_before_an_interruption_is_kept(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, count = prepare_module._prepare_one, 0

    def stopped(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > 4:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(prepare_module, "_prepare_one", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare([pictures], tmp_path)
    assert len(load_shards(tmp_path)) == 4
    assert "holds only a part" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode here")
def test_a_name_that_is_not_utf8_is_a_name(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    shutil.copy(pictures / "face_00.png", os.fsencode(folder) + b"/Ren\xe9.png")
    assert prepare([folder], tmp_path / "out").kept == 1
    assert load_shards(tmp_path / "out").name[0] == "Ren\udce9.png"
    assert isinstance(for_scoring("Ren\udce9.png"), bool)


def test_videos_of_one_name_show_other_people(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(DEMO, tmp_path / folder / "clip.mp4")
    prepare([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    who = data.person(load_shards(tmp_path / "out"))
    assert sorted(set(who)) == ["clips/clip", "clips/clip__1"]


def test_a_file_of_harvest_among_the_shards_is_none_of_them(pictures: Path, tmp_path: Path) -> None:
    prepare([pictures], tmp_path)
    shutil.copy(tmp_path / "faces-000.npz", tmp_path / "real.npz")
    assert len(load_shards(tmp_path)) == 6


def test_shards_hold_no_pickle(pictures: Path, tmp_path: Path) -> None:
    prepare([pictures], tmp_path)
    with np.load(next(tmp_path.glob("*.npz")), allow_pickle=False) as data:
        assert all(data[name].dtype != object for name in data.files)


def test_missing_shards_name_the_step_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="training prepare"):
        load_shards(tmp_path)


def test_pixels_outside_the_picture_are_not_valid(pictures: Path, tmp_path: Path) -> None:
    """A face at the picture's left edge: what the crop shows beyond it is made up."""
    picture = cv2.imread(str(pictures / "face_00.png"))
    assert picture is not None
    folder = tmp_path / "tight"
    folder.mkdir()
    cv2.imwrite(str(folder / "tight.png"), picture[:, 300:])
    prepare([folder], tmp_path / "out")
    made = load_shards(tmp_path / "out")
    valid = data.view(made, 0, None).valid
    assert not valid[:, :20].any()
    assert valid[100:200, 128:].all()


def test_what_is_known_of_a_crop_is_what_the_program_knows_of_it() -> None:
    small = np.zeros((40, 60, 3), np.uint8)  # so that half of its pixels is seen in the crop
    alignment = Alignment(np.array([[5.0, 0, 20], [0, 5.0, 30]]), STORED)
    inside = np.zeros((STORED, STORED), np.uint8)
    ends = corners(small, alignment)
    cv2.fillConvexPoly(inside, np.round(ends).astype(np.int32), 1)
    assert np.array_equal(inside, known_region(alignment, 60, 40))
    assert ends[0] == pytest.approx((17.5, 27.5))


def test_a_folder_with_shards_is_not_added_to(pictures: Path, tmp_path: Path) -> None:
    prepare([pictures], tmp_path)
    with pytest.raises(ValueError, match="holds prepared faces already"):
        prepare([pictures], tmp_path)
