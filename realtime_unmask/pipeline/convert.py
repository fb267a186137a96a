"""One video file into another: every frame unmasked, everything else kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.capture.probe import probe
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.errors import (
    MediaDamaged,
    MediaError,
    OutputError,
    UnmaskError,
    UsageError,
    refusing,
)
from realtime_unmask.media import Colour, Grading, VideoInfo
from realtime_unmask.pipeline.overlap import ReadAhead, WriteBehind
from realtime_unmask.pipeline.way_up import FileUnmasker, Overturned, stands_on_head
from realtime_unmask.sinks.encoding import Encoding
from realtime_unmask.sinks.partial import SUFFIXES, check_target, partial_of
from realtime_unmask.sinks.targets import Target, check_apart, targets_of
from realtime_unmask.sinks.tracks import fit_mp4
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame, FrameResult, UInt8
from realtime_unmask.unmask.state import State

# Maps are numbers more than pictures: nearly lossless, over the full range of grey.
_MAP_CRF = 8
# Decoding and encoding go on beside the unmasking; what waits between costs memory.
_MOST_WAITING = 3
_WAITING_BYTES = 64 * 2**20
_MAP_COLOUR = Colour(primaries=1, transfer=1, matrix=1, range=2)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversion is.

    Attributes:
        frames: unmasked so far; the last few are still being written.
        position_s: seconds of video done.
        total_s: seconds of video in all, as declared; None if unknown.
        elapsed_s: seconds since the beginning of the work.
    """

    frames: int
    position_s: float
    total_s: float | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What to make of a video.

    Attributes:
        encoding: codec and quality.
        start, end: seconds; only this part is read, and begins at 0.
        maps: also write the maps here, a grey video with the same times.
        side_by_side: before | after in one picture of twice the width.
        force: replace what is there already.
    """

    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction | None = None
    end: Fraction | None = None
    maps: Path | None = None
    side_by_side: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What came of it.

    Attributes:
        source, output, maps: the files; None for what was not asked for.
        frames: all that were written.
        frames_with_face, frames_painted: of them.
        duration_s: of the video written.
        seconds: the work took.
        notes: sentence parts on what could not be carried over.
    """

    source: Path
    output: Path | None
    maps: Path | None
    frames: int
    frames_with_face: int
    frames_painted: int
    duration_s: float
    seconds: float
    notes: tuple[str, ...]


def convert_video(
    source_path: Path,
    out_path: Path | None,
    unmasker: FileUnmasker,
    options: ConvertOptions = ConvertOptions(),
    progress: Callable[[Progress], None] | None = None,
) -> ConvertReport:
    """Write `out_path`: the video `source_path`, unmasked.

    On any error and on KeyboardInterrupt nothing is left behind, except where said below.

    Args:
        out_path: None: it is there already, and only options.maps is missing.
        unmasker: gets every frame in order, with the memory of this file; each is begun before
            the one before is finished. A result's output has the frame's size. Before all that
            it is asked of some frames whether they stand on their heads; if so, it gets all of
            them turned over.
        progress: called after each frame.

    Raises:
        UsageError: an output exists already, is an input, or has a wrong name; the part from
            start to end is empty.
        MediaMissing, MediaUnsupported: the source cannot be used.
        MediaDamaged: the source is broken. What could be read was converted, and is in
            the outputs; nothing is there if that was nothing.
        OutputError: an output cannot be written. The message says where the part written so far
            is; the part of the other file (pictures or maps) is kept as well.
    """
    began = time.monotonic()
    targets = list(targets_of(source_path, out_path, options.maps))
    check_outputs(targets, force=options.force)
    with ExitStack() as stack:
        source = stack.enter_context(VideoSource(source_path, options.start, options.end))
        if stands_on_head(source_path, unmasker, options.start, options.end):
            unmasker = Overturned(unmasker)
        sinks = _Sinks(source, out_path, options)
        stack.callback(sinks.abort)
        room = _room(source.info)
        writing = stack.enter_context(WriteBehind(sinks.write, room))
        reading = stack.enter_context(ReadAhead(_read(source), room))
        unmasked = stack.enter_context(closing(_unmasked(iter(reading), unmasker, State())))
        faces = painted = frames = 0
        damage: MediaDamaged | None = None
        try:
            try:
                for done in unmasked:
                    frames += 1
                    faces += bool(done.result.faces)
                    painted += done.result.map is not None
                    end = done.read.end
                    writing.put(done)
                    del done  # two large pictures, before the next one is taken
                    if progress is not None:
                        progress(_progress(frames, end, source.info, began))
            except MediaDamaged as error:
                damage = error
            writing.finish()
        except OutputError:  # one file failed; what the other one holds is not thrown away
            writing.close()
            sinks.keep()
            raise
        if not frames:
            raise damage or UsageError(f"There is no frame of {source_path} in that time.")
        try:
            sinks.close(source.end_pts)
        except OutputError:
            sinks.keep()
            raise
        notes = (*source.notes, *sinks.notes)
        if damage is not None:
            also = f" Note: {'; '.join(notes)}." if notes else ""
            raise MediaDamaged(
                f"{damage} They are in {targets[0].path}.{also}",
                position_s=damage.position_s,
                frames_kept=damage.frames_kept,
            ) from damage
        return ConvertReport(
            source_path,
            out_path,
            options.maps,
            frames,
            faces,
            painted,
            float(source.end_pts),
            time.monotonic() - began,
            notes,
        )


