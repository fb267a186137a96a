"""Labelled photographs of people in masks as samples, and as a stock of textures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.pasted import Texture, mirrored, recolour, yaw
from training.real_masks import RealMasks
from training.shards import CROP, STORED

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]

# Masks among which the one that is turned most like the face is taken.
CANDIDATES = 4


class Labelled:
    """The part of the labelled photographs that may be trained on.

    Raises:
        ValueError: none of them may serve as texture.
    """

    def __init__(self, real: RealMasks) -> None:
        self.real = real.where(real.faces.split == "train")
        self.textures = np.flatnonzero(self.real.texture)
        if self.textures.size == 0:
            raise ValueError("None of the labelled photographs may serve as texture.")
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
            0 outside the photograph and where straps may run.
        """
        index = int(rng.integers(len(self.real)))
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
        inside = np.zeros((CROP, CROP), np.uint8)
        cv2.fillConvexPoly(inside, np.round(corners.clip(-4000, 4000)).astype(np.int32), 1)
        mesh = self.real.faces.landmarks[index] @ matrix[:, :2].T + matrix[:, 2]
        valid = (known & (inside > 0)).astype(np.float32)
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
