"""Landmarks -> the transform to a face's square crop. Pure; training uses it too.

A mask hides the lower face, and the mesh under it is a guess (the chin is off by 8-20 % of the
eye distance), so only eyes, brows and nose bridge are used. Scale and roll come from a rigid fit
of those points in three dimensions (Umeyama 1991, weak perspective): the distance between the
eyes in the picture shrinks when the head turns, the fitted one does not.
"""

from __future__ import annotations

import cv2
import numpy as np

from realtime_unmask.types import Alignment, Float32, Float64, UInt8

# Frontal reference: the outer eye corners lie this share of the crop apart ...
EYE_DISTANCE = 0.36
# ... and their midpoint here (x, y as shares of the crop's side). The chin is then at 0.85.
EYE_CENTRE = (0.5, 0.40)

# The mean head of 1,138 synthetic faces (generalised Procrustes over mediapipe meshes, made
# symmetric): right point, left point, x, y, z of the left one in outer-eye distances.
_PAIRS = np.array(
    [
        (33, 263, 0.5000, 0.0000, 0.0000),
        (133, 362, 0.1935, 0.0260, -0.0618),
        (130, 359, 0.5307, 0.0024, 0.0143),
        (226, 446, 0.5770, 0.0195, 0.0439),
        (243, 463, 0.1699, 0.0291, -0.0726),
        (244, 464, 0.1353, 0.0456, -0.1136),
        (70, 300, 0.6406, -0.1636, 0.0023),
        (105, 334, 0.4626, -0.2547, -0.1706),
        (107, 336, 0.1624, -0.2250, -0.2713),
        (46, 276, 0.6004, -0.1301, -0.0548),
        (55, 285, 0.1422, -0.1334, -0.2394),
        (193, 417, 0.0858, -0.0249, -0.2046),
        (122, 351, 0.0648, 0.0706, -0.2716),
        (245, 465, 0.1147, 0.0591, -0.1620),
    ]
)
_MIDDLE = np.array(
    [
        (168, 0.0, -0.0358, -0.2534),
        (6, 0.0, 0.0538, -0.2997),
        (8, 0.0, -0.1219, -0.2602),
        (9, 0.0, -0.2174, -0.2791),
    ]
)
# Right ones, left ones in the same order, then MIDDLE_POINTS on the midline.
POINTS = np.concatenate([_PAIRS[:, 0], _PAIRS[:, 1], _MIDDLE[:, 0]]).astype(np.intp)
MIDDLE_POINTS = len(_MIDDLE)
REFERENCE: Float64 = np.concatenate(
    [_PAIRS[:, 2:] * (-1, 1, 1), _PAIRS[:, 2:], _MIDDLE[:, 1:]]
)


def align(landmarks: Float32, size: int, pixel_aspect: float = 1.0) -> Alignment:
    """The transform that brings a face upright, and unstretched, into its crop.

    Args:
        landmarks: (478, 3), x y in frame px, z relative in the unit of x.
        size: side of the crop, px.
        pixel_aspect: width of a frame's pixel over its height.

    Raises:
        ValueError: the points do not span a face (all on one spot, or not finite).
    """
    square = np.array([pixel_aspect, 1.0, pixel_aspect])
    scale, rotation, offset = rigid_fit(REFERENCE, landmarks[POINTS] * square)
    centre = offset[:2]  # the reference's origin lies between the eyes
    # In-plane part of the rotation: stays sound in yaw and pitch, where each single axis
    # shrinks in the picture.
    roll = np.arctan2(rotation[1, 0] - rotation[0, 1], rotation[0, 0] + rotation[1, 1])
    zoom = EYE_DISTANCE * size / scale
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    linear = np.array([[cos, sin], [-sin, cos]])
    offset = np.array(EYE_CENTRE) * size - linear @ centre
    return Alignment(np.hstack([linear * square[:2], offset[:, None]]), size)


def rigid_fit(source: Float64, target: Float32) -> tuple[float, Float64, Float64]:
    """Umeyama's closed form: target = scale * rotation @ source + offset, in least squares.

    Args:
        source, target: (n, 3), the same points of both.

    Returns:
        Scale, (3, 3) rotation, (3,) offset.

    Raises:
        ValueError: the points do not span a face (all on one spot, or not finite).
    """
    target = np.asarray(target, np.float64)
    if not np.isfinite(target).all():
        raise ValueError("The landmarks are not finite.")
    mean_t, mean_s = target.mean(0), source.mean(0)
    around = source - mean_s
    u, s, vt = np.linalg.svd((target - mean_t).T @ around)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = float((s * sign).sum() / (around**2).sum())
    if scale < 1e-3:
        raise ValueError("The landmarks do not span a face.")
    rotation: Float64 = (u * sign) @ vt
    offset: Float64 = mean_t - scale * rotation @ mean_s
    return scale, rotation, offset


def to_crop(landmarks: Float32, alignment: Alignment) -> Float32:
    """Landmarks in crop px.

    Args:
        landmarks: (n, 2 or 3), frame px.

    Returns:
        (n, 2) float32, crop px.
    """
    m = alignment.matrix
    return (landmarks[:, :2] @ m[:, :2].T + m[:, 2]).astype(np.float32)


def to_solid(landmarks: Float32, alignment: Alignment) -> Float32:
    """(n, 3) landmarks in crop px, the depth too."""
    depth = landmarks[:, 2:] * np.float32(alignment.scale)
    return np.hstack([to_crop(landmarks, alignment), depth])


def crop(image: UInt8, alignment: Alignment) -> UInt8:
    """Cut the aligned crop out of a picture; what lies outside it repeats its edge.

    A face larger than its crop is first reduced by area, so that fine detail (the weave of a
    mask, hair) does not alias.

    Args:
        image: (H, W, C) uint8.

    Returns:
        (S, S, C) uint8.
    """
    image, matrix = _region(image, alignment)
    return cv2.warpAffine(
        image,
        matrix,
        (alignment.size, alignment.size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.uint8, copy=False)


def _region(image: UInt8, alignment: Alignment) -> tuple[UInt8, Float64]:
    """The part of a large picture that the crop needs, reduced by area when it is too fine."""
    matrix = alignment.matrix
    factor = int(1.0 / alignment.scale + 0.25)
    if factor < 2:
        return image, matrix
    height, width = image.shape[:2]
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * alignment.size
    inverse = alignment.inverse()
    reach = corners @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.clip(np.floor(reach.min(0)).astype(int) - factor, 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(reach.max(0)).astype(int) + factor, (x0 + 1, y0 + 1), (width, height))
    small = (max(1, (x1 - x0) // factor), max(1, (y1 - y0) // factor))
    # Whole blocks: averaging over parts of pixels takes three times as long.
    part = image[y0 : min(y0 + small[1] * factor, y1), x0 : min(x0 + small[0] * factor, x1)]
    reduced = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    # Pixel centres: full = ratio * (reduced + 0.5) - 0.5 + origin.
    ratio = np.array([part.shape[1] / small[0], part.shape[0] / small[1]])
    origin = np.array([x0, y0]) + 0.5 * ratio - 0.5
    linear = matrix[:, :2]
    adjusted = np.hstack([linear * ratio, (linear @ origin + matrix[:, 2])[:, None]])
    return reduced.astype(np.uint8, copy=False), adjusted
