"""A mask on a bare face, drawn or cut out of a photograph."""

from __future__ import annotations

import numpy as np

from training.masks.cloth import Picture, paint
from training.masks.pasted import Texture, paste, tied
from training.masks.shape import Plane, Points, random_shape

# How often a pasted mask gets straps, if it has none of its own.
TIED_SHARE = 0.6


def put_on(
    image: Picture,
    mesh: Points,
    rng: np.random.Generator,
    texture: Texture | None = None,
    printed: Picture | None = None,
) -> tuple[Picture, Plane]:
    """Put a random mask on.

    Args:
        image: (S, S, 3) float32 RGB in [0, 1], the bare face.
        mesh: (478, 2) float32, px of `image`.
        texture: the photographed mask that it is to be; None: one is drawn.
        printed: any (h, w, 3) picture to print on a drawn one.

    Returns:
        A new picture of the same form, and the mask's map (S, S) float32 in [0, 1].
    """
    if texture is None:
        shape = random_shape(mesh, image.shape[0], rng)
        return paint(image, shape, rng, printed), shape.map
    masked, worn = paste(image, mesh, texture, rng)
    if not texture.strapped and rng.random() < TIED_SHARE:
        masked, worn = tied(masked, worn, mesh, rng)
    return masked, worn
