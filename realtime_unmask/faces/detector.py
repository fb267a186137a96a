"""Finds faces: all of a still, the new ones of a video, and the same one again a frame later."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from realtime_unmask.closing import Closing
from realtime_unmask.faces import quarters
from realtime_unmask.faces.landmarker import CONFIDENCE, NEAR, Follower, Landmarker
from realtime_unmask.types import Float32, UInt8

# The detector looks at 192 px, and sees a face from 15 % of that up: 48 px in a tile of 320.
TILE_PX = 320
TILE_OVERLAP = 1 / 3
# The mesh network takes 192 px; more than this only costs time.
NEAR_PX = 512
FACES_A_LOOK = 16
MIN_FACE_PX = 24.0
# A face that fills its picture, or is cut by its edge, is found once there is a grey border around
# it, shares of the longer side; so are ears and badges, unless more is asked for.
BORDER, GREY = 0.25, (128, 128, 128)
SURE = 0.5
# How a picture is turned in which nobody stands upright. The wrong way a face is seen too, upside
# down, but less surely.
SIDEWAYS = (1, 3)
SURER = (0.85, 0.7)
# Only a face that nothing hides and that is as its mesh says is seen so surely.
BARE = 0.85
# Intersection over union from which two boxes are one face, and from which a face stands still.
SAME = 0.3
SETTLED = 0.5
# The share of a box from which it is a part of the larger one, an eye say.
MOSTLY = 0.8


class Detector(Closing):
    """The landmarkers of one worker thread; all are made when first needed.

    No memory: the same picture gives the same faces.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, float], Landmarker] = {}

    def find(self, image: UInt8, max_faces: int) -> list[Float32]:
        """The larger faces of a picture, from 15 % of its height up, largest first.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            At most `max_faces` meshes, (478, 3) float32 in px of the picture.
        """
        return self._find(image, max_faces, CONFIDENCE)

    def find_close(self, image: UInt8, max_faces: int) -> list[Float32]:
        """As `find`, for faces that fill the picture or are cut by its edge."""
        framed, border, scale = _framed(image)
        return [(mesh - border) * scale for mesh in self._find(framed, max_faces, SURE)]

    def find_hard(
        self, image: UInt8, max_faces: int, *, sideways: bool
    ) -> list[Float32]:
        """As `find_close`; if `sideways`, also faces that lie on their side."""
        found = self._lying(image, max_faces, *SURER) if sideways else []
        found = found or self.find_close(image, max_faces)
        return found or (self._lying(image, max_faces, SURE) if sideways else [])

    def find_all(self, image: UInt8) -> list[Float32]:
        """Every face of a still, small ones too (from 48 px), by overlapping tiles.

        Where none is upright, large ones that lie on their side.

        Returns:
            Meshes, (478, 3) float32 in px of the picture, from left to right.
        """
        found = self._settled(image, self._looked_for(image), CONFIDENCE)
        framed, border, scale = _framed(image)
        close = self._settled(framed, self._find(framed, FACES_A_LOOK, SURE), SURE)
        # Those without a border first: where both see one, they see it better.
        every = _distinct([*found, *((mesh - border) * scale for mesh in close)])
        if not every:
            lying = self._settled(framed, self._lying(framed, FACES_A_LOOK, *SURER, SURE), SURE)
            every = [(mesh - border) * scale for mesh in lying]
        return sorted(every, key=lambda mesh: float(mesh[:, 0].mean()))

    def find_turned(self, image: UInt8, turns: int) -> list[Float32]:
        """The larger faces of a still that stands on its side or head.

        Args:
            turns: by how many quarters it is turned to be looked at; see quarters.turned.

        Returns:
            Meshes, (478, 3) float32 in px of the picture as it is, largest first.
        """
        framed, border, scale = _framed(image)
        found = self._settled(framed, self._find(framed, FACES_A_LOOK, SURE, turns), SURE)
        return [(mesh - border) * scale for mesh in found]

    def _find(
        self, image: UInt8, max_faces: int, confidence: float, turns: int = 0
    ) -> list[Float32]:
        small, scale = _reduce(image, 2 * NEAR_PX)
        count = FACES_A_LOOK if max_faces > 1 else 1
        for bundle in ("full_range", "short_range"):
            meshes = self._look(bundle, small, count, confidence, turns)
            if meshes:
                unique = _distinct([mesh * scale for mesh in meshes])
                return sorted(unique, key=_width, reverse=True)[:max_faces]
        return []

    def _lying(self, image: UInt8, max_faces: int, *confidences: float) -> list[Float32]:
        """Faces that lie on one of their sides, by the first confidence with which any is seen."""
        for confidence in confidences:
            for turns in SIDEWAYS:
                meshes = self._find(image, max_faces, confidence, turns)
                if meshes:
                    return meshes
        return []

    def _looked_for(self, image: UInt8) -> list[Float32]:
        """The faces of a picture and of its tiles."""
        found = self._find(image, FACES_A_LOOK, CONFIDENCE)
        for x, y, side in _tiles(image.shape[1], image.shape[0]):
            if any(_covers(mesh, x, y, side) for mesh in found):
                continue
            tile, scale = _reduce(image[y : y + side, x : x + side], TILE_PX)
            for mesh in self._look("full_range", tile, FACES_A_LOOK, CONFIDENCE):
                found.append(mesh * scale + np.array([x, y, 0], np.float32))
        return found

    def _settled(
        self, image: UInt8, found: list[Float32], confidence: float
    ) -> list[Float32]:
        """Those that stay where they are when they are looked at more closely."""
        looked = [self._settle(image, mesh, confidence) for mesh in _distinct(found)]
        sure = [m for m in looked if m is not None and _width(m) >= MIN_FACE_PX]
        return _distinct(sure)

    def follow(self, image: UInt8, mesh: Float32) -> Float32 | None:
        """The same face again, near where it was.

        Args:
            mesh: (478, 3) float32, px of the picture, where it was a moment ago.

        Returns:
            Its mesh now; None if it is not there any more.
        """
        return self._follow(image, mesh, CONFIDENCE)

    def _follow(self, image: UInt8, mesh: Float32, confidence: float) -> Float32 | None:
        height, width = image.shape[:2]
        box = _box(mesh)
        x0, y0, x1, y1 = _near(box, width, height)
        if x1 - x0 < 8 or y1 - y0 < 8:
            return None
        part, scale = _reduce(image[y0:y1, x0:x1], NEAR_PX)
        turns = quarters.of_face(mesh)
        corner = np.array([x0, y0, 0], np.float32)
        for bundle in ("full_range", "short_range"):
            for near in self._look(bundle, part, 1, confidence, turns):
                moved: Float32 = near * scale + corner
                if _overlap(box, _box(moved)) > SAME:
                    return moved
        if min(x0, y0) > 0 and x1 < width and y1 < height:
            return None
        framed, border, _ = _framed(part)  # cut by the picture's edge
        for bundle in ("full_range", "short_range"):
            for near in self._look(bundle, framed, 1, SURE, turns):
                moved = (near - border) * scale + corner
                if _overlap(box, _box(moved)) > SAME:
                    return moved
        return None

    def surely_bare(self, image: UInt8, mesh: Float32) -> bool:
        """Whether a face is seen as surely as one that is as its mesh says and wears nothing."""
        x0, y0, x1, y1 = _near(_box(mesh), image.shape[1], image.shape[0])
        part, _ = _reduce(image[y0:y1, x0:x1], NEAR_PX)
        return bool(self._look("short_range", part, 1, BARE, quarters.of_face(mesh)))

    def settle(self, image: UInt8, mesh: Float32) -> Float32 | None:
        """A face that was found, looked at more closely; None if it turns out to be none."""
        return self._settle(image, mesh, CONFIDENCE)

    def follower(self) -> Follower:
        """A new memory for one face of a sequence; the caller's, to be closed by it."""
        return Follower()

    def _settle(self, image: UInt8, mesh: Float32, confidence: float) -> Float32 | None:
        """A mesh after two more looks, close by; None if it wanders off: then it was no face."""
        for _ in range(2):
            again = self._follow(image, mesh, confidence)
            if again is None or _overlap(_box(mesh), _box(again)) < SETTLED:
                return None
            mesh = again
        return mesh

    def close(self) -> None:
        """Free all landmarkers; safe to call again."""
        for landmarker in self._made.values():
            landmarker.close()
        self._made.clear()

    def _look(
        self, bundle: str, image: UInt8, max_faces: int, confidence: float, turns: int = 0
    ) -> list[Float32]:
        key = (bundle, max_faces, confidence)
        if key not in self._made:
            self._made[key] = Landmarker(*key)
        meshes = self._made[key].detect(quarters.turned(image, turns))
        return [quarters.back(mesh, turns, image.shape) for mesh in meshes]


