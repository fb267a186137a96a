"""Labelled photographs of people in masks as samples, and as a stock of textures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import files
from training.masks.pasted import Texture, mirrored, recolour, yaw
from training.shards import CROP, STORED, Faces, inside, pieces, unpacked

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]

# Codes of a stored map: all mask, a strap, and nobody knows whether it is mask: where straps may
# run, and at the rim and the ends of those that are outlined.
FULL = 253
STRAP = 254
UNKNOWN = 255
CODES = (FULL, STRAP, UNKNOWN)
# Masks among which the one that is turned most like the face is taken.
CANDIDATES = 8
# Photographs that had to be outlined by hand are those that a network finds hard: they are seen
# more often, as are those with outlined straps, of which there are few.
HAND_WEIGHT, STRAPPED_WEIGHT = 2.5, 4.0
# Straps are stored as all or nothing. Deviation of what makes their edges soft when they are cut
# out, px of the stored crop.
STRAP_SOFT_PX = 0.6


@dataclass(slots=True)
class RealMasks:
    """Labelled photographs.

    Attributes:
        faces: the crops; their origin is the source of the label.
        maps: n PNG files (uint8 arrays), STORED x STORED px; 0 to FULL, STRAP or UNKNOWN.
        texture: (n,) bool, whether its mask may be put on others.
    """

    faces: Faces
    maps: list[NDArray[np.uint8]]
    texture: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.maps)

    def map(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mask in [0, 1], and 1 where that is known; each (STORED, STORED) float32."""
        plane = self._plane(index)
        known = (plane != UNKNOWN).astype(np.float32)
        return np.minimum(plane / np.float32(FULL), 1) * known, known

    def strapped(self, index: int) -> bool:
        """Whether straps are outlined."""
        return bool((self._plane(index) == STRAP).any())

    def cut_out(self, index: int) -> Texture:
        """The mask of one photograph, with its straps if they are outlined."""
        plane = self._plane(index)
        cloth = np.where(plane <= FULL, plane, 0).astype(np.float32) / np.float32(FULL)
        straps = (plane == STRAP).astype(np.float32)
        soft = cv2.GaussianBlur(straps, (0, 0), STRAP_SOFT_PX).astype(np.float32)
        return Texture(
            self.faces.image(index), np.maximum(cloth, soft), self.faces.landmarks[index],
            strapped=bool(straps.any()),
        )  # fmt: skip

    def _plane(self, index: int) -> NDArray[np.uint8]:
        plane = cv2.imdecode(self.maps[index], cv2.IMREAD_GRAYSCALE)
        if plane is None:
            raise ValueError(f"The map of {self.faces.name[index]} cannot be decoded.")
        return plane.astype(np.uint8)


def load_real_masks(path: Path) -> RealMasks:
    """What `harvest` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or something else.
    """
    with files.reading(path, "a file of `harvest`"):
        data = files.arrays(path)
        real = RealMasks(
            unpacked(data), pieces(data["maps"], data["map_offsets"]), data["texture"]
        )
        if not len(real.faces) == len(real.maps) == len(real.texture):
            raise ValueError("there are not as many maps as pictures")
        if tuple(data.get("codes", ())) != CODES:
            raise ValueError("an earlier `harvest` made it; run `harvest` again")
    return real


class Labelled:
    """The labelled photographs as samples.

    Raises:
        ValueError: none of them may serve as texture.
    """

    def __init__(self, real: RealMasks) -> None:
        self.real = real
        self.textures = np.flatnonzero(self.real.texture)
        if self.textures.size == 0:
            raise ValueError("None of the labelled photographs may serve as texture.")
        weight = np.where(real.faces.origin == "hand", HAND_WEIGHT, 1.0)
        weight[[real.strapped(i) for i in range(len(real))]] = STRAPPED_WEIGHT
        weight = weight.cumsum()
        self.shares = weight / weight[-1]
        self.turns = np.array([yaw(self.real.faces.landmarks[i]) for i in self.textures])

    def texture(self, mesh: NDArray[np.float32], rng: np.random.Generator) -> Texture:
        """A mask of a head that is turned much like this one."""
        drawn = rng.integers(0, len(self.textures), CANDIDATES)
        flip = rng.random(CANDIDATES) < 0.5
        turns = np.where(flip, -self.turns[drawn], self.turns[drawn])
        best = int(np.abs(turns - yaw(mesh)).argmin())
        chosen = self.real.cut_out(int(self.textures[drawn[best]]))
        return mirrored(chosen) if flip[best] else chosen

    def view(
        self, rng: np.random.Generator
    ) -> tuple[Picture, NDArray[np.float32], Plane, Plane]:
        """A photograph, moved, turned and scaled a little, its mask now and then recoloured.

        Returns:
            Image (256, 256, 3) in [0, 1], mesh (478, 2) px, map and validity (256, 256): that is
            0 outside the photograph and where the map is UNKNOWN.
        """
        index = min(int(np.searchsorted(self.shares, rng.random())), len(self.real) - 1)
        matrix = _move(rng)
        marked, sure = self.real.map(index)
        target = _warped(marked, matrix, cv2.BORDER_CONSTANT)
        known = _warped(sure, matrix, cv2.BORDER_CONSTANT) > 0.99
        picture = self.real.faces.image(index).astype(np.float32) / np.float32(255)
        image = np.asarray(_warped(picture, matrix, cv2.BORDER_REPLICATE), np.float32)
        if rng.random() < 0.3:
            weight = target[..., None]
            image = image * (1 - weight) + weight * recolour(image, target, rng)
        corners = self.real.faces.corners[index] @ matrix[:, :2].T + matrix[:, 2]
        mesh = self.real.faces.landmarks[index] @ matrix[:, :2].T + matrix[:, 2]
        valid = (known & (inside(corners, CROP) > 0)).astype(np.float32)
        return image.astype(np.float32), mesh.astype(np.float32), target, valid


def _move(rng: np.random.Generator) -> NDArray[np.float64]:
    """Stored crop -> crop; moved more than a bare face, since there are few photographs."""
    zoom, turn = float(np.exp(rng.normal(0, 0.05))), float(rng.normal(0, 0.05))
    linear = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    offset = CROP / 2 + rng.normal(0, 4.0, 2) - linear @ np.full(2, STORED / 2)
    return np.hstack([linear, offset[:, None]])


def _warped(plane: Plane, matrix: NDArray[np.float64], border: int) -> Plane:
    moved = cv2.warpAffine(plane, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(moved, np.float32)
