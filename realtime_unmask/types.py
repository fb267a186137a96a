"""The values that flow through the program, in the order in which they appear.

Frame -> Face -> Alignment -> MaskMap -> Reconstruction -> FrameResult

All are frozen; arrays inside are to be treated as read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        image: (H, W, 3) uint8 RGB, read-only.
        pts: presentation time in seconds, exact; None where the source gives none.
        captured_ns: time.perf_counter_ns() when it was read (on Windows the monotonic clock steps
            by half a frame); 0 for files.
        index: its number in the source, from 0.
        source: which of the sources that a live session was told to show, from 0; 0 for files.
        pixel_aspect: width of a pixel over its height.

    Raises:
        TypeError: image is not a uint8 array.
        ValueError: image is not (H, W, 3) or is empty.
    """

    image: UInt8
    pts: Fraction | None = None
    captured_ns: int = 0
    index: int = 0
    source: int = 0
    pixel_aspect: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.image, np.ndarray) or self.image.dtype != np.uint8:
            raise TypeError("Frame.image must be a uint8 numpy array (RGB).")
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.size == 0:
            raise ValueError(f"Frame.image must be (H, W, 3), not {self.image.shape}.")
        if self.image.flags.writeable:
            view = self.image.view()
            view.flags.writeable = False
            object.__setattr__(self, "image", view)

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.image.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """A piece of recorded sound.

    Attributes:
        samples: (N, channels) float32 in [-1, 1].
        began_ns: time.perf_counter_ns() of its first sample.
    """

    samples: Float32
    began_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame.

    Attributes:
        track_id: the same number for the same face while it is followed.
        box: (4,) float32, x0 y0 x1 y1 of the landmarks, frame px.
        landmarks: (478, 3) float32, the mediapipe mesh; x y in frame px, z relative, same unit.
    """

    track_id: int
    box: Float32
    landmarks: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The transform from a frame to the square crop of one face: a similarity if pixels are square.

    Attributes:
        matrix: (2, 3) float64; [x', y'] = matrix @ [x, y, 1], frame px -> crop px.
        size: side of the crop S, px.
    """

    matrix: Float64
    size: int

    def inverse(self) -> Float64:
        """(2, 3) float64, crop px -> frame px."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.hstack([linear, -linear @ self.matrix[:, 2:]])

    @property
    def scale(self) -> float:
        """Crop px per frame px, along a row of the frame."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))


@dataclass(frozen=True, slots=True, eq=False)
class MaskMap:
    """How much of each crop pixel is mask.

    Attributes:
        values: (S, S) float32 in [0, 1].
        coverage: 0..1, the mask's share of the region where masks are worn.
    """

    values: Float32
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A person's own bare face, for the paint to follow; made by unmask.likeness.enrol.

    Attributes:
        crop: (S, S, 3) uint8 RGB, aligned.
        landmarks: (478, 3) float32, crop px.
        known: (S, S) uint8, 1 where the crop lies inside its picture.
        blurred: its picture is; what is painted after it will be soft too.
    """

    crop: UInt8
    landmarks: Float32
    known: UInt8
    blurred: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """What was painted for one face.

    Attributes:
        track_id: the face's.
        crop: (S, S, 3) uint8 RGB, the painted crop after colour match.
        map: what the map module saw.
        alpha: (S, S) float32 in [0, 1], the blend weight; 0 outside the support. Of a mask that
            reaches out of the crop it fades towards the crop's edge: there a wider crop's paint
            shows.
        alignment: where the crop lies in the frame.
        confidence: (S, S) float32 in [0, 1], the editor's own estimate of its accuracy.
    """

    track_id: int
    crop: UInt8
    map: MaskMap
    alpha: Float32
    alignment: Alignment
    confidence: Float32


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """One frame, done.

    Attributes:
        frame: as it came in.
        output: the same picture with each mask painted over; the very same object as
            `frame` where there was nothing to do.
        map: (H, W) uint8, how much of each pixel was painted, 255 = all of it; 0 exactly where
            output equals frame. None where nothing was painted.
        faces: those found.
        reconstructions: one for each face that wore a mask.
        timings: nanoseconds by stage name.
    """

    frame: Frame
    output: Frame
    map: UInt8 | None
    faces: tuple[Face, ...] = ()
    reconstructions: tuple[Reconstruction, ...] = ()
    timings: Mapping[str, int] = field(default_factory=dict)
