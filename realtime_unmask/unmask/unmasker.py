"""Frame -> FrameResult: detect, align, map, decide, edit, match the colour, composite."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

import numpy as np

from realtime_unmask.closing import Closing
from realtime_unmask.errors import EngineError, EngineLost
from realtime_unmask.faces import tracker
from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.engine import Engine, load_engine
from realtime_unmask.inference.warm_up import warm_up
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult, Likeness, UInt8
from realtime_unmask.unmask.card import fetched
from realtime_unmask.unmask.card_trial import finishing_on_card
from realtime_unmask.unmask.editor import Paint, start_painting
from realtime_unmask.unmask.faces_wanted import Wearer
from realtime_unmask.unmask.finding import BATCH, Search
from realtime_unmask.unmask.finishing import blend_weight, composited, finished
from realtime_unmask.unmask.given import as_weight
from realtime_unmask.unmask.likeness import enrol, guess_for
from realtime_unmask.unmask.state import (
    Begun,
    Clock,
    Masked,
    State,
    note_masks,
)

__all__ = ["State", "Unmasker"]

T = TypeVar("T")

CROP = 256


class Unmasker(Closing):
    """Shows the people in a picture without their masks.

    Belongs to the thread that made it; use it as a context manager or call close().

    Args:
        map_engine, editor_engine: the two networks; see engines/manifest.json for their inputs.
        settings: how it works.

    Attributes:
        likeness: the bare face that the paint follows, from `enrol`; in a sequence it stays with
            the face that was the largest masked one at first. May be set between two frames;
            None: the paint is made up, as it is with an editor that cannot follow a face.
        clock: what the stages are timed with, ns.
    """

    def __init__(
        self,
        map_engine: Engine,
        editor_engine: Engine,
        settings: Settings = Settings(),  # noqa: B008  frozen, so one instance can serve all
    ) -> None:
        self._map_engine = map_engine
        self._editor_engine = editor_engine
        self._settings = settings
        self._card = finishing_on_card(editor_engine, CROP)
        self._detector = Detector()
        self.likeness: Likeness | None = None
        self.clock: Callable[[], int] = time.perf_counter_ns
        self._under_way: Begun | None = None  # the editor is at work for it
        self._closed = False

    @classmethod
    def default(cls, settings: Settings = Settings()) -> Unmasker:  # noqa: B008
        """An unmasker with the networks that ship with the program.

        Raises:
            EngineUnavailable: no backend works here, or not the one that was asked for.
            EngineDamaged: a network's file is not the one that its manifest names.
            AssetError: the landmarker's file is missing or altered.
        """
        with ExitStack() as undo:
            map_engine = undo.enter_context(load_engine("map", settings))
            editor_engine = undo.enter_context(load_engine("editor", settings))
            made = cls(map_engine, editor_engine, settings)
            undo.pop_all()
        return made

    @property
    def settings(self) -> Settings:
        """How it works; may be set between two frames.

        Raises:
            ValueError: backend, threads or precision differ: those need another unmasker.
        """
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        if settings.engine_choice != self._settings.engine_choice:
            raise ValueError("Another backend, thread count or precision needs a new Unmasker.")
        self._settings = settings

    @property
    def backend(self) -> str:
        """What runs the networks."""
        return self._editor_engine.backend

    @property
    def reason(self) -> str:
        """Why that."""
        return self._editor_engine.reason

    @property
    def finished_on(self) -> str:
        """Where colours are matched and frames blended: "cpu", or the card that was tried."""
        return "cpu" if self._card is None else self._editor_engine.card

    def enrol(self, image: UInt8) -> Likeness:
        """What a photo of a bare face gives `likeness`.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            TypeError, ValueError: the array is not of the form above.
            FaceUnsuitable: it shows no face, several, or one that is small, cut, dark or masked.
            EngineError: the map network failed, the editor was not trained to follow a face, or
                this unmasker was closed.
        """
        self._check_open()
        if not self._editor_engine.spec.prior_supported:
            raise EngineError(
                "The editing network of this installation was not trained to follow a bare face. "
                "Go on without one, or take the networks that ship with the program."
            )
        threshold = self._settings.mask_threshold
        return enrol(Frame(image).image, self._detector, self._map_engine, CROP, threshold)

    def process(
        self, frame: Frame | UInt8, state: State | None = None, *, given_map: UInt8 | None = None
    ) -> FrameResult:
        """Unmask one frame.

        Args:
            frame: a Frame, or an (H, W, 3) uint8 RGB array.
            state: the memory of the sequence that the frame belongs to, changed in place. None
                for a still: then every face is looked for, small ones too, and mapped and painted
                twice, once in a mirror.
            given_map: (H, W) uint8, the share of each pixel to paint (255 = all of it), in place
                of the map network's; only faces under it are painted.

        Returns:
            The result; its `output` is `frame` itself where nothing was painted.

        Raises:
            TypeError, ValueError: the arrays are not of the form above.
            EngineError: a network failed, or this unmasker was closed.
        """
        result = self.finish(self.begin(frame, state, given_map=given_map))
        if state is not None and not isinstance(frame, Frame):
            self.catch_up(state)  # the caller may write the next picture into the same array
        return result

    def on_head(self, frame: Frame) -> bool | None:
        """Whether the people in a video's frame stand on their heads; None: it does not show.

        Raises:
            EngineError: the map network failed, or this unmasker was closed.
        """
        self._check_open()
        return Search(self._detector, self._map_engine, CROP, frame, self._settings).on_head()

    def begin(
        self, frame: Frame | UInt8, state: State | None = None, *, given_map: UInt8 | None = None
    ) -> Begun:
        """Begin with one frame: as `process`, up to where the editor is at work.

        The frame before may still be with the editor; its paint is fetched in between. Each frame
        is finished before the next but one is begun. The pixels are those of `process`.

        Raises:
            As `process`; also what the frame before met, which its `finish` raises again.
        """
        self._check_open()
        frame = frame if isinstance(frame, Frame) else Frame(frame)
        clock, settings = Clock(self.clock), self._settings
        given = as_weight(given_map, frame)
        faces, seen, masked = Search(
            self._detector, self._map_engine, CROP, frame,
            settings, state, clock, given,
        ).run()  # fmt: skip
        if given is not None:
            given *= np.float32(settings.strength)
        edit_every = 1 if state is None else state.effort.edit_every
        self._wait_for_the_frame_before(edit_every)
        note_masks(seen, masked)
        held = [self._held(one, edit_every) for one in masked]
        way = state.next_way(frame) if state is not None and None in held else "both"
        begun = Begun(frame, faces, settings, clock, given, masked, held, way)
        if state is not None and state.likeness is not self.likeness:
            state.likeness, state.wearer = self.likeness, Wearer()  # perhaps another person's
        if self.likeness is not None and self._editor_engine.spec.prior_supported:
            wearer = state.wearer if state else Wearer()
            begun.likeness, begun.wearer = self.likeness, wearer.among(faces, begun.masked_faces)
        with clock.stage("edit"):
            self._start(begun, 0)
        self._under_way = begun
        with clock.stage("composite"):  # what can be done while the editor is at work
            begun.alphas = [blend_weight(one, begun) for one in masked]
        return begun

    def finish(self, begun: Begun) -> FrameResult:
        """What became of a frame that was begun; to be called once for each, in their order.

        Raises:
            EngineError: a network failed.
        """
        self._fetch(begun)
        if begun.fault is not None:
            raise begun.fault
        return self._card_or_cpu(begun, lambda: self._shown(begun))

    def catch_up(self, state: State) -> None:
        """Do beforehand what the next frame of a sequence would have to wait for.

        To be called while there is nothing else to do; the pixels are the same without.
        """
        tracker.catch_up(self._detector, state.tracks)

    def warm(self) -> None:
        """On a GPU, run both networks once for each number of crops in a batch; else nothing.

        To be called before the first frame, which would have to wait for it; pixels are the same
        without.

        Raises:
            EngineError: a network failed.
        """
        most = min(BATCH, 2 * self._settings.max_faces)  # a face may have a wider crop as well
        for engine in (self._map_engine, self._editor_engine):
            warm_up(engine, most)

    def close(self) -> None:
        """Free networks and landmarkers; safe to call again."""
        self._closed = True
        self._card = None
        self._map_engine.close()
        self._editor_engine.close()
        self._detector.close()

    def _check_open(self) -> None:
        if self._closed:  # the networks would say so only where there is a face to be looked at
            raise EngineError("This unmasker was closed. Make another one.")

    def _shown(self, begun: Begun) -> FrameResult:
        self._colour(begun)
        with begun.clock.stage("composite"):
            return composited(begun)

    def _card_or_cpu(self, begun: Begun, work: Callable[[], T]) -> T:
        """Do some work on a frame's paint; once more if the card was lost with the paint on it."""
        try:
            return work()
        except EngineLost:
            if all(paint is None or paint.card is None for paint in begun.paints):
                raise
            self._give_up_card(begun)
            return work()

    def _give_up_card(self, begun: Begun) -> None:
        """The card was lost with the paint on it: paint this frame again, and finish on the CPU.

        Raises:
            EngineError: the editor's network is lost as well, and the CPU does not take over.
        """
        self._card = None
        if self._under_way is not None:  # the editor has begun with the next frame
            self._fetch(self._under_way)
        begun.fresh, begun.done = None, []
        begun.held = [None] * len(begun.masked)
        self._start(begun, 0)
        self._fetch(begun)
        if begun.fault is not None:
            raise begun.fault

    def _held(self, one: Masked, edit_every: int) -> Paint | None:
        """Paint of the frame before that serves again; not if it is on a card that was lost."""
        paint = one.seen.held_paint(edit_every, one.hole)
        return paint if paint is not None and paint.card is self._card else None

    def _wait_for_the_frame_before(self, edit_every: int) -> None:
        before, self._under_way = self._under_way, None
        if before is None:
            return
        self._fetch(before)
        if before.fault is not None:
            raise before.fault
        if edit_every > 1:  # else nobody asks for it yet
            self._card_or_cpu(before, lambda: self._colour(before))

    def _start(self, begun: Begun, first: int) -> None:
        """Let the editor begin with a batch of holes, from number `first` on."""
        masked = begun.asked[first : first + _batch(begun)]
        if masked:
            start_painting(
                self._editor_engine,
                np.stack([one.seen.planes for one in masked]),
                np.stack([one.hole for one in masked]).astype(np.float32),
                [guess_for(one, begun) for one in masked],
                begun.way,
            )

    def _fetch(self, begun: Begun) -> None:
        """Wait for the editor, and let it do what was too much for one batch."""
        if self._under_way is begun:
            self._under_way = None
        if begun.fresh is not None or begun.fault is not None:
            return
        fresh: list[Paint] = []
        try:
            with begun.clock.stage("edit"):
                for start in range(0, len(begun.asked), _batch(begun)):
                    if start:
                        self._start(begun, start)
                    fresh += self._fetched(begun, start)
        except EngineError as error:  # raised by finish(), as often as it is asked
            begun.fault = error
            return
        begun.fresh = fresh
        if not self._editor_engine.card:
            self._card = None  # it was lost, and the CPU took over

    def _fetched(self, begun: Begun, first: int) -> list[Paint]:
        """What the editor made of one batch, which begins with number `first`."""

        def again() -> None:
            self._card = None
            self._start(begun, first)

        return fetched(self._editor_engine, self._card, again, begun.way)

    def _colour(self, begun: Begun) -> None:
        """Fit the paint to its surroundings, and remember it for the frames to come."""
        if begun.done or begun.fresh is None:
            return
        fresh, done = iter(begun.fresh), []
        for one, before in zip(begun.masked, begun.held, strict=True):
            if before is not None:
                done.append(before)
                continue
            with begun.clock.stage("colour"):
                done.append(finished(one, next(fresh), begun))
        begun.done = done  # all or none: after a fault, finish() meets the same one


def _batch(begun: Begun) -> int:
    """How many crops the editor gets at once."""
    return BATCH // 2 if begun.way == "both" else BATCH
