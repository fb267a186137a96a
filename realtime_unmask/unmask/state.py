"""What one frame of a sequence leaves to the next, and one face while it is worked on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from realtime_unmask.errors import EngineError
from realtime_unmask.faces import tracker
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Face, Float32, Frame, Likeness, MaskMap, UInt8
from realtime_unmask.unmask.colour import RIM_PX
from realtime_unmask.unmask.editor import Paint, Way
from realtime_unmask.unmask.effort import HELD_MAP_NS, HELD_PAINT_NS, JUMP, Effort
from realtime_unmask.unmask.faces_wanted import Choice, Wearer
from realtime_unmask.unmask.map import MapMemory, held_mask


@dataclass(slots=True)
class FaceMemory:
    """What is remembered of one face."""

    map: MapMemory = field(default_factory=MapMemory)
    frames: int = 0
    painted: Paint | None = None  # as it was shown
    fresh: Paint | None = None  # as the editor made it
    way: Way = "both"  # how that was
    hole: UInt8 | None = None  # which was painted
    now_ns: int = 0  # when this frame was captured, and those of the map and the paint
    mapped_ns: int = 0
    painted_ns: int = 0
    look: Float32 | None = None  # the crop in small
    jumped: bool = False  # it looks unlike that of the frame before: nothing old fits
    worn: bool = False  # a mask, in the frame before
    outer: FaceMemory | None = None  # of the wider crop, while the mask reaches out of this one

    def see(self, crop: UInt8, captured_ns: int) -> None:
        """Note the face's next frame."""
        look = crop[::8, ::8].astype(np.float32)
        self.jumped = self.look is not None and float(np.abs(look - self.look).mean()) > JUMP
        if self.jumped:  # or a bare face after the cut would be painted for a frame
            self.map, self.worn, self.outer = MapMemory(), False, None
        self.look, self.now_ns = look, captured_ns
        self.frames += 1

    def may_join(self, way: Way, captured_ns: int) -> bool:
        """Whether what was painted last and what is painted now that `way` are both ways."""
        recent = captured_ns - self.painted_ns <= HELD_PAINT_NS
        return recent and way != "both" and way != self.way


class State:
    """All memory of one sequence: tracks, hysteresis, previous maps and outputs.

    Make a fresh one for each video or camera; a still needs none. The same sequence from a fresh
    State gives the same pixels.

    Attributes:
        effort: how much work each frame gets; may be set between two frames.
        choice: the face that was clicked, where settings.faces is "chosen"; or the largest one.
        likeness: the bare face that was in force in the frame before.
        wearer: whose face that is.
    """

    def __init__(self, effort: Effort = Effort()) -> None:  # noqa: B008  frozen, it can serve all
        self.effort = effort
        self.tracks = tracker.Tracks()
        self.faces: dict[int, FaceMemory] = {}
        self.choice = Choice()
        self.likeness: Likeness | None = None
        self.wearer = Wearer()
        self._mirror = False  # what was painted last
        self._painted_at = -math.inf

    def next_way(self, frame: Frame) -> Way:
        """How the faces of a frame are painted; to be asked once of each frame with paint.

        In turns, straight and in a mirror: joined with the frame before they are both ways, for
        the time of one. Where that is too long ago, a live frame is painted straight, since it has
        to be quick, and a file's both ways.
        """
        live = frame.captured_ns > 0
        now = frame.captured_ns * 1e-9 if live else float(frame.pts or 0)
        apart, self._painted_at = now - self._painted_at, now
        follows = apart <= HELD_PAINT_NS * 1e-9
        self._mirror = follows and not self._mirror
        if not follows:
            return "straight" if live else "both"
        return "mirror" if self._mirror else "straight"


