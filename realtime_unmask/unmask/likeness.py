"""The wearer's own bare face, from another picture: a guess for what the mask hides.

The mesh under a mask is a guess, so the hidden half is posed as the bare picture shows it: its
own mesh, turned with the head by a rigid fit of what no mask covers.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.errors import FaceUnsuitable
from realtime_unmask.faces.alignment import (
    EYE_DISTANCE,
    MIDDLE_POINTS,
    POINTS,
    align,
    crop,
    rigid_fit,
    to_solid,
)
from realtime_unmask.faces.detector import Detector
from realtime_unmask.faces.warp import CARRIERS, LEFT, RIGHT, thin_plate
from realtime_unmask.inference.engine import Engine
from realtime_unmask.types import Alignment, Float32, Likeness, UInt8
from realtime_unmask.unmask.colour import disc
from realtime_unmask.unmask.compositor import known_region
from realtime_unmask.unmask.editor import PICTURE_WEIGHT, Prior
from realtime_unmask.unmask.map import find_masks, is_worn, normalise
from realtime_unmask.unmask.state import Begun, Masked

# Outer eye corners closer than this show too little of a mouth, px.
MIN_EYES_PX = 40
# Another face in the picture is in doubt from this share of the largest one's area.
RIVAL = 0.4
# Between these angles to the bare picture it is trusted less and less: the cheek that was turned
# away in it is stretched.
TURN_DEG = (35.0, 60.0)
# Skin differs in light, not without bound.
GAINS = (0.3, 3.0)
MIN_SKIN_PX = 200
# What is further than this from the bare face's outline is the background of its picture, crop px.
OUTLINE_PX = 4
# A bare face of which nine tenths are darker than this, of 255, cannot be brought into the light
# of another picture.
DARK = 60
# A face is blurred where detail below the first scale, crop px, is less than the share of that
# below the second. So are 1 of 1,029 sharp faces and 1,023 of the same ones smoothed by 3 px, from
# where on paint that follows them is softer than paint that follows nobody.
FINE_PX, COARSE_PX, LEAST_FINE = 2, 8, 0.16


def enrol(
    image: UInt8, detector: Detector, mapper: Engine, size: int, threshold: float
) -> Likeness:
    """What a picture of a bare face gives the editor to go by; a blurred one is called so.

    Args:
        image: (H, W, 3) uint8 RGB.
        mapper: the map network, which tells whether the face is bare.
        size: S, side of the crop, px.
        threshold: a map value from which a pixel counts as mask.

    Raises:
        FaceUnsuitable: it shows no face, several, a small, a cut or a dark one, or one in a mask.
    """
    meshes = sorted(detector.find_all(image), key=_area, reverse=True)
    alignment = _aligned(meshes[0], size) if meshes else None
    if alignment is None:
        raise FaceUnsuitable(
            "The picture shows no face. Take one from the front, in good light.", "no_face"
        )
    if len(meshes) > 1 and _area(meshes[1]) > RIVAL * _area(meshes[0]):
        raise FaceUnsuitable(
            "The picture shows several faces. Cut out the one that is meant.", "several_faces"
        )
    if EYE_DISTANCE * size / alignment.scale < MIN_EYES_PX:
        raise FaceUnsuitable(
            "The face in the picture is too small: the eyes have to be "
            f"{MIN_EYES_PX} px apart or more.",
            "small_face",
        )
    pixels = crop(image, alignment)
    found = find_masks(mapper, normalise(pixels)[None], [None], threshold)[0]
    if is_worn(found, None):
        # Landmarks of a face that stands on its head are those of an upright one.
        raise FaceUnsuitable(
            "The face in the picture wears a mask, or stands on its head. Take an upright one "
            "without a mask.",
            "masked_face",
        )
    x, y = meshes[0][CARRIERS, :2].T
    if min(x.min(), y.min()) < 0 or x.max() >= image.shape[1] or y.max() >= image.shape[0]:
        raise FaceUnsuitable(
            "The picture cuts the face in it. Take one that shows all of it.", "cut_face"
        )
    known = known_region(alignment, image.shape[1], image.shape[0])
    landmarks = to_solid(meshes[0], alignment)
    skin = _within(landmarks[CARRIERS, :2], size).astype(bool)
    if np.percentile(pixels[skin].max(1), 90) < DARK:
        raise FaceUnsuitable(
            "The face in the picture is too dark. Take one in good light.", "dark_face"
        )
    return Likeness(pixels, landmarks, known, _is_blurred(pixels, skin))


def _is_blurred(pixels: UInt8, skin: NDArray[np.bool_]) -> bool:
    """Out of focus, or smeared by a movement along x or y? Noise can hide it."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)

    def detail(below_px: int, along_x: bool) -> float:
        side = 6 * below_px + 1
        coarser = cv2.GaussianBlur(grey, (side, 1) if along_x else (1, side), below_px)
        return float((grey - coarser)[skin].std())

    return any(detail(FINE_PX, x) < LEAST_FINE * detail(COARSE_PX, x) for x in (True, False))


