"""One video file into another: every frame unmasked, everything else kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
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
from realtime_unmask.sinks.partial import SUFFIXES, check_target, identity, partial_of
from realtime_unmask.sinks.tracks import fit_mp4
from realtime_unmask.sinks.video import VideoSink
from realtime_unmask.types import Frame, FrameResult, UInt8
from realtime_unmask.unmask.effort import Effort
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
        fast: faces are painted once, not in a mirror as well.
    """

    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction | None = None
    end: Fraction | None = None
    maps: Path | None = None
    side_by_side: bool = False
    force: bool = False
    fast: bool = False


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What came of it.

    Attributes:
        source, output, maps: the files; maps None if not asked for.
        frames: all that were written.
        frames_with_face, frames_painted: of them.
        duration_s: of the video written.
        seconds: the work took.
        notes: sentence parts on what could not be carried over.
    """

    source: Path
    output: Path
    maps: Path | None
    frames: int
    frames_with_face: int
    frames_painted: int
    duration_s: float
    seconds: float
    notes: tuple[str, ...]


def convert_video(
    source_path: Path,
    out_path: Path,
    unmasker: FileUnmasker,
    options: ConvertOptions = ConvertOptions(),
    progress: Callable[[Progress], None] | None = None,
) -> ConvertReport:
    """Write `out_path`: the video `source_path`, unmasked.

    On any error and on KeyboardInterrupt nothing is left behind, except where said below.

    Args:
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
            `out_path`; nothing is there if that was nothing.
        OutputError: an output cannot be written. The message says where the part written so far
            is; the part of the other file (pictures or maps) is kept as well.
    """
    began = time.monotonic()
    check_outputs([source_path], [out_path], options)
    with ExitStack() as stack:
        source = stack.enter_context(VideoSource(source_path, options.start, options.end))
        if stands_on_head(source_path, unmasker, options.start, options.end):
            unmasker = Overturned(unmasker)
        sinks = _Sinks(source, out_path, options)
        stack.callback(sinks.abort)
        room = _room(source.info)
        writing = stack.enter_context(WriteBehind(sinks.write, room))
        reading = stack.enter_context(ReadAhead(_read(source), room))
        state = State(Effort(mirrored=not options.fast))
        unmasked = stack.enter_context(closing(_unmasked(iter(reading), unmasker, state)))
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
                f"{damage} They are in {out_path}.{also}",
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
def check_outputs(sources: list[Path], outputs: list[Path], options: ConvertOptions) -> None:
    """May all `outputs` and options.maps be written, none of them twice or over a source?

    Each is also written under its partial name, which replaces what has that name.

    Raises:
        UsageError: no.
    """
    targets = [*outputs, *([options.maps] if options.maps else [])]
    inputs = {identity(path) for path in sources}
    seen: dict[object, Path] = {}
    for number, path in enumerate(targets):
        source = sources[number % len(sources)]  # of results and maps alike
        for one in (path, partial_of(path)) if path.name else (path,):
            if identity(one) in inputs:
                while_writing = "" if one is path else f" while {path} is being written"
                raise UsageError(
                    f"{one} is an input: it would be overwritten{while_writing}. "
                    "Choose another name."
                )
            if identity(one) in seen:
                other = seen[identity(one)]
                if other is source:
                    raise UsageError(f"{one} would be written twice. Choose another name.")
                raise UsageError(
                    f"{other} and {source} would both be written to {one}. "
                    "Rename one, or use two folders."
                )
            seen[identity(one)] = source
        check_target(path, force=options.force)


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
    """The pictures' file and, where asked for, that of the maps."""

    def __init__(self, source: VideoSource, path: Path, options: ConvertOptions) -> None:
        like = source.info
        self._side_by_side = options.side_by_side
        size = (2 * like.width, like.height) if options.side_by_side else None
        self._main = VideoSink(
            path, like, options.encoding, size=size, force=options.force, jumps=source.jumps
        )
        self._maps: VideoSink | None = None
        if options.maps is not None:
            grey = replace(
                like, bit_depth=8, chroma="420", colour=_MAP_COLOUR, grading=Grading()
            )
            encoding = replace(options.encoding, codec="h264", crf=_MAP_CRF)
            with ExitStack() as undo:
                undo.callback(self._main.abort)
                self._maps = VideoSink(
                    options.maps, grey, encoding, notice=False, tracks=False, force=options.force
                )
                undo.pop_all()

    @property
    def notes(self) -> list[str]:
        return self._main.notes

    def write(self, done: _Done) -> None:
        frame, deep, result = done.read.frame, done.read.deep, done.result
        after = result.output
        if deep is not None:
            deep = _painted_deep(deep, frame, after)
        if self._side_by_side:
            after = replace(after, image=np.hstack([frame.image, after.image]))
            if deep is not None:
                deep = np.hstack([frame.image.astype(np.uint16) * 257, deep])
        self._main.write(after, deep)
        if self._maps is not None:
            values = result.map
            if values is None:
                values = np.zeros((frame.height, frame.width), np.uint8)
            image: UInt8 = np.repeat(values[:, :, None], 3, axis=2)
            self._maps.write(replace(frame, image=image))

    def close(self, end: Fraction) -> None:
        if self._maps is not None:
            self._maps.close(end)
        self._main.close(end)

    def keep(self) -> None:
        self._main.keep()
        if self._maps is not None:
            self._maps.keep()

    def abort(self) -> None:
        self._main.abort()
        if self._maps is not None:
            self._maps.abort()


def _painted_deep(deep: NDArray[np.uint16], before: Frame, after: Frame) -> NDArray[np.uint16]:
    """`deep` with what was painted on its 8-bit version."""
    if after is before:
        return deep
    changed = (after.image != before.image).any(axis=2)
    painted = deep.copy()
    painted[changed] = after.image[changed].astype(np.uint16) * 257
    return painted
