"""The editing module: paints the hole, joins two guesses, and steadies them over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

import cv2
import numpy as np

from realtime_unmask.inference.engine import Engine
from realtime_unmask.types import Alignment, Float32, UInt8
from realtime_unmask.unmask.colour import match_colour
from realtime_unmask.unmask.compositor import Canvas

# How a crop is painted: as it is, in a mirror, or both, of which the mean is taken. Two guesses of
# one network that err in different ways: their mean is closer to the true face than either.
Way = Literal["straight", "mirror", "both"]
# Where two guesses differ by so much, of 255, within NEAR_PX, they show two different mouths, whose
# mean would be neither: from the first to the second number it gives way to the straight one.
APART, NEAR_PX = (8.0, 16.0), 7

# How far the network is to trust a guess that is another picture of the same person.
PICTURE_WEIGHT = 0.8
# The share of the paint before that stays where it hardly differs from the new one, and the
# difference, of 255, at which a third of that is left.
KEPT, CHANGE = 0.9, 20.0
MEAN_OF_COLOURS = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True, slots=True)
class Prior:
    """A guess for what is hidden in one crop: another picture of the same person, bent to it.

    Attributes:
        rgb: (S, S, 3) float32 in [0, 255].
        weight: how far to trust it, as `PICTURE_WEIGHT`; or (S, S) float32, for each pixel.
    """

    rgb: Float32
    weight: float | Float32


class Paint(Protocol):
    """What the editor made of one crop, wherever it is.

    Attributes:
        confidence: (S, S) float32 in [0, 1].
        card: where it is; None: in the computer's memory.
    """

    @property
    def confidence(self) -> Float32: ...

    @property
    def card(self) -> object | None: ...

    def joined(self, other: Paint, both: UInt8, way: Way) -> Paint:
        """The mean with another paint of the same face, or the straight one where they differ.

        Args:
            other: painted the other way; it counts for nothing if it is elsewhere.
            both: (S, S) uint8, 1 in the holes of both; elsewhere nothing changes.
            way: how this one was painted, "straight" or "mirror".
        """
        ...

    def finished(
        self, crop: UInt8, hole: UInt8, known: UInt8 | None, before: Paint | None,
        both: UInt8 | None,
    ) -> Paint:  # fmt: skip
        """Its colour matched, and steadied.

        Args:
            crop: (S, S, 3) uint8, the real picture.
            hole: (S, S) uint8, 1 in the hole.
            known: (S, S) uint8, 1 where the crop is inside the picture; None: it is not fitted to
                its surroundings.
            before: the paint of the frame before, to be followed; one that is elsewhere is not.
            both: (S, S) uint8, 1 in the holes of both frames.
        """
        ...

    def picture(self) -> UInt8:
        """(S, S, 3) uint8 RGB."""
        ...

    def put(
        self, canvas: Canvas, alpha: Float32, alignment: Alignment, given: Float32 | None
    ) -> None:
        """Blend it into a frame; see Canvas.put."""
        ...


@dataclass(frozen=True, slots=True)
class Painted:
    """Paint in the computer's memory; see Paint.

    Attributes:
        rgb: (S, S, 3) float32 in [0, 255].
        confidence: (S, S) float32 in [0, 1].
    """

    rgb: Float32
    confidence: Float32
    card: None = None

    def joined(self, other: Paint, both: UInt8, way: Way) -> Paint:
        """See Paint."""
        x, y, width, height = cv2.boundingRect(both)
        if not isinstance(other, Painted) or not width:
            return self
        part = (slice(y, y + height), slice(x, x + width))
        rgb, inside = self.rgb.copy(), both[part].astype(np.float32)
        change = other.rgb[part] - rgb[part]
        # A mean along the last axis would cost more than all the rest.
        apart = cv2.transform(cv2.absdiff(other.rgb[part], rgb[part]), MEAN_OF_COLOURS) * inside
        apart = _near(apart) / np.maximum(_near(inside), 1e-3)
        share = others_share(np.clip((apart - APART[0]) / (APART[1] - APART[0]), 0, 1), way)
        rgb[part] += change * (share * inside)[..., None]
        return Painted(rgb, (self.confidence + other.confidence) * np.float32(0.5))

    def finished(
        self, crop: UInt8, hole: UInt8, known: UInt8 | None, before: Paint | None,
        both: UInt8 | None,
    ) -> Paint:  # fmt: skip
        """See Paint."""
        rgb = match_colour(self.rgb, crop, hole, known)
        if isinstance(before, Painted) and both is not None:
            rgb = steadied(rgb, before.rgb, both)
        return Painted(rgb, self.confidence)

    def picture(self) -> UInt8:
        """See Paint."""
        return cv2.convertScaleAbs(self.rgb).astype(np.uint8, copy=False)

    def put(
        self, canvas: Canvas, alpha: Float32, alignment: Alignment, given: Float32 | None
    ) -> None:
        """See Paint."""
        canvas.put(self.rgb, alpha, alignment, given)


def others_share(alone: Any, way: Way) -> Any:
    """How much of the other way's paint is taken, numbers or tensors; see Paint.joined.

    Args:
        alone: in [0, 1], how far the straight one stands alone.
    """
    return 0.5 + 0.5 * alone if way == "mirror" else 0.5 - 0.5 * alone


def _near(plane: Float32) -> Float32:
    """Means of what is within NEAR_PX; beyond the edge is nothing."""
    side = (2 * NEAR_PX + 1,) * 2
    return cv2.blur(plane, side, borderType=cv2.BORDER_CONSTANT).astype(np.float32, copy=False)


def start_painting(
    engine: Engine,
    batch: Float32,
    holes: Float32,
    priors: Sequence[Prior | None] = (),
    way: Way = "straight",
) -> None:
    """Let the editor begin to paint the holes; `painted` fetches what became of them.

    Args:
        engine: the editor network.
        batch: (N, 3, S, S) float32 RGB in [-1, 1].
        holes: (N, S, S) float32, 1 in the hole, else 0.
        priors: a guess for each crop, None where there is none; or nothing at all.
        way: to be said to `painted` too; "both" is a batch of 2 N.
    """
    hole = holes[:, None]
    prior, weight = _nothing(batch.shape), _nothing(hole.shape)
    if any(guess is not None for guess in priors):
        prior, weight = prior.copy(), weight.copy()
    for number, guess in enumerate(priors):
        if guess is not None:
            weight[number] = guess.weight * hole[number]
            prior[number] = (guess.rgb.transpose(2, 0, 1) / 127.5 - 1) * (weight[number] > 0)
    inputs = {"image": batch * (1 - hole), "map": hole, "prior": prior, "prior_weight": weight}
    if way == "both":
        inputs = {name: np.concatenate([v, v[..., ::-1]]) for name, v in inputs.items()}
    elif way == "mirror":
        inputs = {name: np.ascontiguousarray(v[..., ::-1]) for name, v in inputs.items()}
    engine.submit(inputs)


def painted(engine: Engine, way: Way = "straight") -> list[Painted]:
    """Wait for what was started."""
    return taken(engine.wait(), way)


def straightened(values: Float32, way: Way) -> Float32:
    """An output of the editor, (N or 2 N, C, S, S), as the crops are, (N, C, S, S)."""
    if way == "straight":
        return values
    if way == "mirror":
        return values[..., ::-1]
    there, mirror = np.split(values, 2)
    mean: Float32 = (there + mirror[..., ::-1]) * np.float32(0.5)
    return mean


def taken(made: dict[str, Float32], way: Way = "straight") -> list[Painted]:
    """A batch of the editor's outputs, one for each crop."""
    rgb, sure = (straightened(made[name], way) for name in ("rgb", "confidence"))
    return [Painted(_picture(a), b[0]) for a, b in zip(rgb, sure, strict=True)]


