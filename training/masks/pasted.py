"""Real masks, cut out of photographs, put on other faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.warp import thin_plate
from training.masks.cloth import pattern_on, shaded, strap_colour, strap_relief
from training.masks.shape import Plane, Points, coordinates, straps_of

Picture = NDArray[np.float32]

# Mesh points that carry the cloth, left and right ones in pairs: the face's outline, eye corners,
# cheeks, mouth; then those of the middle: nose, lips, chin.
_LEFT = (127, 234, 93, 132, 58, 172, 136, 150, 176, 148, 33, 133, 117, 50, 205, 61)
_RIGHT = (356, 454, 323, 361, 288, 397, 365, 379, 400, 377, 263, 362, 346, 280, 425, 291)
_MIDDLE = (168, 197, 4, 2, 0, 17, 199, 152)
_CARRIERS = (*_LEFT, *_RIGHT, *_MIDDLE)
# The forehead: skin that no mask covers.
_SKIN_LEFT, _SKIN_RIGHT, _SKIN_MIDDLE = (109, 67, 105, 107), (338, 297, 334, 336), (9, 10)
_SKIN = (*_SKIN_LEFT, *_SKIN_RIGHT, *_SKIN_MIDDLE)
# Width that the cloth's colour is carried outwards, so that no old background shows at its rim.
RIM_PX = 2
# How often a mask has slipped below the nose, and for each mesh point that it covered before, the
# one that the same piece of cloth covers then.
SLIPPED_SHARE = 0.4
_SLIPPED = {168: 4, 197: 164, 4: 0, 2: 13, 0: 17, 117: 50, 346: 280, 50: 205, 280: 425}
# How often a mask gets a print: few of those that were photographed have a bold one.
PRINTED_SHARE = 0.2
# The deepest shade that it casts.
SHADE = 0.40
# How far around the mask its shade may fall.
SHADE_PX = 16


@dataclass(frozen=True, slots=True)
class Texture:
    """A mask as photographed.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        map: (H, W) float32 in [0, 1], the mask, with its straps if they are outlined.
        mesh: (478, 2) float32, px.
        strapped: whether they are.
    """

    image: NDArray[np.uint8]
    map: Plane
    mesh: Points
    strapped: bool = False


def yaw(mesh: Points) -> float:
    """How far a head is turned: -1 to 1, 0 from the front, positive with the nose to the right."""
    left, right = mesh[4, 0] - mesh[234, 0], mesh[454, 0] - mesh[4, 0]
    return float((left - right) / max(abs(left) + abs(right), 1e-3))


def mirrored(texture: Texture) -> Texture:
    """The same seen in a mirror; of the mesh only what this module uses changes sides."""
    left, right = [*_LEFT, *_SKIN_LEFT], [*_RIGHT, *_SKIN_RIGHT]
    mesh = texture.mesh.copy()
    mesh[left], mesh[right] = texture.mesh[right], texture.mesh[left]
    mesh[:, 0] = texture.image.shape[1] - 1 - mesh[:, 0]
    return Texture(
        np.ascontiguousarray(texture.image[:, ::-1]),
        np.ascontiguousarray(texture.map[:, ::-1]),
        mesh,
        texture.strapped,
    )


def paste(
    image: Picture, mesh: Points, texture: Texture, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Put a photographed mask on a bare face.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1], the bare face.
        mesh: (478, 2) float32, px of `image`.

    Returns:
        A new picture of the same form, and its map (S, S) float32 in [0, 1].
    """
    places = slipped(mesh, rng) if rng.random() < SLIPPED_SHARE else mesh
    x, y, whole = carried(places, texture, image.shape[0])
    worn = image.copy()
    if rng.random() < 0.5:
        whole = cv2.GaussianBlur(whole, (0, 0), rng.uniform(0.3, 0.9)).astype(np.float32)
    part = _around(whole)
    alpha, light = whole[part], _light(image, mesh, texture, rng)[part]
    warped = cv2.remap(
        texture.image, x[part], y[part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    bled = _bled(np.asarray(warped, np.uint8), alpha).astype(np.float32)
    cloth = np.minimum(bled * light * np.float32(1 / 255), np.float32(1.05))
    if rng.random() < 0.4:
        cloth = recolour(cloth, alpha, rng)
    if rng.random() < PRINTED_SHARE:
        cloth = _printed(cloth, whole, part, float(mesh[4, 0]), rng)
    weight = alpha[..., None]
    skin = shaded(image[part], alpha, rng, SHADE)
    worn[part] = np.clip(skin * (1 - weight) + weight * cloth, 0, 1)
    return worn, whole


def tied(
    image: Picture, worn: Plane, mesh: Points, rng: np.random.Generator
) -> tuple[Picture, Plane]:
    """Straps for a pasted mask whose own are not outlined.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1], with the mask on.
        worn: (S, S) float32 in [0, 1], its map.
        mesh: (478, 2) float32, px.

    Returns:
        A new picture, and the map with the straps.
    """
    corners = _corners(worn)
    if corners is None:
        return image, worn
    straps = straps_of(mesh, corners, image.shape[0], "cloth", rng)
    bare = cv2.GaussianBlur(image, (0, 0), 12).mean(2, keepdims=True)
    light = (bare / max(float(bare.mean()), 0.05)) ** np.float32(rng.uniform(0, 0.7))
    relief = strap_relief(straps, rng)[..., None]
    colour = np.clip(strap_colour(image, worn, image, straps, rng) * light * relief, 0, 1)
    weight = (straps * (1 - worn))[..., None]
    shade = shaded(image, weight[..., 0], rng, SHADE) - image
    made = (image + shade * (1 - worn[..., None])) * (1 - weight) + weight * colour
    return made.astype(np.float32), np.asarray(worn + weight[..., 0], np.float32)


def _corners(worn: Plane) -> Points | None:
    """(4, 2) px: left top, left bottom, right top, right bottom of the cloth."""
    y, x = np.nonzero(worn > 0.5)
    if not len(x):
        return None
    depth = max(1.0, 0.12 * float(np.ptp(x)))
    corners = []
    for side in (x <= x.min() + depth, x >= x.max() - depth):
        across, down = x[side], y[side]
        corners += [(across[i], down[i]) for i in (down.argmin(), down.argmax())]
    return np.array(corners, np.float32)


def carried(places: Points, texture: Texture, size: int) -> tuple[Plane, Plane, Plane]:
    """A photographed mask on another face.

    Args:
        places: (478, 2) float32, where the face's mesh carries the cloth, px.
        size: S, side of that face's crop, px.

    Returns:
        x and y, px of the texture, for cv2.remap, and the map in [0, 1]; (S, S) float32 each.
    """
    carriers = list(_CARRIERS)
    x, y = thin_plate(places[carriers], texture.mesh[carriers], size)
    shape = cv2.remap(texture.map, x, y, cv2.INTER_LINEAR, borderValue=0)
    return x, y, np.asarray(shape, np.float32)


def slipped(mesh: Points, rng: np.random.Generator) -> Points:
    """(478, 2) px, the places to which a mask carries its own when the nose looks out."""
    places = mesh.copy()
    start, end = list(_SLIPPED), list(_SLIPPED.values())
    places[start] += (mesh[end] - mesh[start]) * np.float32(rng.uniform(0.5, 1.05))
    return places


def _around(alpha: Plane) -> tuple[slice, slice]:
    """The rows and columns that a mask and its shade can change."""
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    return (
        slice(max(0, y - SHADE_PX), y + height + SHADE_PX),
        slice(max(0, x - SHADE_PX), x + width + SHADE_PX),
    )


def _printed(
    cloth: Picture,
    whole: Plane,
    part: tuple[slice, slice],
    nose_x: float,
    rng: np.random.Generator,
) -> Picture:
    """A print on `cloth`, which is a part of the crop with the map `whole`, in its own light."""
    grey = cloth.mean(2, keepdims=True)
    inside = whole[part] > 0.5
    level = max(float(grey[inside].mean()), 0.05) if inside.any() else 0.5
    flat = np.zeros((*whole.shape, 3), np.float32)
    flat[part] = cloth / np.maximum(grey, 0.05) * np.float32(level)
    inked = pattern_on(flat, *coordinates(whole, nose_x), rng)[part]
    return np.asarray(inked * (grey / level), np.float32)


def recolour(cloth: Picture, alpha: Plane, rng: np.random.Generator) -> Picture:
    """Another colour for a mask, with its folds and prints kept.

    Args:
        cloth: (S, S, 3) float32 RGB in [0, 1].
        alpha: (S, S) float32, where the mask is.

    Returns:
        A new picture; what is not mask changes too.
    """
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(np.clip(cloth, 0, 1), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + np.float32(rng.uniform(0, 360))) % np.float32(360)
        hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(rng.uniform(0.5, 1.6)), 0, 1)
        turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        return np.asarray(turned ** np.float32(np.exp(rng.normal(0, 0.3))), np.float32)
    grey = cloth @ np.array([0.3, 0.59, 0.11], np.float32)
    inside = alpha > 0.5
    level = float(grey[inside].mean()) if inside.any() else 0.5
    hsv = np.array([[[rng.uniform(0, 360), rng.beta(1, 2), rng.uniform(0.06, 0.95)]]], np.float32)
    colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    contrast = (grey / max(level, 0.05)) ** np.float32(rng.uniform(0.6, 1.2))
    return np.asarray(np.clip(contrast[..., None] * colour, 0, 1), np.float32)


def _bled(cloth: NDArray[np.uint8], alpha: Plane) -> NDArray[np.uint8]:
    """The cloth with its own colour carried outwards over its rim."""
    inside = (alpha > 0.9).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1, 2 * RIM_PX + 1))
    # Thin straps have no inside to speak of: they keep their middle.
    thin = inside - cv2.morphologyEx(inside, cv2.MORPH_OPEN, kernel)
    core = np.maximum(cv2.erode(inside, kernel), thin * (alpha > 0.99).astype(np.uint8))
    if not core.any():
        return cloth
    _, nearest = cv2.distanceTransformWithLabels(
        1 - core, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.zeros(int(nearest.max()) + 1, np.intp)
    flat = np.flatnonzero(core)
    index[nearest.ravel()[flat]] = flat
    rim = np.flatnonzero((alpha > 0) & (core == 0))
    result = cloth.reshape(-1, 3).copy()
    result[rim] = result[index[nearest.ravel()[rim]]]
    return result.reshape(cloth.shape)


def _light(
    image: Picture, mesh: Points, texture: Texture, rng: np.random.Generator
) -> Picture:
    """(S, S, 3): factors that bring the cloth into the light of the face that now wears it.

    Skin differs in more than its light, so only part of the difference is followed.
    """
    here = _skin(image, mesh)
    there = _skin(texture.image, texture.mesh) / 255.0
    ratio = np.clip(here / np.maximum(there, 0.03), 0.2, 4.0)
    level = float(ratio.mean())
    gain = np.clip(level ** rng.uniform(0.35, 0.9), 0.35, 1.8) * (
        (ratio / level) ** rng.uniform(0.2, 0.7)
    )
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).mean(2)
    field = cv2.GaussianBlur(small, (0, 0), 4)
    own = np.maximum(field, 0.02) / max(float(field[8:28, 8:24].mean()), 0.02)
    own = (own ** rng.uniform(0, 0.5)).astype(np.float32)
    spread = cv2.resize(own, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread[..., None] * gain.astype(np.float32), np.float32)


def _skin(image: NDArray[np.uint8] | Picture, mesh: Points) -> NDArray[np.float64]:
    """(3,) the mean colour of the forehead."""
    plane = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(plane, cv2.convexHull(np.round(mesh[list(_SKIN)]).astype(np.int32)), 1)
    if not plane.any():
        return np.asarray(image.mean((0, 1)), np.float64)
    return np.asarray(cv2.mean(image, plane)[:3], np.float64)
