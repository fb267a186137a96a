"""What the tests of convert_video share: unmaskers that do little, and a result looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from realtime_unmask.pipeline.convert import ConvertOptions, ConvertReport, convert_video
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.types import Frame, FrameResult
from tests.media.look import Look, look

FAST = ConvertOptions(Encoding(preset="ultrafast"))


@dataclass
class Each(AtOnce):
    """An unmasker that makes of each frame what the function makes of it."""

    make: Callable[[Frame], FrameResult]

    def process(self, frame: Frame, state: object) -> FrameResult:
        return self.make(frame)


@Each
def untouched(frame: Frame) -> FrameResult:
    return FrameResult(frame, frame, None)


@Each
def painted(frame: Frame) -> FrameResult:
    """The middle becomes orange."""
    image, shown = frame.image.copy(), np.zeros(frame.image.shape[:2], np.uint8)
    image[100:140, 140:180] = (250, 140, 20)
    shown[100:140, 140:180] = 200
    return FrameResult(frame, replace(frame, image=image), shown)


def convert(source: Path, out: Path, options: ConvertOptions = FAST) -> tuple[ConvertReport, Look]:
    report = convert_video(source, out, untouched, options)
    return report, look(out, images=True)
