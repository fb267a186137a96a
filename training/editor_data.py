"""What the editor is trained on: a masked face, the bare one, and now and then a guess for it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from realtime_unmask.faces.warp import CARRIERS, thin_plate
from training.data import (
    HARSH_SHARE,
    MOTION_SHARE,
    Picture,
    Plane,
    Sample,
    View,
    chw,
    person,
    view,
)
from training.labelled import Labelled
from training.masks.camera import frame_edge, grade, harsh, moved, reduced, smooth_field, tight
from training.masks.pasted import yaw
from training.masks.shape import Points
from training.masks.worn import put_on
from training.shards import CROP, Faces

# How often a sample shows somebody of whom there is another picture, which then is the prior.
PAIR_SHARE = 0.15
# How often the face was small in its photograph: what is painted must be as soft as the rest.
SMALL_SHARE = 0.25
# How often the mask is cut out of a photograph: drawn ones know no folds, and stand off the face
# less.
REAL_SHARE = 0.35
# How often another sample's prior is a worsened copy of the truth.
COPY_SHARE = 0.38
# How often the picture ends close to the face.
EDGE_SHARE = 0.2
# How often a mask stands off a turned head and reaches out over the face's outline, and how far at
# most, px: as a cup does, whose true outline the drawn ones follow.
BULGE_SHARE = 0.6
BULGE_PX = 40.0
# What is narrower is a strap, px.
STRAP_PX = 13
# How far the guess is to be trusted.
TRUST = (0.5, 1.0)


def editor_maker(
    faces: Faces,
    size: int = CROP,
    pair_share: float = PAIR_SHARE,
    copy_share: float = COPY_SHARE,
    real: Labelled | None = None,
) -> Callable[[Faces, int, np.random.Generator], Sample]:
    """The function that makes sample after sample of `faces`, S = `size` px.

    The hole is blank, but around it are the mask's shade and what is left of its edge. Its
    samples: image and target, with and without the mask, (3, S, S) in [-1, 1], map (1, S, S) 0 or
    1, valid (1, S, S), prior (3, S, S) and prior_weight (1, S, S).

    Args:
        real: labelled photographs, whose masks are REAL_SHARE of those that are put on.
    """
    _, who = np.unique(person(faces), return_inverse=True)
    several = np.flatnonzero(np.bincount(who)[who] > 1)
    by_person = {p: np.flatnonzero(who == p) for p in np.unique(who[several])}

    def make(faces: Faces, index: int, rng: np.random.Generator) -> Sample:
        other = None
        if several.size and rng.random() < pair_share:
            index = int(rng.choice(several))
            mine = by_person[who[index]]
            other = int(rng.choice(mine[mine != index]))
        return _sample(faces, index, other, rng, size, copy_share, real)

    return make


def _sample(
    faces: Faces,
    index: int,
    other: int | None,
    rng: np.random.Generator,
    size: int,
    copy_share: float,
    real: Labelled | None,
) -> Sample:
    seen = view(faces, index, rng, size)
    texture = None
    if real is not None and rng.random() < REAL_SHARE:
        texture = real.texture(seen.mesh, rng)
    masked, worn = put_on(seen.image, seen.mesh, rng, texture)
    image, masked = _alike(grade, [seen.image, masked], rng)
    valid = seen.valid
    if rng.random() < HARSH_SHARE:
        image, masked = _alike(harsh, [image, masked], rng)
    if rng.random() < MOTION_SHARE:  # half of a mask is mask enough, as the map is taught
        image, masked, worn = moved([image, masked, worn], rng)
        worn = np.minimum(1, 2 * worn)
    if rng.random() < SMALL_SHARE:
        image, masked, worn = _alike(reduced, [image, masked, worn], rng)
        image, masked = np.clip(image, 0, 1), np.clip(masked, 0, 1)  # enlarging overshoots
    hole = _hole(worn, rng)
    if rng.random() < BULGE_SHARE:
        hole = bulging(hole, yaw(seen.mesh), rng)
    if rng.random() < EDGE_SHARE:
        ends = tight(seen.mesh, size, rng)
        (image, known), (masked, _) = frame_edge(image, ends), frame_edge(masked, ends)
        valid = valid * known
    prior, weight = np.zeros_like(image), np.zeros_like(hole)
    if other is not None:
        prior, weight = _from_another(view(faces, other, rng, size), seen.mesh, hole, rng)
    elif rng.random() < copy_share:
        prior, weight = _worse_copy(image, hole, rng)
    if rng.random() < 0.5:
        image, masked, prior = image[:, ::-1], masked[:, ::-1], prior[:, ::-1]
        hole, valid, weight = hole[:, ::-1], valid[:, ::-1], weight[:, ::-1]
    return {
        "image": chw(masked) * 2 - 1,
        "target": chw(image) * 2 - 1,
        "map": hole[None],
        "valid": valid[None],
        "prior": chw(prior),
        "prior_weight": weight[None],
    }


def _alike(
    camera: Callable[[Picture, np.random.Generator], Picture],
    pictures: list[Picture],
    rng: np.random.Generator,
) -> list[Picture]:
    """All pictures through the same camera."""
    seed = int(rng.integers(2**63))
    return [camera(picture, np.random.default_rng(seed)) for picture in pictures]


def _hole(worn: Plane, rng: np.random.Generator) -> Plane:
    """(S, S) 0 or 1: a mask, grown as the run-time does and a little more or less."""
    marked = (worn > 0.4).astype(np.uint8)
    grow = max(1, round(rng.uniform(0.5, 6.5) * worn.shape[0] / CROP))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    return cv2.dilate(marked, kernel).astype(np.float32)


def bulging(hole: Plane, turned: float, rng: np.random.Generator) -> Plane:
    """A hole, (S, S) 0 or 1, that reaches out to the side to which the head is `turned`, -1 to 1.

    Most in the middle of its height, and the more the further the head is turned.
    """
    if turned < 0:
        return bulging(hole[:, ::-1], -turned, rng)[:, ::-1]
    side = max(3, round(STRAP_PX * hole.shape[0] / CROP))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    cloth = cv2.morphologyEx(np.ascontiguousarray(hole, np.float32), cv2.MORPH_OPEN, disc)
    rows = np.flatnonzero(cloth.any(1))
    if not rows.size:
        return hole
    reach = turned * rng.uniform(0, BULGE_PX) * hole.shape[0] / CROP
    along = np.linspace(0, 1, len(rows)) ** np.exp(rng.normal(0, 0.3))
    ends = hole.shape[1] - 1 - cloth[rows, ::-1].argmax(1)
    columns = np.arange(hole.shape[1])
    out = columns[None] <= (ends + reach * np.sin(np.pi * along) ** 0.7)[:, None]
    result = hole.copy()
    result[rows] = np.maximum(result[rows], out & (columns[None] >= ends[:, None]))
    return result


def _from_another(
    seen: View, mesh: Points, hole: Plane, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Another picture of the same person, bent to this one's mesh: what enrolment gives."""
    size = hole.shape[0]
    x, y = thin_plate(mesh[CARRIERS], seen.mesh[CARRIERS], size)
    guess = cv2.remap(seen.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.remap(seen.valid, x, y, cv2.INTER_NEAREST, borderValue=0)
    guess = guess * np.exp(rng.normal(0, 0.05, 3)) + rng.normal(0, 0.02)
    weight = (hole * known * rng.uniform(*TRUST)).astype(np.float32)
    return _kept(guess, weight), weight


def _worse_copy(
    image: Picture, hole: Plane, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """The truth moved, tinted, blurred and partly missing: a guess of varying worth."""
    zoom, turn = np.exp(rng.normal(0, 0.01)), rng.normal(0, 0.01)
    size = hole.shape[0]
    centre = np.full(2, size / 2)
    linear = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    offset = centre + rng.normal(0, 1.5, 2) * size / CROP - linear @ centre
    y, x = np.mgrid[:size, :size].astype(np.float32)
    places = np.stack([x, y], -1) @ linear.T.astype(np.float32) + offset.astype(np.float32)
    if rng.random() < 0.5:  # another expression, bent to this one's mesh as well as that goes
        places += smooth_field(size, (6, 6, 2), rng) * np.float32(rng.uniform(0, 3.5) * size / CROP)
    guess = cv2.remap(
        image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    guess = guess * np.exp(rng.normal(0, 0.06, 3)) + rng.normal(0, 0.02)
    if rng.random() < 0.5:  # another light
        guess *= np.exp(smooth_field(size, (3, 3, 1), rng) * np.float32(rng.uniform(0, 0.25)))
    if rng.random() < 0.7:
        guess = cv2.GaussianBlur(guess, (0, 0), rng.uniform(0.4, 3.0) * size / CROP)
    weight = hole * rng.uniform(*TRUST)
    if rng.random() < 0.4:
        weight = weight * (smooth_field(size, (5, 5, 1), rng)[..., 0] > rng.uniform(-0.5, 0.7))
    weight = weight.astype(np.float32)
    return _kept(np.asarray(guess, np.float32), weight), weight


def _kept(guess: Picture, weight: Plane) -> Picture:
    """A guess in [-1, 1], 0 where it has no weight."""
    known = (weight > 0)[..., None]
    return ((np.clip(guess, 0, 1) * 2 - 1) * known).astype(np.float32)