def _aligned(mesh: Float32, size: int) -> Alignment | None:
    try:
        return align(mesh, size)
    except ValueError:  # a degenerate mesh: no face after all
        return None


@lru_cache(maxsize=2)
def mirrored(likeness: Likeness) -> Likeness:
    """The same face in a mirror; of its landmarks only what this module uses changes sides."""
    pairs = (len(POINTS) - MIDDLE_POINTS) // 2
    left, right = [*LEFT, *POINTS[:pairs]], [*RIGHT, *POINTS[pairs : 2 * pairs]]
    landmarks = likeness.landmarks.copy()
    landmarks[left], landmarks[right] = likeness.landmarks[right], likeness.landmarks[left]
    landmarks[:, 0] = likeness.crop.shape[1] - 1 - landmarks[:, 0]
    flipped = (np.ascontiguousarray(plane[:, ::-1]) for plane in (likeness.crop, likeness.known))
    return Likeness(next(flipped), landmarks, next(flipped))


def guess_for(one: Masked, begun: Begun) -> Prior | None:
    """The bare face in the pose and the light of a face of `begun`; None for anybody else's.

    Nor beyond the usual crop: there is no face, but what was worn round the neck that day.
    """
    seen, frame = one.seen, begun.frame
    if begun.likeness is None or seen.face.track_id != begun.wearer or one.is_outer:
        return None
    solid = to_solid(seen.face.landmarks, seen.alignment)
    known = known_region(seen.alignment, frame.width, frame.height)
    return guess(begun.likeness, solid, seen.crop, one.hole, known)


def guess(
    likeness: Likeness, landmarks: Float32, pixels: UInt8, hole: UInt8, known: UInt8
) -> Prior:
    """The bare face in the pose and the light of another picture of the same person.

    Args:
        landmarks: (478, 3) float32, of that picture, crop px.
        pixels: (S, S, 3) uint8, its crop.
        hole: (S, S) uint8, 1 in the hole.
        known: (S, S) uint8, 1 where that crop lies inside its picture.
    """
    bare, size = likeness.landmarks, hole.shape[0]
    scale, rotation, offset = rigid_fit(bare[POINTS].astype(np.float64), landmarks[POINTS])
    posed = (scale * bare @ rotation.T + offset)[:, :2].astype(np.float32)
    x, y = thin_plate(posed[CARRIERS], bare[CARRIERS, :2], size)
    bent = cv2.remap(likeness.crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rgb = bent.astype(np.uint8, copy=False)
    seen = cv2.remap(likeness.known, x, y, cv2.INTER_NEAREST, borderValue=0).astype(np.uint8)
    skin = _within(posed[CARRIERS], size)
    light = _light(rgb, pixels, cv2.subtract(skin & known & seen, hole).astype(np.uint8))
    turn = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    trust = PICTURE_WEIGHT * np.interp(turn, TURN_DEG, (1, 0))
    near = cv2.dilate(skin, disc(OUTLINE_PX)).astype(np.uint8) & seen
    return Prior(np.minimum(rgb * light, 255).astype(np.float32), near * np.float32(trust))


def _within(points: Float32, size: int) -> UInt8:
    """(size, size) uint8, 1 in the convex hull of (N, 2) points, px."""
    plane = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(plane, np.round(cv2.convexHull(points)).astype(np.int32), 1)
    return plane


def _light(bare: UInt8, pixels: UInt8, skin: UInt8) -> Float32:
    """(3,) factors that bring `bare` into the light of `pixels`, by what is 1 in `skin`."""
    if cv2.countNonZero(skin) < MIN_SKIN_PX:
        return np.ones(3, np.float32)
    here, there = (np.array(cv2.mean(one, skin)[:3]) for one in (pixels, bare))
    return np.asarray(np.clip(here / np.maximum(there, 1), *GAINS), np.float32)


def _area(mesh: Float32) -> float:
    return float(np.prod(np.ptp(mesh[:, :2], axis=0)))
