"""What is shown while a face that was painted is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realtime_unmask.types import Face, Float32, Frame, FrameResult, UInt8

# A face that is gone for longer has left the picture.
LONGEST_S = 2.0
# Around a face's landmarks, as a share of its size: it may have moved on.
_MARGIN = 0.3


@dataclass(slots=True)
class _Painted:
    """A face that was painted: where, and when it was seen last."""

    box: Float32
    seen_ns: int


class LostFaces:
    """Chooses the frame to show; the memory of one sequence.

    A face counts as lost when it was painted and is no longer found. One that is found and wears
    no mask is not lost: its mask is off.
    """

    def __init__(self) -> None:
        self._painted: dict[int, _Painted] = {}
        self._good: Frame | None = None

    def choose(self, result: FrameResult, policy: str, now_ns: int) -> tuple[Frame, bool]:
        """The frame to show instead of result.output, and whether a face is lost.

        Args:
            policy: one of LiveOptions.lost.
            now_ns: when the frame was captured.
        """
        found = {face.track_id: face for face in result.faces}
        painted = {made.track_id for made in result.reconstructions}
        self._remember(found, painted, now_ns)
        lost = [one for key, one in self._painted.items() if key not in found]
        if not lost:
            self._good = result.output
            return result.output, False
        return self._fallback(result.output, lost, policy), True

    def _remember(self, found: dict[int, Face], painted: set[int], now_ns: int) -> None:
        for key, face in found.items():
            if key in painted:
                self._painted[key] = _Painted(face.box, now_ns)
            else:
                self._painted.pop(key, None)
        self._painted = {
            key: one
            for key, one in self._painted.items()
            if key in found
            or (
                now_ns - one.seen_ns <= LONGEST_S * 1e9
                and not any(_same_place(one.box, face.box) for face in found.values())
            )
        }

    def _fallback(self, output: Frame, lost: list[_Painted], policy: str) -> Frame:
        if policy == "hold" and self._good is not None:
            good = self._good
            if (good.width, good.height) == (output.width, output.height):
                return replace(output, image=good.image)
        if policy == "blur":
            image = output.image.copy()
            for one in lost:
                blur(image, one.box)
            return replace(output, image=image)
        return output


def blur(image: UInt8, box: Float32) -> None:
    """Make the box (x0 y0 x1 y1, px), with a margin, unrecognisable; in place."""
    width, height = box[2] - box[0], box[3] - box[1]
    grown = box + np.array([-width, -height, width, height]) * _MARGIN
    x0, y0 = (max(0, int(v)) for v in grown[:2])
    x1, y1 = (min(limit, int(v)) for limit, v in zip(image.shape[1::-1], grown[2:], strict=True))
    if x1 <= x0 or y1 <= y0:
        return
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    small = cv2.resize(part, (6, 6), interpolation=cv2.INTER_AREA)
    image[y0:y1, x0:x1] = cv2.resize(small, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)


def _same_place(a: Float32, b: Float32) -> bool:
    """Is the middle of box b inside box a? Then it is the same face under another number."""
    x, y = np.add(b[:2], b[2:]) / 2
    return bool(a[0] <= x <= a[2] and a[1] <= y <= a[3])
