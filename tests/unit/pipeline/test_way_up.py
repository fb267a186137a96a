"""A video that stands on its head is painted like the upright one; any other is left alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask import Unmasker
from realtime_unmask.faces import quarters
from realtime_unmask.pipeline.convert import ConvertOptions, ConvertReport, convert_video
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.pipeline.way_up import EVERY, LOOKS, stands_on_head
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.types import Frame, FrameResult
from tests.media.look import look
from tests.media.make import Video, write
from tests.unit.conftest import FakeEngine

Picture = NDArray[np.uint8]


class Says(AtOnce):
    """Says of the frames, in turn, whether they stand on their heads."""

    def __init__(self, *said: bool | None) -> None:
        self.said = list(said)
        self.asked: list[int] = []

    def on_head(self, frame: Frame) -> bool | None:
        self.asked.append(frame.index)
        return self.said.pop(0)

    def process(self, frame: Frame, state: object) -> FrameResult:
        return FrameResult(frame, frame, None)


def put(path: Path, images: list[Picture]) -> Path:
    """A video without loss, so that both ways up hold the same pixels."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264rgb", 25, options={"crf": "0", "preset": "ultrafast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_a_clip_on_its_head_is_painted_where_the_upright_one_is(
    tmp_path: Path, clip: list[Picture], blue_engine: FakeEngine, editor_engine: FakeEngine
) -> None:
    def convert(name: str, images: list[Picture]) -> tuple[ConvertReport, list[Picture]]:
        options = ConvertOptions(Encoding(preset="ultrafast"), maps=tmp_path / f"{name}-maps.mp4")
        source = put(tmp_path / f"{name}.mkv", images)
        report = convert_video(source, tmp_path / f"{name}.mp4", unmasker, options)
        made = [look(tmp_path / f"{name}{end}.mp4", images=True).images for end in ("", "-maps")]
        return report, [image for images in made for image in images]

    with Unmasker(blue_engine, editor_engine) as unmasker:
        upright, expected = convert("upright", clip)
        report, made = convert("turned", [quarters.turned(image, 2) for image in clip])
    assert report.frames_painted == upright.frames_painted == len(clip)
    for before, after in zip(expected, made, strict=True):
        apart = np.abs(before.astype(int) - quarters.turned(after, 2))
        assert np.percentile(apart, 99.9) < 16  # encoded anew, from another corner


@pytest.mark.parametrize(
    ("said", "on_head"),
    [
        ([False], False),
        ([True, True], True),
        ([None, True, None, True], True),
        ([True, False], False),
        ([True, None, None, None], False),
        ([None] * LOOKS, False),
    ],
)
def test_two_frames_have_to_agree_before_one_says_that_it_is_upright(
    tmp_path: Path, said: list[bool | None], on_head: bool
) -> None:
    path, unmasker = write(tmp_path / "in.mp4", Video(frames=60)), Says(*said)
    assert stands_on_head(path, unmasker) is on_head
    assert unmasker.said == []
    assert unmasker.asked == [EVERY * number for number in range(len(said))]


def test_what_is_not_painted_comes_back_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mp4", Video(frames=20))
    made = []
    for said in ([True, True], [False]):
        out = tmp_path / f"{len(said)}.mp4"
        convert_video(path, out, Says(*said), ConvertOptions(Encoding(preset="ultrafast")))
        made.append(look(out, images=True).images)
    assert np.array_equal(*made)


def test_a_short_or_broken_video_is_no_fault_of_the_look(tmp_path: Path) -> None:
    assert stands_on_head(write(tmp_path / "a.mp4", Video(frames=3)), Says(None)) is False
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:500])
    assert stands_on_head(tmp_path / "b.mp4", Says()) is False