@cache
def _nothing(shape: tuple[int, ...]) -> Float32:
    """Zeros; read-only."""
    plane = np.zeros(shape, np.float32)
    plane.flags.writeable = False
    return plane


def _picture(planes: Float32) -> Float32:
    """(3, S, S) in [-1, 1] -> (S, S, 3) in [0, 255]."""
    rgb: Float32 = cv2.merge(list(planes)).astype(np.float32, copy=False)
    rgb += 1
    rgb *= np.float32(127.5)
    return rgb


def steadied(painted: Float32, before: Float32, both: UInt8) -> Float32:
    """Paint that follows that of the frame before: a recursive filter for each pixel.

    The less a pixel has changed, the more of what was there stays. A mean of the two, so nothing
    can grow from frame to frame, as it does in a network that is fed its own output.

    Args:
        painted, before: (S, S, 3) float32 in [0, 255].
        both: (S, S) uint8, 1 in the holes of both; elsewhere nothing changes.

    Returns:
        (S, S, 3) float32 in [0, 255], a new array.
    """
    steady = painted.copy()
    x, y, width, height = cv2.boundingRect(both)
    if not width:
        return steady
    part = (slice(y, y + height), slice(x, x + width))
    change = before[part] - painted[part]
    share = cv2.exp(change * change * np.float32(-1 / CHANGE**2))
    change *= share
    change *= np.float32(KEPT) * both[part][..., None]
    cv2.patchNaNs(change, 0)  # what is no number must not stay
    steady[part] += change
    return steady
