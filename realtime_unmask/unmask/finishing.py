"""What becomes of paint: fitted to its surroundings, remembered, put into the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from realtime_unmask.settings import Settings
from realtime_unmask.types import Float32, FrameResult, Reconstruction, UInt8
from realtime_unmask.unmask.compositor import Canvas, feather, known_region
from realtime_unmask.unmask.editor import Paint
from realtime_unmask.unmask.state import Begun, Masked


def finished(masked: Masked, made: Paint, begun: Begun) -> Paint:
    """Paint with its colour matched, following that of the frame before; it is remembered."""
    seen, memory, known, both, fresh = masked.seen, masked.seen.memory, None, None, made
    before = memory.painted if memory is not None and seen.follows else None
    if before is not None and memory is not None and memory.hole is not None:
        both = masked.hole & memory.hole
        if memory.fresh is not None and memory.may_join(begun.way, begun.frame.captured_ns):
            made = made.joined(memory.fresh, both, begun.way)
    if begun.settings.colour_match:
        known = known_region(seen.alignment, begun.frame.width, begun.frame.height)
    done = made.finished(seen.crop, masked.hole, known, before, both)
    if memory is not None:
        memory.painted, memory.hole = done, masked.hole
        memory.fresh, memory.way = fresh, begun.way
        memory.painted_ns = begun.frame.captured_ns
    return done


def blend_weight(hole: UInt8, settings: Settings) -> Float32:
    """(S, S) float32 in [0, 1]: how much of each pixel is paint."""
    alpha = feather(hole, settings.feather_px)
    if settings.strength < 1:
        alpha *= np.float32(settings.strength)
    return alpha


def composited(begun: Begun) -> FrameResult:
    """The frame with all paint in it."""
    frame, clock = begun.frame, begun.clock
    canvas, made = Canvas(frame.image), []
    for one, paint, alpha in zip(begun.masked, begun.done, begun.alphas, strict=True):
        paint.put(canvas, alpha, one.seen.alignment, begun.given)
        made.append(
            Reconstruction(
                one.seen.face.track_id,
                paint.picture(),
                one.map,
                alpha,
                one.seen.alignment,
                paint.confidence,
            )
        )
    done = canvas.result()
    if done is None:
        return FrameResult(frame, frame, None, begun.faces, (), clock.spent)
    output, shown = done
    output.flags.writeable = shown.flags.writeable = False
    return FrameResult(
        frame, replace(frame, image=output), shown, begun.faces, tuple(made), clock.spent
    )
