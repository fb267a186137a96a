"""What simple means make of a hole: the mean face, and principal components fitted to the rest.

A network that is not clearly better than these has learnt little.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realtime_unmask.types import Float32, UInt8
from training import data
from training.evaluation.scores import Bool
from training.shards import CROP, Faces

SIDE = 64
COMPONENTS = 300
FACES = 2400
SEED = 7
# What the components leave hangs together over many pixels, so it counts for more than its
# variance; 30 was best of 1, 10, 30, 100 and 300 on training faces (19.1 dB against 17.0).
DISTRUST = 30.0


@dataclass(frozen=True, slots=True)
class Baselines:
    """What was learnt from the training faces.

    Attributes:
        mean_face: (256, 256, 3) float32 in [0, 255].
        mean: (64 * 64 * 3,) float32, the small mean face in [0, 255].
        components: (64 * 64 * 3, k) float32, principal components.
        spread: (k,) float32, their variances.
        rest: the variance of what they leave, per value.
    """

    mean_face: Float32
    mean: Float32
    components: Float32
    spread: Float32
    rest: float

    def ridge(self, masked: UInt8, hole: UInt8, valid: Bool) -> Float32:
        """What the visible pixels tell of the hidden ones: ridge regression on the components.

        Returns:
            (256, 256, 3) float32 in [0, 255], the whole crop.
        """
        small = cv2.resize(masked, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        hidden = ((hole > 0) | ~valid).astype(np.float32)
        seen = cv2.resize(hidden, (SIDE, SIDE), interpolation=cv2.INTER_AREA) == 0
        rows = np.repeat(seen.ravel(), 3)
        basis = self.components[rows]
        system = basis.T @ basis + np.diag(DISTRUST * self.rest / self.spread)
        share = np.linalg.solve(system, basis.T @ (small.ravel()[rows] - self.mean[rows]))
        made = (self.mean + self.components @ share).reshape(SIDE, SIDE, 3)
        return cv2.resize(made.clip(0, 255), (CROP, CROP), interpolation=cv2.INTER_CUBIC).astype(
            np.float32
        )


def learn(faces: Faces) -> Baselines:
    """From training faces, drawn as the training draws them.

    Raises:
        ValueError: there are fewer than two training faces.
    """
    ours = data.training_faces(data.photographs(faces))
    if len(ours) < 2:
        raise ValueError("The simple baselines need training faces: there are none among these.")
    rng = np.random.default_rng(SEED)
    count = min(FACES, len(ours))
    chosen = rng.choice(len(ours), count, replace=False, p=data.shares(ours))
    total = np.zeros((CROP, CROP, 3), np.float64)
    small = np.empty((count, SIDE * SIDE * 3), np.float32)
    for row, index in enumerate(chosen):
        image = data.view(ours, int(index), None).image * 255
        total += image
        small[row] = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
    mean = small.mean(0)
    small -= mean
    values, vectors = np.linalg.eigh(small @ small.T / count)
    kept = np.argsort(values)[::-1][: min(COMPONENTS, count - 1)]
    strong = np.maximum(values[kept], 1e-3)
    components = small.T @ (vectors[:, kept] / np.sqrt(strong * count)).astype(np.float32)
    rest = max(float((small**2).mean() - strong.sum() / small.shape[1]), 1.0)
    return Baselines(
        (total / count).astype(np.float32), mean, components, strong.astype(np.float32), rest
    )
