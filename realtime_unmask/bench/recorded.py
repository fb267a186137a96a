"""`video` on a short file, against decoding and encoding the same file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from realtime_unmask.bench.scene import Camera
from realtime_unmask.pipeline.convert import ConvertOptions, convert_video
from realtime_unmask.pipeline.live_worker import PassThrough
from realtime_unmask.pipeline.way_up import FileUnmasker
from realtime_unmask.settings import Settings
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.unmask.unmasker import Unmasker

RATE = 30
_ENCODING = Encoding("h264", 20, "medium")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Attributes:
    frames: of the file.
    frames_per_s: unmasked, with decoding and encoding (H.264, medium, crf 20).
    plain_frames_per_s: decoding and encoding alone.
    share: the one of the other, 0..1.
    """

    frames: int
    frames_per_s: float
    plain_frames_per_s: float
    share: float


def convert(unmasker: Unmasker, pictures: list[bytes], frames: int) -> Recorded:
    """Convert a file of so many frames twice: as it is, and unmasked."""
    with TemporaryDirectory(prefix="realtime-unmask-bench-") as name:
        folder = Path(name)
        source = folder / "source.mp4"
        _write(source, pictures, frames)
        plain = _speed(source, folder / "plain.mp4", PassThrough(Settings()))
        ours = _speed(source, folder / "unmasked.mp4", unmasker)
    return Recorded(frames, round(ours, 2), round(plain, 2), round(ours / plain, 3))


def _speed(source: Path, out: Path, unmasker: FileUnmasker) -> float:
    report = convert_video(source, out, unmasker, ConvertOptions(_ENCODING))
    return report.frames / report.seconds


def _write(path: Path, pictures: list[bytes], frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, options={"preset": "ultrafast", "crf": "16"})
        camera = Camera(pictures)
        stream.height, stream.width = camera.read().shape[:2]
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(camera.read(), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