def _framed(image: UInt8) -> tuple[UInt8, Float32, float]:
    """The picture, reduced if it is large, in a grey border.

    Returns:
        It, what the border adds to x, y and z there, and the factor back to the picture.
    """
    small, scale = _reduce(image, 2 * NEAR_PX)
    width = round(BORDER * max(small.shape[:2]))
    around = (width, width, width, width)
    framed = cv2.copyMakeBorder(small, *around, cv2.BORDER_CONSTANT, value=GREY)
    return framed.astype(np.uint8, copy=False), np.array([width, width, 0], np.float32), scale


def _reduce(image: UInt8, limit: int) -> tuple[UInt8, float]:
    """The picture with its longer side at most `limit`, and the factor back."""
    longer = max(image.shape[:2])
    if longer <= limit:
        return image, 1.0
    scale = longer / limit
    size = (max(1, round(image.shape[1] / scale)), max(1, round(image.shape[0] / scale)))
    # Below a half nothing is passed over, and averaging parts of pixels takes far longer.
    how = cv2.INTER_AREA if scale >= 2 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how).astype(np.uint8, copy=False), scale


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int]]:
    """x, y, side of square tiles, halving from the picture's longer side down to TILE_PX."""
    side = max(width, height)
    while side > TILE_PX:
        side = max(side // 2, TILE_PX)
        for y in _starts(height, side):
            for x in _starts(width, side):
                yield x, y, side


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)))) + 1
    return [round(v) for v in np.linspace(0, length - side, count)]


