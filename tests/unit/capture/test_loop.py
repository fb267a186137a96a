"""Files and addresses as live sources."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_unmask.capture.loop import LoopingSource
from realtime_unmask.capture.probe import probe
from realtime_unmask.capture.stream import CameraSpec, FileSpec, UrlSpec, spec_of
from realtime_unmask.capture.stream_url import read_url, without_password
from realtime_unmask.errors import (
    CameraError,
    MediaError,
    MediaMissing,
    MediaUnsupported,
    UsageError,
)
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame
from tests.media.make import Video, mjpeg, write

LONG = 30.0


def _read(source: LoopingSource, count: int) -> list[Frame]:
    frames = []
    while len(frames) < count:
        frame = source.read(LONG)
        assert frame is not None
        frames.append(frame)
    return frames


def test_a_video_goes_on_from_its_end_at_its_own_pace(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", Video(frames=5, rate=50))
    with closing(LoopingSource(path)) as source:
        frames = _read(source, 12)
    assert [f.index for f in frames] == list(range(12))
    times = [float(f.pts or 0) for f in frames]
    assert np.diff(times) == pytest.approx(np.full(11, 0.02), abs=1e-3)
    assert (frames[0].image == frames[5].image).all()
    took = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    assert took > 0.15  # not as fast as it can be read


def test_the_last_picture_of_a_video_stays_as_long_as_the_video_lasts(tmp_path: Path) -> None:
    """Two pictures of half a second, and one that is shown for a second."""
    like = probe(write(tmp_path / "like.mp4", Video(rate=2)))
    sink = VideoSink(tmp_path / "v.mp4", like, Encoding(reorder=False), tracks=False)
    image = np.zeros((like.height, like.width, 3), np.uint8)
    for number in range(3):
        sink.write(Frame(image, Fraction(number, 2)))
    sink.close(Fraction(2))
    with closing(LoopingSource(tmp_path / "v.mp4")) as source:
        times = [float(frame.pts or 0) for frame in _read(source, 9)]
    # Where a picture stays it is given again; then the video begins anew.
    assert times == pytest.approx([0, 0.3, 0.5, 0.8, 1, 1.3, 1.6, 1.9, 2])


def test_a_frame_that_is_not_due_is_not_given(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", Video(frames=4, rate=2))
    with closing(LoopingSource(path)) as source:
        assert source.read(LONG) is not None
        assert source.read(0.01) is None


def test_a_picture_that_stays_is_given_again(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", Video(frames=2, rate=1))
    with closing(LoopingSource(path)) as source:
        frames = _read(source, 5)
    assert [bool((f.image == frames[0].image).all()) for f in frames] == [True] * 4 + [False]
    assert [f.index for f in frames] == list(range(5))
    times = [float(f.pts or 0) for f in frames]
    assert times == pytest.approx([0, 0.3, 0.6, 0.9, 1])
    captured = [(f.captured_ns - frames[0].captured_ns) / 1e9 for f in frames]
    assert captured == pytest.approx(times, abs=0.25)
    assert all(b > a for a, b in pairwise(captured))


def test_interrupt_ends_the_wait_for_a_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", Video(frames=3, rate=1))
    with closing(LoopingSource(path)) as source:
        _read(source, 1)
        threading.Timer(0.05, source.interrupt).start()
        assert source.read(LONG) is None


def test_a_folder_shows_its_photos_in_turn(tmp_path: Path) -> None:
    for name, value in (("b.png", 200), ("a.jpg", 50)):
        Image.fromarray(np.full((24, 32, 3), value, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with closing(LoopingSource(tmp_path)) as source:
        source._began = -1e9  # long ago: everything is due
        values = [int(f.image[0, 0, 0]) for f in _skim(source, 70)]
    changes = [v for i, v in enumerate(values) if i == 0 or v != values[i - 1]]
    assert changes == [50, 200, 50]


def _skim(source: LoopingSource, count: int) -> Iterator[Frame]:
    """The next frames, without waiting for them."""
    for _ in range(count):
        yield next(source._frames)


@pytest.mark.parametrize("kind", ["missing", "text", "empty folder"])
def test_what_cannot_be_shown_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it.mp4"
    if kind == "text":
        path.write_text("no video")
    if kind == "empty folder":
        path.mkdir()
    expected: dict[str, type[MediaError]] = {
        "missing": MediaMissing, "text": MediaError, "empty folder": MediaUnsupported,
    }  # fmt: skip
    with closing(LoopingSource(path)) as source, pytest.raises(expected[kind]):
        source.read(1.0)


def test_what_the_system_does_not_give_is_missing_and_no_fault_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    for method, path in (("iterdir", tmp_path), ("exists", tmp_path / "v.mp4")):
        with monkeypatch.context() as shut, closing(LoopingSource(path)) as source:
            shut.setattr(Path, method, closed)
            with pytest.raises(MediaMissing, match="Permission denied"):
                source.read(LONG)


def test_a_word_names_a_file_an_address_or_a_camera() -> None:
    assert spec_of("clip.mp4") == FileSpec(Path("clip.mp4"))
    assert spec_of("rtsp://cam/1") == UrlSpec("rtsp://cam/1")
    assert spec_of("camera:HD@usb-1") == CameraSpec("camera:HD@usb-1")
    with pytest.raises(UsageError, match="is not an address"):
        spec_of("http://[1")
    assert spec_of("camera:HD@usb-1").name == "HD"


def test_a_password_is_not_shown() -> None:
    assert without_password("rtsp://me:secret@cam:554/x?token=1") == "rtsp://cam:554/x"


@pytest.mark.parametrize("broken", [1, 30])
def test_a_stream_with_broken_packets_goes_on_until_they_are_many(
    address: str, tmp_path: Path, broken: int
) -> None:
    mjpeg(tmp_path / "b.avi", 40, {3 + n: bytes(500) for n in range(broken)})
    given = 0
    what = "has ended" if broken == 1 else "gives no more pictures"
    with pytest.raises(CameraError, match=what):
        for _ in read_url(f"{address}/b.avi"):
            given += 1
    assert given == (39 if broken == 1 else 3)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A web server with a video."""
    write(tmp_path / "v.mp4", Video(frames=30, rate=30))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *more: object) -> None:
            super().__init__(*more, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *more: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_stream_is_read_over_http(address: str) -> None:
    with closing(UrlSpec(f"{address}/v.mp4").open()) as source:
        frame = source.read(LONG)
        assert frame is not None and frame.image.std() > 5
        with pytest.raises(CameraError, match="has ended"):
            while True:
                source.read(LONG)


def test_a_stream_says_how_wide_its_pixels_are(address: str, tmp_path: Path) -> None:
    write(tmp_path / "wide.ts", Video(frames=5, container="mpegts", sample_aspect=Fraction(16, 11)))
    with closing(UrlSpec(f"{address}/wide.ts").open()) as source:
        frame = source.read(LONG)
    assert frame is not None and frame.pixel_aspect == 16 / 11


def test_a_video_on_a_server_is_shown_at_its_own_pace(address: str) -> None:
    times = []
    with closing(UrlSpec(f"{address}/v.mp4").open()) as source, pytest.raises(CameraError):
        while True:
            frame = source.read(LONG)
            times += [frame.captured_ns] if frame is not None else []
    assert times[-1] - times[0] > 0.8e9  # thirty pictures, thirty a second


def test_a_stream_that_is_not_there_is_said(address: str) -> None:
    with (
        closing(UrlSpec(f"{address}/nothing.mp4").open()) as source,
        pytest.raises(CameraError, match="cannot be reached") as caught,
    ):
        source.read(LONG)
    assert caught.value.kind == "no_stream"
