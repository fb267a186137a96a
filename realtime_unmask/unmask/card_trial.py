"""Whether a card is taken for finishing frames: where it was measured to be faster and as good."""

from __future__ import annotations

import logging
import time
from statistics import median

import cv2
import numpy as np

from realtime_unmask.errors import EngineError
from realtime_unmask.inference.engine import Engine
from realtime_unmask.types import Alignment, UInt8
from realtime_unmask.unmask.card import Card, CardPainted
from realtime_unmask.unmask.compositor import Canvas, feather
from realtime_unmask.unmask.editor import Paint, Painted

# How far apart the two ways may be, of 255 (a pixel in a thousand may be further: at the support's
# edge one falls to either side), and how much less time the card has to take.
MOST, FURTHER, MEAN, CLEARLY = 3, 0.001, 0.3, 0.9
_RUNS = 9
_log = logging.getLogger(__name__)


def finishing_on_card(engine: Engine, size: int) -> Card | None:
    """The card that an editor computes on, if the rest is done there faster and as well.

    Tried with a made-up face. What goes wrong there is said, and the CPU does it.
    """
    if not engine.card:
        return None
    try:
        card = Card(engine.card, size)
        return card if _is_worth_it(card, size) else None
    except (EngineError, RuntimeError, ImportError) as error:
        _log.warning("Frames are finished on the CPU: %s", error)
        return None


def _is_worth_it(card: Card, size: int) -> bool:
    """Whether the card gives the CPU's pixels in clearly less time."""
    import torch

    rng = np.random.default_rng(3)
    small = rng.uniform(40, 215, (2, size // 16, size // 16, 3)).astype(np.float32)
    crop, rgb = (cv2.resize(plane, (size, size)) for plane in small)
    hole = np.zeros((size, size), np.uint8)
    cv2.ellipse(hole, (size // 2, 2 * size // 3), (size // 4, size // 5), 0, 0, 360, 1, -1)
    known = np.ones_like(hole)
    coarse = rng.integers(0, 256, (45, 80, 3)).astype(np.uint8)
    frame = cv2.resize(coarse, (1280, 720)).astype(np.uint8, copy=False)
    alignment = Alignment(np.array([[0.6, 0.05, -200.0], [-0.05, 0.6, -60.0]]), size)
    look, alpha = crop.astype(np.uint8), feather(hole, 2.0)
    sure = np.ones((size, size), np.float32)
    planes = torch.from_numpy(np.stack([rgb, rgb + 3]).transpose(0, 3, 1, 2).copy())
    there, past = card.taken((planes / 127.5 - 1).to(card.device))

    def run(paint: Paint, before: Paint) -> tuple[UInt8, float]:
        spent, shown = [], frame
        for _ in range(_RUNS):
            began = time.perf_counter()
            made = paint.joined(before, hole, "straight")
            made = made.finished(look, hole, known, before, hole)
            canvas = Canvas(frame)
            made.put(canvas, alpha, alignment, None)
            made.picture()
            done = canvas.result()
            spent.append(time.perf_counter() - began)
            shown = frame if done is None else done[0]
        return shown, median(spent[2:])

    theirs, slow = run(Painted(rgb, sure), Painted(rgb + 3, sure))
    ours, fast = run(CardPainted(card, there, sure), CardPainted(card, past, sure))
    apart = np.abs(ours.astype(int) - theirs)[(theirs != frame) | (ours != frame)]
    same = apart.size > 0 and (apart > MOST).mean() <= FURTHER and apart.mean() <= MEAN
    return bool(same) and fast < CLEARLY * slow