@dataclass(frozen=True, slots=True)
class Seen:
    """One face of one frame, aligned.

    Attributes:
        planes: the crop as the networks take it, (3, S, S).
        memory: None in a still. May have seen the next frame when this one is finished, but for
            what was painted.
        follows: the frame before showed this face in a mask, and looked alike.
    """

    face: Face
    alignment: Alignment
    crop: UInt8
    planes: Float32
    memory: FaceMemory | None
    follows: bool

    @property
    def map_memory(self) -> MapMemory | None:
        """Of this face's maps; None in a still."""
        return self.memory.map if self.memory else None

    def held_map(self, every: int, threshold: float) -> MaskMap | None:
        """The map of the frame before, if it is to serve in this frame as well."""
        memory = self.memory
        if memory is None or memory.jumped or memory.frames % every == 0:
            return None
        if memory.now_ns - memory.mapped_ns > HELD_MAP_NS:
            return None
        return held_mask(memory.map, threshold)

    def held_paint(self, every: int, hole: UInt8) -> Paint | None:
        """What was painted in the frame before, if it is to serve in this frame's hole as well."""
        memory = self.memory
        # Not in step with the map: the work is spread over the frames.
        if memory is None or not self.follows or (memory.frames + 1) % every == 0:
            return None
        if memory.painted is None or memory.hole is None:
            return None
        if memory.now_ns - memory.painted_ns > HELD_PAINT_NS:
            return None
        side = 2 * RIM_PX + 1
        if (hole > cv2.dilate(memory.hole, np.ones((side, side), np.uint8))).any():
            return None  # it has grown over what was not painted
        return memory.painted


@dataclass(frozen=True, slots=True)
class Masked:
    """One face that wears a mask, and the hole to be painted.

    Attributes:
        fades: the mask reaches out of the crop: a wider one's paint lies under this one's.
        inner: of such a wider crop, the usual one; see outer.py.
    """

    seen: Seen
    map: MaskMap
    hole: UInt8
    fades: bool = False
    inner: Masked | None = None

    @property
    def is_outer(self) -> bool:
        """Whether this is a wider crop, a layer under the usual one's paint."""
        return self.inner is not None


def note_masks(seen: list[Seen], masked: list[Masked]) -> None:
    """Which faces wear one, for the next frame."""
    hidden = {one.seen.face.track_id for one in masked}
    reaching = {one.seen.face.track_id for one in masked if one.fades}
    for one in seen:
        memory = one.memory
        if memory is None:
            continue
        memory.worn = one.face.track_id in hidden
        if not memory.worn:
            memory.outer = None
        elif memory.outer is not None:
            memory.outer.worn = one.face.track_id in reaching


@dataclass(slots=True, eq=False)
class Begun:
    """A frame on its way through an unmasker; see Unmasker.begin.

    Attributes:
        frame, faces: as they will be in the result.
        settings, clock: in force for this frame.
        given: a blend weight in place of the maps; None without one.
        masked: the faces that wear a mask; before them all, the wider crops of those that fade.
        held: for each, the paint of the frame before where it serves again, else None.
        way: how the faces are painted.
        likeness, wearer: the bare face in force, and the number of the face that it is
            of; None: there is none.
        alphas: for each, the blend weight, (S, S).
        fresh: what the editor made of the others; None while it is at work.
        done: for each crop, the paint after the colour match.
        fault: what went wrong with the editor.
    """

    frame: Frame
    faces: tuple[Face, ...]
    settings: Settings
    clock: Clock
    given: Float32 | None
    masked: list[Masked]
    held: list[Paint | None]
    way: Way
    likeness: Likeness | None = None
    wearer: int | None = None
    alphas: list[Float32] = field(default_factory=list)
    fresh: list[Paint] | None = None
    done: list[Paint] = field(default_factory=list)
    fault: EngineError | None = None

    @property
    def paints(self) -> list[Paint | None]:
        """All paint that there is of it so far."""
        return [*self.held, *(self.fresh or ()), *self.done]

    @property
    def masked_faces(self) -> list[Face]:
        """Those of `masked`, each once."""
        return [one.seen.face for one in self.masked if not one.is_outer]

    @property
    def asked(self) -> list[Masked]:
        """The crops that the editor is to paint."""
        return [one for one, before in zip(self.masked, self.held, strict=True) if before is None]


class Clock:
    """Nanoseconds by stage."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.spent: dict[str, int] = {}
        self._now = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is done inside counts as `name`."""
        began = self._now()
        yield
        self.spent[name] = self.spent.get(name, 0) + self._now() - began
