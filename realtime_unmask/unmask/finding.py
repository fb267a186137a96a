"""Whom a frame shows, and which of them wear a mask: detect, align, map, decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from realtime_unmask.faces import quarters, tracker
from realtime_unmask.faces.alignment import align, crop
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import Engine
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Face, Float32, Frame, MaskMap
from realtime_unmask.unmask.compositor import support
from realtime_unmask.unmask.faces_wanted import wanted
from realtime_unmask.unmask.given import under
from realtime_unmask.unmask.map import find_masks, is_worn, normalise
from realtime_unmask.unmask.outer import outer_hole, reaches_out, wider, without_others
from realtime_unmask.unmask.state import Clock, FaceMemory, Masked, Seen, State

# Faces are run through the networks in batches of at most this many.
BATCH = 4

Found = tuple[tuple[Face, ...], list[Seen], list[Masked]]


@dataclass(frozen=True, slots=True)
class Search:
    """The search of one frame.

    Attributes:
        detector, map_engine: what searches.
        size: side of the aligned crop, px.
        frame: where.
        settings: how.
        state: the memory of the frame's sequence, changed in place; None for a still.
        clock: stages are added to it.
        given: (H, W) float32 in [0, 1], a map in place of the network's; or None.
    """

    detector: Detector
    map_engine: Engine
    size: int
    frame: Frame
    settings: Settings
    state: State | None = None
    clock: Clock = field(default_factory=lambda: Clock(time.perf_counter_ns))
    given: Float32 | None = None

    def run(self) -> Found:
        """All faces; those that are wanted, aligned; and of these those in a mask.

        A masked face that stands on its head is seen as an upright one as surely as any: only the
        map tells. So where nobody in a still wears a mask, it is looked at the other ways up too,
        unless somebody is surely bare: upside down a forehead with hair below it looks masked.

        Raises:
            EngineError: the map network failed.
        """
        found = self._among(self._faces)
        if self.state is not None or self.given is not None or found[2]:
            return found
        image = self.frame.image
        if any(self.detector.surely_bare(image, face.landmarks) for face in found[0]):
            return found
        for turns in quarters.OTHER_WAYS:
            other = self._among(partial(self._turned_faces, turns))
            if other[2]:
                return other
        return found

    def on_head(self) -> bool | None:
        """Whether the people in a video's frame stand on their heads; None: it does not show.

        Now and then a face that is seen the wrong way up looks masked as well. So only a frame
        that shows a mask one way, and none the other way, says anything.

        Raises:
            EngineError: the map network failed.
        """
        image, most = self.frame.image, self.settings.max_faces
        upright = self._among(lambda: numbered(self.detector.find(image, most)))
        if any(self.detector.surely_bare(image, face.landmarks) for face in upright[0]):
            return False
        other = self._among(partial(self._turned_faces, 2))
        if bool(other[2]) == bool(upright[2]):
            return None
        return bool(other[2])

    def _faces(self) -> list[Face]:
        if self.state is None:
            return numbered(self.detector.find_all(self.frame.image))
        most, every = self.settings.max_faces, self.state.effort.look_every
        return tracker.track(self.frame, self.detector, self.state.tracks, most, every)

    def _turned_faces(self, turns: int) -> list[Face]:
        return numbered(self.detector.find_turned(self.frame.image, turns))

    def _among(self, look: Callable[[], list[Face]]) -> Found:
        with self.clock.stage("detect"):
            faces = look()
            choice = self.state.choice if self.state else None
            mine = wanted(faces, self.settings.faces, choice, self.frame.captured_ns)
        with self.clock.stage("align"):
            seen = self._align(mine)
        with self.clock.stage("map"):
            masked = self._with_outer(self._masked(seen, faces), faces)
        return tuple(faces), seen, masked

    def _align(self, faces: list[Face]) -> list[Seen]:
        seen = []
        for face in faces:
            try:
                alignment = align(face.landmarks, self.size, self.frame.pixel_aspect)
            except ValueError:  # a degenerate mesh: no face after all
                continue
            memory = None
            if self.state is not None:
                memory = self.state.faces.setdefault(face.track_id, FaceMemory(frames=-1))
            seen.append(self._seen(face, alignment, memory))
        if self.state is not None:
            here = {one.face.track_id for one in seen}
            self.state.faces = {k: v for k, v in self.state.faces.items() if k in here}
        return seen

    def _seen(self, face: Face, alignment: Alignment, memory: FaceMemory | None) -> Seen:
        pixels = crop(self.frame.image, alignment)
        if memory is not None:
            memory.see(pixels, self.frame.captured_ns)
        follows = memory is not None and memory.worn
        return Seen(face, alignment, pixels, normalise(pixels), memory, follows)

    def _masked(self, seen: list[Seen], faces: list[Face]) -> list[Masked]:
        """Those faces that wear a mask."""
        if self.given is not None:
            return under(self.given, seen, faces)
        threshold = self.settings.mask_threshold
        return [
            Masked(one, found, support(found, threshold))
            for one, found in zip(seen, self._maps(seen), strict=True)
            if is_worn(found, one.map_memory)
        ]

    def _with_outer(self, masked: list[Masked], faces: list[Face]) -> list[Masked]:
        """The same, and before them the wider crops of those that reach out of their own."""
        reaching = {one.seen.face.track_id: one for one in masked if self._reaches_out(one)}
        for one in masked:
            if one.seen.memory is not None and one.seen.face.track_id not in reaching:
                one.seen.memory.outer = None
        if not reaching:
            return masked
        wide = []
        for outer in self._outer_maps([self._outer(one.seen) for one in reaching.values()], faces):
            one = reaching[outer.seen.face.track_id]
            hole = outer_hole(one.hole, outer.hole)
            if hole is not None:
                wide.append(replace(outer, hole=hole, inner=one))
        fading = {one.seen.face.track_id for one in wide}
        return [*wide, *(replace(one, fades=one.seen.face.track_id in fading) for one in masked)]

    def _outer_maps(self, seen: list[Seen], faces: list[Face]) -> list[Masked]:
        """What of the wider crops is mask; of a given map some may show nothing."""
        if self.given is not None:
            return under(self.given, seen, faces)
        made = []
        for one, found in zip(seen, self._maps(seen), strict=True):
            marked = support(found, self.settings.mask_threshold)
            marked = without_others(marked, one.alignment, one.face, faces)
            made.append(Masked(one, found, marked))
        return made

    def _reaches_out(self, one: Masked) -> bool:
        memory = one.seen.memory
        before = memory is not None and memory.outer is not None
        return reaches_out(one.hole, one.seen.alignment, self.frame, before)

    def _outer(self, one: Seen) -> Seen:
        """The same face in its wider crop."""
        if one.memory is not None and one.memory.outer is None:
            # In step with the usual crop: both are painted in the same frames, the same way.
            one.memory.outer = FaceMemory(frames=one.memory.frames - 1)
        memory = one.memory.outer if one.memory is not None else None
        return self._seen(one.face, wider(one.alignment), memory)

    def _maps(self, seen: list[Seen]) -> list[MaskMap]:
        batches = (seen[start : start + BATCH] for start in range(0, len(seen), BATCH))
        return [found for batch in batches for found in self._batch(batch)]

    def _batch(self, seen: list[Seen]) -> list[MaskMap]:
        threshold = self.settings.mask_threshold
        every = 1 if self.state is None else self.state.effort.map_every
        held = [one.held_map(every, threshold) for one in seen]
        asked = [one for one, before in zip(seen, held, strict=True) if before is None]
        fresh: Iterator[MaskMap] = iter(())
        if asked:
            batch = np.stack([one.planes for one in asked])
            memories = [one.map_memory for one in asked]
            fresh = iter(find_masks(self.map_engine, batch, memories, threshold))
        for one in asked:
            if one.memory is not None:
                one.memory.mapped_ns = one.memory.now_ns
        return [next(fresh) if before is None else before for before in held]


def numbered(meshes: list[Float32]) -> list[Face]:
    """The faces of a still, (478, 3) each, by their order."""
    return [tracker.as_face(mesh, number) for number, mesh in enumerate(meshes)]
