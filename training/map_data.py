"""What the map network is trained on: a face, masked or not, and where its mask is."""

from __future__ import annotations

import cv2
import numpy as np

from realtime_unmask.faces.alignment import EYE_CENTRE
from training.data import HARSH_SHARE, MOTION_SHARE, Picture, Plane, Sample, View, chw, view
from training.labelled import Labelled
from training.masks.camera import degrade, frame_edge, grade, harsh, moved, tight
from training.masks.occluders import beard, glasses, occlude
from training.masks.worn import put_on
from training.shards import CROP, STORED, Faces

# Where there are labelled photographs: their share of the samples, and that of
# their masks among the masks put on bare faces.
REAL_SHARE = 0.3
PASTED_SHARE = 0.40
# How many of the faces that are not labelled photographs wear a mask.
MASKED_SHARE = 0.74
# How often a bare face and any face is shown the wrong way round: it wears nothing. A forehead
# with hair below it looks like a mask, and there is no other way to tell.
BARE_WRONG_WAY_SHARE, WRONG_WAY_SHARE = 0.08, 0.05
# What is narrower than this counts as thin, and with it what is so close by, crop px: else straps
# would be learned too wide.
THIN_PX, RIM_PX = 9, 3


def map_sample(
    faces: Faces, index: int, rng: np.random.Generator, real: Labelled | None = None
) -> Sample:
    """One picture for the map network.

    Args:
        real: labelled photographs, which then take the place of REAL_SHARE of the samples and
            lend their masks to others.

    Returns:
        image (3, 256, 256) in [-1, 1], target (1, 256, 256) in [0, 1], and valid and thin, each
        (1, 256, 256): where the picture is known, and where straps are, with what is beside them.
    """
    if real is not None and rng.random() < REAL_SHARE:
        image, mesh, target, valid = real.view(rng)
        hidden = rng.random() < 0.2
    else:
        wrong = rng.random() < BARE_WRONG_WAY_SHARE
        seen = view(faces, index, rng, quarters=int(rng.integers(1, 4)) if wrong else 0)
        mesh, valid = seen.mesh, seen.valid
        image, target, hidden = (
            (seen.image, np.zeros_like(valid), False) if wrong else _dressed(faces, seen, rng, real)
        )
    if hidden:
        image, over = occlude(image, mesh, rng)
        target = target * (1 - over)
    image = grade(image, rng)
    if rng.random() < HARSH_SHARE:
        image = harsh(image, rng)
    if rng.random() < MOTION_SHARE:  # half of a mask is mask enough: its traces go with it
        image, target = moved([image, target], rng)
        target = np.minimum(1, 2 * target)
    image = degrade(image, rng)
    if rng.random() < 0.3:
        image, known = frame_edge(image, tight(mesh, CROP, rng))
        valid = valid * known
    if rng.random() < WRONG_WAY_SHARE:
        image, target = _wrong_way(image, rng), np.zeros_like(target)
    if not target.any():  # no mask beyond the picture's edge either: its repetition looks like one
        valid = np.ones_like(valid)
    if rng.random() < 0.5:
        image, target, valid = image[:, ::-1], target[:, ::-1], valid[:, ::-1]
    return {
        "image": chw(image) * 2 - 1, "target": target[None], "valid": valid[None],
        "thin": near_thin(target)[None],
    }  # fmt: skip


def _dressed(
    faces: Faces, seen: View, rng: np.random.Generator, real: Labelled | None
) -> tuple[Picture, Plane, bool]:
    """A bare face with or without a mask, its map, and whether something is held before it."""
    image, target = seen.image, np.zeros_like(seen.valid)
    if rng.random() < 0.12:
        image = beard(image, seen.mesh, rng)
    if rng.random() >= MASKED_SHARE:
        return image, target, bool(rng.random() < 0.35)
    if real is not None and rng.random() < PASTED_SHARE:
        image, target = put_on(image, seen.mesh, rng, real.texture(seen.mesh, rng))
    else:
        image, target = put_on(image, seen.mesh, rng, printed=_print(faces, rng))
    if rng.random() < 0.15:
        image, over = glasses(image, seen.mesh, rng)
        target = target * (1 - over)
    return image, target, bool(rng.random() < 0.4)


def _print(faces: Faces, rng: np.random.Generator) -> Picture | None:
    """Now and then a piece of another picture, to be printed on the cloth."""
    if rng.random() > 0.2:
        return None
    other = faces.image(int(rng.integers(len(faces))))
    side = int(rng.integers(40, STORED))
    x, y = rng.integers(0, STORED - side + 1, 2)
    return other[y : y + side, x : x + side].astype(np.float32) / 255.0


def _wrong_way(image: Picture, rng: np.random.Generator) -> Picture:
    """A face that lies or stands on its head, aligned by a landmarker's mistake: by the eyes."""
    eyes = np.array(EYE_CENTRE) * CROP + rng.normal(0, 8, 2)
    turn = 90.0 * rng.integers(1, 4) + rng.normal(0, 15)
    matrix = cv2.getRotationMatrix2D(eyes.tolist(), turn, float(np.exp(rng.normal(0, 0.1))))
    turned = cv2.warpAffine(image, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.float32)


def near_thin(plane: Plane) -> Plane:
    """What an opening by a square of THIN_PX takes away from (S, S) in [0, 1], and its rim.

    Here, and not in the loss: on a CPU torch needs a third of a training step for it.
    """
    kernel = np.ones((THIN_PX, THIN_PX), np.uint8)
    side = 2 * RIM_PX + 1
    thin = plane - cv2.morphologyEx(plane, cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.dilate(thin, np.ones((side, side), np.uint8)), np.float32)
