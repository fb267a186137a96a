"""How much work is put into each frame of a sequence; stills always get all of it."""

from __future__ import annotations

from dataclasses import dataclass

# A head that turns leaves its held map behind: 2 % of the demo's mask shows after 0.07 s, 12 %
# after 0.4 s. Nothing is held for longer than this, however far apart the frames are; paint under
# a fresh map may be somewhat older.
HELD_MAP_NS, HELD_PAINT_NS = 50_000_000, 150_000_000
# Nor over a cut, or the end of a clip that is shown again: mean difference of two crops in a row,
# grey levels. A head that moves fast stays below, a cut of the demo makes 38.
JUMP = 15.0


@dataclass(frozen=True, slots=True)
class Effort:
    """In which frames each step is done; between, a face keeps what it has, moved along with it.

    Attributes:
        look_every: the landmarker looks for a face's mesh in every n-th frame; between, optical
            flow carries it on. Two costs half, and trembles less than one.
        map_every: the map network runs in every n-th frame.
        edit_every: the editor runs in every n-th frame.

    Raises:
        ValueError: one of them is less than 1.
    """

    look_every: int = 2
    map_every: int = 1
    edit_every: int = 1

    def __post_init__(self) -> None:
        if min(self.look_every, self.map_every, self.edit_every) < 1:
            raise ValueError(f"Each step of {self} must be 1 or more.")