def _box(mesh: Float32) -> Float32:
    """(4,) x0 y0 x1 y1."""
    return np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)])


def _near(box: Float32, width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the surroundings of a box, px, within the picture."""
    centre, side = (box[:2] + box[2:]) / 2, NEAR * float((box[2:] - box[:2]).max())
    x0, y0 = np.maximum(np.round(centre - side / 2).astype(int), 0)
    x1, y1 = np.minimum(np.round(centre + side / 2).astype(int), (width, height))
    return int(x0), int(y0), int(x1), int(y1)


def _width(mesh: Float32) -> float:
    box = _box(mesh)
    return float((box[2:] - box[:2]).max())


def _covers(mesh: Float32, x: int, y: int, side: int) -> bool:
    """Whether a tile lies wholly inside a face, where no other can be."""
    box = _box(mesh)
    return bool(
        box[0] <= x and box[1] <= y and box[2] >= x + side and box[3] >= y + side
    )


def overlap(a: Float32, b: Float32) -> float:
    """Intersection over union of the boxes of two meshes."""
    return _overlap(_box(a), _box(b))


def _overlap(a: Float32, b: Float32) -> float:
    """Intersection over union of two boxes."""
    wide = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(wide, 0)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both
    return both / union if union > 0 else 0.0


def _distinct(meshes: list[Float32]) -> list[Float32]:
    """Without repeats; the first of two that overlap stays, but a part of a face is no face."""
    kept: list[Float32] = []
    for mesh in meshes:
        if all(_overlap(_box(mesh), _box(other)) < SAME for other in kept):
            kept.append(mesh)
    return [
        mesh for mesh in kept
        if not any(_within(mesh, other) > MOSTLY for other in kept if other is not mesh)
    ]  # fmt: skip


def _within(mesh: Float32, other: Float32) -> float:
    """The share of a mesh's box that lies in the box of a larger one; 0 if that is not larger."""
    a, b = _box(mesh), _box(other)
    own, theirs = (float(np.prod(box[2:] - box[:2])) for box in (a, b))
    wide = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return float(np.prod(wide)) / own if theirs > own > 0 else 0.0
