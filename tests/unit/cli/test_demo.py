"""`demo`: a clip and a before/after picture, and where they are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from realtime_unmask.cli.demo import before_after
from realtime_unmask.types import Frame

from .conftest import Opened, Ran


def plain(value: int) -> Frame:
    return Frame(np.full((40, 60, 3), value, np.uint8))


def test_before_is_above_after_and_moments_stand_side_by_side() -> None:
    sheet = before_after([(plain(10), plain(110)), (plain(20), plain(120))])
    height, width = sheet.shape[:2]
    assert (sheet[[0, -1]] == 255).all()
    cells = sheet[[height // 4, height * 3 // 4]][:, [width // 4, width * 3 // 4], 0]
    assert cells.tolist() == [[10, 20], [110, 120]]


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """assets/demo.mp4 with 20 grey frames at 10 frames/s."""
    folder = tmp_path / "assets"
    folder.mkdir()
    with av.open(folder / "demo.mp4", "w") as container:
        stream = container.add_stream("h264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * number, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    monkeypatch.setattr("realtime_unmask.resources.folder", lambda name: tmp_path / name)
    return folder / "demo.mp4"


def test_demo_writes_both_and_says_where(
    command: Callable[..., Ran], clip: Path, tmp_path: Path, opened: Opened
) -> None:
    for _ in range(2):  # a second run replaces the first one's results
        ran = command("demo", "-o", tmp_path / "out")
        assert (ran.code, ran.err) == (0, [])
    text = "\n".join(ran.out)
    assert "0 of 20 frames unmasked" in text
    assert "frames/s" in text
    with av.open(tmp_path / "out" / "demo.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 20
    assert str(tmp_path / "out" / "demo.mp4") in text
    assert str(tmp_path / "out" / "demo_before_after.png") in text
    sheet = np.asarray(Image.open(tmp_path / "out" / "demo_before_after.png"))
    columns = sheet[sheet.shape[0] // 4, [200, 600, 1000, 1400], 0].astype(int)
    assert (np.diff(columns) > 20).all()
    assert opened.unmaskers[0].calls == 20


def test_demo_does_not_take_standard_output_for_a_folder(
    command: Callable[..., Ran], here: Opened
) -> None:
    ran = command("demo", "-o", "-")
    assert ran.code == 2 and "cannot go to standard output" in ran.err[0]
    assert here.unmaskers == [] and not Path("-").exists()


@pytest.mark.parametrize("content", ["a clip", "no clip at all"])
def test_demo_replaces_nobody_elses_file(
    command: Callable[..., Ran], clip: Path, tmp_path: Path, opened: Opened, content: str
) -> None:
    mine = tmp_path / "out" / "demo.mp4"
    mine.parent.mkdir()
    mine.write_bytes(clip.read_bytes() if content == "a clip" else b"dear")
    before = mine.read_bytes()
    ran = command("demo", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "was not made by this program" in ran.err[0]
    assert mine.read_bytes() == before
    assert not opened.unmaskers
