"""What becomes of paint: fitted to its surroundings, remembered, put into the frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from realtime_unmask.types import Float32, FrameResult, Reconstruction
from realtime_unmask.unmask.compositor import Canvas, feather, known_region
from realtime_unmask.unmask.editor import Paint
from realtime_unmask.unmask.outer import fade, in_wider, needed, outside
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


def blend_weight(one: Masked, begun: Begun) -> Float32:
    """(S, S) float32 in [0, 1]: how much of each pixel is paint.

    A wider crop's paint is covered by the usual one's as far as that does not fade out, and so
    that both together have the strength that is set.
    """
    feather_px, strength = begun.settings.feather_px, np.float32(begun.settings.strength)
    alpha = feather(one.hole, feather_px)
    if one.inner is None:
        if one.fades:
            alpha *= fade(alpha.shape[0])
        return alpha if strength >= 1 else alpha * strength
    alpha *= needed(alpha.shape[0])
    if strength >= 1:
        return alpha
    above = in_wider(feather(one.inner.hole, feather_px) * fade(alpha.shape[0]), cv2.INTER_LINEAR)
    return np.asarray(alpha * strength * (1 - above) / (1 - strength * above), np.float32)


def composited(begun: Begun) -> FrameResult:
    """The frame with all paint in it."""
    frame, clock = begun.frame, begun.clock
    canvas, made = Canvas(frame.image), []
    for one, paint, alpha in zip(begun.masked, begun.done, begun.alphas, strict=True):
        given = begun.given
        if given is not None and one.inner is not None:
            given = outside(one.inner.hole, one.inner.seen.alignment, given)
        paint.put(canvas, alpha, one.seen.alignment, given)
        if one.is_outer:
            continue
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
