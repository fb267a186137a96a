"""Whose masks are painted over: everybody's, the largest face's, or that of a face clicked at.

Also whose face the bare one is that was enrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realtime_unmask.types import Face, Float32

# Another face becomes the largest one with so many times the area: boxes jitter, and two people
# of one size would take turns.
LARGER = 1.2
# A chosen face that comes back under another number is taken for the same one for so long.
BACK_WITHIN_NS = 2_000_000_000


@dataclass(slots=True)
class Choice:
    """The face that was chosen; part of the unmasker's State.

    Attributes:
        track_id: its number; None while none is chosen.
        box: (4,) float32, where it was seen last, x0 y0 x1 y1 px.
        largest: the number of the face that was the largest in the frame before.
        others: the numbers of the faces in sight that are somebody else's.
        lost_ns: since when the chosen face is out of sight; None while it is not.
    """

    track_id: int | None = None
    box: Float32 | None = None
    largest: int | None = None
    others: frozenset[int] = frozenset()
    lost_ns: int | None = None

    def follow(self, faces: Sequence[Face], now_ns: int = 0) -> Face | None:
        """The chosen face among `faces`.

        A face that was lost for a moment comes back with another number: a newcomer whose middle
        is in the box in which it was seen last is taken for it.

        Args:
            now_ns: when the frame was captured.
        """
        found = next((one for one in faces if one.track_id == self.track_id), None)
        if found is None:
            self.lost_ns = now_ns if self.lost_ns is None else self.lost_ns
            if self.box is not None and now_ns - self.lost_ns <= BACK_WITHIN_NS:
                new = [one for one in faces if one.track_id not in self.others]
                found = face_at(new, *_middle(self.box))
        here = {one.track_id for one in faces}
        if found is not None:
            self.track_id, self.box, self.lost_ns = found.track_id, found.box, None
        self.others = frozenset(here - {self.track_id})
        return found

    def keep_largest(self, faces: Sequence[Face]) -> Face:
        """The largest of `faces` (at least one), with hysteresis."""
        largest = max(faces, key=_area)
        before = next((one for one in faces if one.track_id == self.largest), largest)
        if _area(largest) < LARGER * _area(before):
            largest = before
        self.largest = largest.track_id
        return largest


@dataclass(slots=True)
class Wearer:
    """The person whose bare face is known; part of the unmasker's State.

    Whoever was seen beside the wearer is somebody else, and remains so when the wearer has left.

    Attributes:
        track_id: the number of the wearer's face; None before there was one in a mask.
        area: how large it was when it was seen last, px^2.
        others: the numbers of the faces in sight that are somebody else's.
    """

    track_id: int | None = None
    area: float = 0.0
    others: frozenset[int] = frozenset()

    def among(self, faces: Sequence[Face], masked: Sequence[Face]) -> int | None:
        """The number of the wearer's face; None while none is known.

        At first it is the largest one in a mask; later a newcomer's where the wearer is lost, or
        that of somebody who has come closer than the wearer.

        Args:
            faces: all that the frame shows.
            masked: those of them that wear a mask.
        """
        here = {one.track_id: one for one in faces}
        self.others &= here.keys()
        if self.track_id in here:
            self.area = _area(here[self.track_id])
            self.others |= here.keys() - {self.track_id}
        able = [
            one
            for one in masked
            if one.track_id not in self.others or _area(one) >= LARGER * self.area
        ]
        found = max(able, key=_area, default=None)
        if found is not None and found.track_id != self.track_id:
            self.track_id, self.area = found.track_id, _area(found)
            self.others = frozenset(here.keys() - {found.track_id})
        return self.track_id


def wanted(
    faces: list[Face], which: str, choice: Choice | None, now_ns: int = 0
) -> list[Face]:
    """Those of `faces` that are to be painted.

    Args:
        which: "all", "largest" or "chosen".
        choice: updated in place; None for a still, where nothing can be chosen.
        now_ns: when the frame was captured.
    """
    if which == "largest" and faces:
        return [(choice or Choice()).keep_largest(faces)]
    if which == "chosen":
        found = choice.follow(faces, now_ns) if choice is not None else None
        return [] if found is None else [found]
    return faces


def face_at(faces: Sequence[Face], x: float, y: float) -> Face | None:
    """The face at (x, y) px; the smallest where several overlap, None where there is none."""
    there = [f for f in faces if f.box[0] <= x <= f.box[2] and f.box[1] <= y <= f.box[3]]
    return min(there, key=_area, default=None)


def _area(face: Face) -> float:
    width, height = face.box[2:] - face.box[:2]
    return float(width * height)


def _middle(box: Float32) -> tuple[float, float]:
    x, y = np.add(box[:2], box[2:]) / 2
    return float(x), float(y)
