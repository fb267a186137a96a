"""Stills that lie on their side or stand on their head, as the program looks for masks in them.

Only the map tells which way up a masked face is. So a still in which nobody is masked is looked at
every way up, and the map must not take a forehead with hair below it for a mask.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realtime_unmask.faces import quarters
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.types import Face, Float32, Frame, UInt8
from realtime_unmask.unmask.finding import Search
from training import data
from training.evaluation import cases
from training.evaluation.engines import SETTINGS
from training.evaluation.pool import spread
from training.shards import CROP, Faces

if TYPE_CHECKING:
    from training.evaluation.photos import Held

# A face is where it was found upright if its points are no farther off, in eye distances.
NEAR = 0.25
_EYES = [33, 263]

Table = dict[str, dict[str, float]]


def bare(
    faces: Faces, engines: Path, *, limit: int | None = None, workers: int | None = None
) -> Table:
    """How many pictures of bare faces are painted over; arguments as of `maps.evaluate`."""
    judges = data.judges(faces) | cases.unseen_faces(faces)
    few = faces.where(judges & (np.arange(len(faces)) % cases.step(faces, limit) == 0))
    masks = np.array(list(spread(partial(_Bare, few, engines), range(len(few)), workers)))
    unseen = np.isin(few.set, data.UNSEEN_SETS)
    groups = {"val": masks[~unseen], "unseen sources": masks[unseen]}
    return {
        name: {"n": float(len(those)), "taken for masked": float((those > 0).mean())}
        for name, those in groups.items()
        if len(those)
    }


def photographs(kept: Held, engines: Path, *, workers: int | None = None) -> Table:
    """Where masks are found in the scoring photographs that are turned, a row for each turn.

    Those in which one person is found, masked, while they are upright.
    """
    images = [image for _, image in kept.pictures]
    answers = spread(partial(_Photos, engines), images, workers)
    rows = [answer for answer in answers if answer is not None]
    table: Table = {}
    for number, turns in enumerate((1, 2, 3)):
        places = np.array([row[number] for row in rows])
        table[f"turned by {90 * turns} degrees"] = {
            "n": float(len(rows)),
            "right": float((places <= NEAR).mean()),
            "elsewhere": float(((places > NEAR) & np.isfinite(places)).mean()),
            "none found": float(np.isinf(places).mean()),
        }
    return table if rows else {}


class _Stills:
    """Looks for masks as the program does; lives in one process."""

    def __init__(self, engines: Path) -> None:
        self._detector = Detector()
        self._mapper = load_engine("map", SETTINGS, engines)

    def masked(self, picture: UInt8) -> tuple[tuple[Face, ...], list[Face]]:
        """All faces, and those in a mask, each once."""
        search = Search(self._detector, self._mapper, CROP, Frame(picture), SETTINGS)
        faces, _, masked = search.run()
        return faces, [one.seen.face for one in masked if not one.is_outer]


class _Bare(_Stills):
    def __init__(self, faces: Faces, engines: Path) -> None:
        super().__init__(engines)
        self._faces = faces

    def __call__(self, row: int) -> int:
        return len(self.masked(self._faces.image(row))[1])


class _Photos(_Stills):
    def __call__(self, picture: UInt8) -> list[float] | None:
        """How far off the nearest masked face is after each turn; None where it is not one face."""
        faces, upright = self.masked(picture)
        if len(faces) != 1 or len(upright) != 1:
            return None
        return [self._away(picture, upright[0].landmarks, turns) for turns in (1, 2, 3)]

    def _away(self, picture: UInt8, mesh: Float32, turns: int) -> float:
        found = self.masked(quarters.turned(picture, turns))[1]
        unit = float(np.linalg.norm(np.subtract(*mesh[_EYES, :2])))
        away = [
            quarters.back(face.landmarks, turns, picture.shape)[:, :2] - mesh[:, :2]
            for face in found
        ]
        return min((float(np.hypot(*one.T).mean()) / unit for one in away), default=np.inf)