@refusing()
def check_outputs(targets: Sequence[Target], *, force: bool) -> None:
    """May all these videos be written, none of them twice or over an input?

    Each is also written under its partial name, which replaces what has that name.

    Raises:
        UsageError: no; see check_apart and check_target.
    """
    unfinished = [
        replace(
            target,
            path=partial_of(target.path),
            purpose=f"{target.purpose}, while it is being written,",
        )
        for target in targets
        if target.path.name
    ]
    check_apart([*targets, *unfinished], [target.owner for target in targets])
    for target in targets:
        check_target(target.path, force=force)


def suffix_for(path: Path) -> str:
    """The ending of what the video `path` becomes: its own, or of what can hold its tracks."""
    if path.suffix.lower() in SUFFIXES:
        return path.suffix
    try:
        return ".mp4" if fit_mp4(probe(path)) else ".mkv"
    except MediaError:
        return ".mp4"  # what is wrong with it is said when its turn comes


@dataclass(frozen=True, slots=True)
class _Read:
    """One frame, with all of its bits where the file has more than 8, and when it ends, s."""

    frame: Frame
    deep: NDArray[np.uint16] | None
    end: Fraction


@dataclass(frozen=True, slots=True)
class _Done:
    """One frame and what became of it."""

    read: _Read
    result: FrameResult


def _read(source: VideoSource) -> Iterator[_Read]:
    for frame in source:
        yield _Read(frame, source.deep_image, source.end_pts)
        del frame


def _unmasked(
    reading: Iterator[_Read], unmasker: FileUnmasker, state: State
) -> Generator[_Done, None, None]:
    """All frames; the editor is at work at the next one while one is finished and handed out.

    What goes wrong with a frame is raised in its turn, after the frame before it.
    """
    before: tuple[_Read, Any] | None = None
    begun: tuple[_Read, Any] | None = None
    try:
        while True:
            try:
                read = next(reading, None)
                begun = None if read is None else (read, unmasker.begin(read.frame, state))
            except UnmaskError:  # raised again, in its turn
                if before is not None:
                    yield _Done(before[0], unmasker.finish(before[1]))
                raise
            if before is not None:
                yield _Done(before[0], unmasker.finish(before[1]))
            if begun is None:
                return
            before, begun = begun, None
    finally:
        if begun is not None:  # left early: what the editor meets is no matter of the next file
            with suppress(UnmaskError):
                unmasker.finish(begun[1])


def _room(info: VideoInfo) -> int:
    """How many frames may wait on either side of the unmasker."""
    return max(1, min(_MOST_WAITING, _WAITING_BYTES // (info.width * info.height * 6)))


def _progress(frames: int, end: Fraction, info: VideoInfo, began: float) -> Progress:
    total = info.duration
    return Progress(
        frames,
        float(end),
        float(total) if total is not None else None,
        time.monotonic() - began,
    )


class _Sinks:
    """The pictures' file and that of the maps; either may be missing."""

    def __init__(self, source: VideoSource, path: Path | None, options: ConvertOptions) -> None:
        self._side_by_side = options.side_by_side
        self._main: VideoSink | None = None
        self._maps: VideoSink | None = None
        with ExitStack() as undo:
            undo.callback(self.abort)
            if path is not None:
                self._main = _pictures(source, path, options)
            if options.maps is not None:
                self._maps = _maps(source.info, options.maps, options)
            undo.pop_all()

    @property
    def notes(self) -> list[str]:
        return self._main.notes if self._main is not None else []

    @property
    def _all(self) -> list[VideoSink]:
        """Those that there are; the pictures last: once they are there, the video is done."""
        return [sink for sink in (self._maps, self._main) if sink is not None]

    def write(self, done: _Done) -> None:
        frame, result = done.read.frame, done.result
        if self._main is not None:
            self._main.write(*self._picture(done))
        if self._maps is not None:
            values = result.map
            if values is None:
                values = np.zeros((frame.height, frame.width), np.uint8)
            image: UInt8 = np.repeat(values[:, :, None], 3, axis=2)
            self._maps.write(replace(frame, image=image))

    def _picture(self, done: _Done) -> tuple[Frame, NDArray[np.uint16] | None]:
        """What is shown of it, and with all of its bits where there are more than 8."""
        frame, deep, after = done.read.frame, done.read.deep, done.result.output
        if deep is not None:
            deep = _painted_deep(deep, frame, after)
        if self._side_by_side:
            after = replace(after, image=np.hstack([frame.image, after.image]))
            if deep is not None:
                deep = np.hstack([frame.image.astype(np.uint16) * 257, deep])
        return after, deep

    def close(self, end: Fraction) -> None:
        for sink in self._all:
            sink.close(end)

    def keep(self) -> None:
        for sink in self._all:
            sink.keep()

    def abort(self) -> None:
        for sink in self._all:
            sink.abort()


def _pictures(source: VideoSource, path: Path, options: ConvertOptions) -> VideoSink:
    like = source.info
    size = (2 * like.width, like.height) if options.side_by_side else None
    return VideoSink(
        path, like, options.encoding, size=size, force=options.force, jumps=source.jumps
    )


def _maps(like: VideoInfo, path: Path, options: ConvertOptions) -> VideoSink:
    grey = replace(like, bit_depth=8, chroma="420", colour=_MAP_COLOUR, grading=Grading())
    encoding = replace(options.encoding, codec="h264", crf=_MAP_CRF)
    return VideoSink(path, grey, encoding, notice=False, tracks=False, force=options.force)


def _painted_deep(deep: NDArray[np.uint16], before: Frame, after: Frame) -> NDArray[np.uint16]:
    """`deep` with what was painted on its 8-bit version."""
    if after is before:
        return deep
    changed = (after.image != before.image).any(axis=2)
    painted = deep.copy()
    painted[changed] = after.image[changed].astype(np.uint16) * 257
    return painted
