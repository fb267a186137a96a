"""Colour match, filter over time and blend on a GPU, where the paint is already.

The steps of editor.py, colour.py and compositor.py once more, for torch, so that of a frame only
the part that changes travels. They are taken only where they were measured to be faster and give
the same pixels (`card_trial.py`): small pictures and many steps suit a CPU better than one would
think.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask.errors import EngineLost
from realtime_unmask.inference.engine import Engine, first_line
from realtime_unmask.inference.torch_graph import ALONE
from realtime_unmask.types import Alignment, Float32, UInt8
from realtime_unmask.unmask import colour, editor, skin
from realtime_unmask.unmask.card_steps import (
    SkinMatch,
    blurred,
    disc,
    following,
    lab,
    near,
    quantile,
)
from realtime_unmask.unmask.compositor import Canvas, is_finer, reach
from realtime_unmask.unmask.editor import Paint, Way

if TYPE_CHECKING:
    from torch import Tensor

# Columns of the packed inputs: the crop's colours, then these planes.
_HOLE, _KNOWN, _BOTH, _PLANES = 3, 4, 5, 6


class Card:
    """The finishing steps on one device. Belongs to the thread that made it.

    Args:
        device: as torch names it; "cpu" for tests.
        size: side S of the crops, px.
    """

    def __init__(self, device: str, size: int) -> None:
        import torch

        self.device, self._size = torch.device(device), size
        self._cuda = self.device.type == "cuda"
        self._stream = torch.cuda.Stream() if self._cuda else None
        places = torch.arange(size, dtype=torch.float64, device=self.device) / size - 0.5
        across = places.expand(size, size)
        self._terms = torch.stack([torch.ones_like(across), across, across.T]).reshape(3, -1)
        self._tiny = torch.full((3,), 1e-9, dtype=torch.float64, device=self.device)
        # Keeps a one-sided band from tilting the whole mouth.
        self._slopes = torch.tensor([0.0, 0.02, 0.02], dtype=torch.float64, device=self.device)
        self._grey = torch.from_numpy(skin.GREY).to(self.device)
        self._discs = {r: disc(r, self.device) for r in (*colour.BAND_PX, colour.SEAM_PX)}
        self._skin = SkinMatch(size, self.device)
        # Not pinned: where a card is lost, torch ends the process as it frees pinned memory.
        self._host = torch.zeros((_PLANES, size, size), dtype=torch.uint8)
        self._planes = self._host.to(self.device)
        self._rgb = torch.zeros((3, size, size), device=self.device)
        self._before = torch.zeros_like(self._rgb)
        self._graph: Any = None
        self._done: Tensor = self._rgb
        if self._cuda:
            with ALONE:  # all of this was made in another stream
                torch.cuda.current_stream().synchronize()

    def taken(self, planes: Tensor, way: Way = "straight") -> list[Tensor]:
        """The editor's output, (N, 3, S, S) in [-1, 1], as paint in [0, 255], one for each crop.

        Args:
            way: as it was said to `editor.start_painting`; for "both", N is twice as many.
        """
        with self._here():
            made = (planes + 1) * 127.5
            if way == "both":
                there, mirror = made.chunk(2)
                made = (there + mirror.flip(-1)) / 2
            elif way == "mirror":
                made = made.flip(-1)
            self._synchronise()  # `planes` belongs to another stream
            return list(made)

    def joined(self, rgb: Tensor, other: Tensor, both: UInt8, way: Way) -> Tensor:
        """As `Painted.joined`: (3, S, S) float32 in [0, 255], a new tensor."""
        import torch

        low, high = editor.APART
        with self._here():
            inside = torch.from_numpy(both).to(self.device).float()
            change = other - rgb
            apart = near(change.abs().mean(0) * inside) / near(inside).clamp(min=1e-3)
            share = editor.others_share(((apart - low) / (high - low)).clamp(0, 1), way)
            made: Tensor = rgb + change * (share * inside)
            return made

    def finish(
        self, rgb: Tensor, crop: UInt8, hole: UInt8, known: UInt8 | None,
        before: Tensor | None, both: UInt8 | None,
    ) -> Tensor:  # fmt: skip
        """As `Painted.finished`: (3, S, S) float32 in [0, 255] on the device, a new tensor."""
        import torch

        host = self._host.numpy()
        host[:3] = crop.transpose(2, 0, 1)
        host[_HOLE] = hole
        host[_KNOWN] = 0 if known is None else known  # nothing to compare with: no match
        host[_BOTH] = 0 if before is None or both is None else both
        with self._here():
            self._planes.copy_(self._host)
            if colour.is_grey(crop):
                rgb = torch.tensordot(self._grey, rgb, 1).expand_as(rgb)
            self._rgb.copy_(rgb)
            if before is not None:
                self._before.copy_(before)
            if not self._cuda:
                return self._steps()
            if self._graph is None:
                with ALONE:
                    self._record()
            self._graph.replay()
            return self._done.clone()

    def pixels(self, rgb: Tensor) -> Float32:
        """(S, S, 3) float32 in [0, 255], in the computer's memory."""
        with self._here():
            return np.ascontiguousarray(rgb.permute(1, 2, 0).cpu().numpy())

    def picture(self, rgb: Tensor) -> UInt8:
        """(S, S, 3) uint8."""
        with self._here():
            made: UInt8 = rgb.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(made)

    def blended(
        self, rgb: Tensor, alpha: Float32, alignment: Alignment, under: UInt8,
        corner: tuple[int, int],
    ) -> tuple[UInt8, UInt8]:  # fmt: skip
        """A crop mixed into a part of a frame, as `Canvas.put` does.

        Args:
            rgb: (3, S, S) float32 in [0, 255], on the device.
            alpha: (S, S) float32, the blend weight.
            alignment: where the crop lies in the frame.
            under: (h, w, 3) uint8, the part as it is.
            corner: its x and y in the frame.

        Returns:
            (h, w, 3) uint8, the part as it becomes, and (h, w) uint8, the weight of 255.
        """
        import torch
        from torch.nn.functional import grid_sample

        height, width = under.shape[:2]
        (a, b, c), (d, e, f) = alignment.matrix.tolist()
        with self._here():
            share = torch.from_numpy(alpha).to(self.device)[None, None]
            # A copy: torch warns of arrays that are read-only, as frames are.
            real = torch.from_numpy(np.array(under)).to(self.device).permute(2, 0, 1)
            x = torch.arange(width, device=self.device, dtype=torch.float64) + corner[0]
            y = torch.arange(height, device=self.device, dtype=torch.float64)[:, None] + corner[1]
            places = torch.stack([a * x + b * y + c, d * x + e * y + f], -1)
            grid = (places * (2 / (self._size - 1)) - 1).float()[None]

            def sample(plane: Tensor, mode: str, beyond: str) -> Tensor:
                return grid_sample(
                    plane, grid, mode=mode, padding_mode=beyond, align_corners=True
                )[0]

            paint = sample(rgb[None], "bicubic", "border").round().clamp(0, 255)
            weight = sample(share, "bilinear", "zeros")
            # Interpolation must not reach past the support; halves go to the even side in both.
            at = places.round().long()
            within = ((at >= 0) & (at < self._size)).all(-1)
            column, row = at.clamp(0, self._size - 1).unbind(-1)
            weight = weight * (within & (share[0, 0, row, column] > 0))
            mixed = (paint * weight + real * (1 - weight)).round().clamp(0, 255)
            mixed = torch.where(weight > 0, mixed, real.float())
            marked = torch.maximum((weight * 255).round(), (weight > 0).float())
            both = torch.cat([mixed, marked]).byte().permute(1, 2, 0).cpu().numpy()
        return both[..., :3], both[..., 3]

    def _steps(self) -> Tensor:
        planes = self._planes.float()
        crop, (hole, known, both) = planes[:3], planes[3:, None, None]
        matched = self._matched(self._rgb, crop, hole, known)
        return following(matched, self._before, both[0, 0])

    def _matched(self, rgb: Tensor, crop: Tensor, hole: Tensor, known: Tensor) -> Tensor:
        """colour.match_colour, with nothing that the CPU would have to wait for."""
        inner, outer = (self._dilated(hole, reach) for reach in colour.BAND_PX)
        band = ((outer - inner) * known).reshape(-1).double()
        gap = (crop - rgb).reshape(3, -1).double()
        plane = self._fit(gap, band, self._tiny)
        off = (gap - plane @ self._terms).abs().sum(0)
        good = band * (off <= quantile(off, band, 1 - colour.TRIMMED_SHARE))
        plane = self._fit(gap, good, self._slopes * good.sum())
        matched = (rgb + (plane @ self._terms).reshape(rgb.shape).float()).clamp(0, 255)
        jump = self._jumps(hole, known, crop)
        share = colour.kept_share(jump(matched), jump(rgb)).nan_to_num(0.0).clamp(0, 1)
        share = share * (band.sum() >= colour.MIN_BAND_PIXELS)
        return self._skin(rgb + share * (matched - rgb), crop, hole, known)

    def _fit(self, gap: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
        """(3 colours, 3 terms): least squares of the pixels that count."""
        import torch

        counted = self._terms * weight
        system = counted @ self._terms.T + torch.diag(ridge)
        # By cross products: a library's solver for three unknowns would ask the CPU to wait.
        inverse = torch.stack([torch.linalg.cross(system[i - 2], system[i - 1]) for i in range(3)])
        scale = (system[0] * inverse[0]).sum()
        return gap @ counted.T @ inverse / (scale + (scale == 0))

    def _jumps(self, hole: Tensor, known: Tensor, crop: Tensor) -> Callable[[Tensor], Tensor]:
        """colour.seam for several paints of one crop."""
        reach = colour.SEAM_PX
        inner = (hole - (1 - self._dilated(1 - hole, reach))) * known
        outer = (self._dilated(hole, reach) - hole) * known
        near = [blurred(side) for side in (inner, outer)]
        at = ((inner + outer) > 0) & (near[0] > 1e-4) & (near[1] > 1e-4)
        real = blurred(lab(crop)[None] * outer) / near[1].clamp(min=1e-6)
        count = at.sum().clamp(min=1)

        def jump(paint: Tensor) -> Tensor:
            inside = blurred(lab(paint)[None] * inner) / near[0].clamp(min=1e-6)
            apart = (inside - real).square().sum(1, keepdim=True).sqrt()
            return (apart * at).sum() / count

        return jump

    def _dilated(self, plane: Tensor, radius: int) -> Tensor:
        """A plane of 0 and 1, (1, 1, S, S), grown by a disc."""
        from torch.nn.functional import conv2d

        return (conv2d(plane, self._discs[radius], padding=radius) > 0.5).to(plane.dtype)

    def _record(self) -> None:
        """All steps as one launch, with ALONE held.

        Nothing in them may copy from the CPU, not even the number in torch.where(a, b, 0.0).
        """
        import torch

        for _ in range(3):  # libraries choose their ways, which no graph can record
            self._steps()
        self._synchronise()
        graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._done = self._steps()
        self._graph = graph

    @contextmanager
    def _here(self) -> Iterator[None]:
        """On the card's stream; its faults as EngineLost."""
        import torch

        try:
            with torch.cuda.stream(self._stream):  # does nothing for None
                yield
        except RuntimeError as error:
            raise EngineLost(
                f"The GPU stopped working while a frame was finished on it: {first_line(error)} "
                "Start the program again, or use --backend cpu."
            ) from error

    def _synchronise(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()


@dataclass(frozen=True, slots=True)
class CardPainted:
    """Paint that is on a card; see editor.Paint.

    Attributes:
        rgb: (3, S, S) float32 in [0, 255].
        confidence: (S, S) float32 in [0, 1].
    """

    card: Card
    rgb: Tensor
    confidence: Float32

    def joined(self, other: Paint, both: UInt8, way: Way) -> Paint:
        """See editor.Paint."""
        if not isinstance(other, CardPainted) or other.card is not self.card:
            return self
        rgb = self.card.joined(self.rgb, other.rgb, both, way)
        return CardPainted(self.card, rgb, (self.confidence + other.confidence) * np.float32(0.5))

    def finished(
        self, crop: UInt8, hole: UInt8, known: UInt8 | None, before: Paint | None,
        both: UInt8 | None,
    ) -> Paint:  # fmt: skip
        """See editor.Paint."""
        there = None
        if isinstance(before, CardPainted) and before.card is self.card:
            there = before.rgb
        made = self.card.finish(self.rgb, crop, hole, known, there, both)
        return CardPainted(self.card, made, self.confidence)

    def picture(self) -> UInt8:
        """See editor.Paint."""
        return self.card.picture(self.rgb)

    def put(
        self, canvas: Canvas, alpha: Float32, alignment: Alignment, given: Float32 | None
    ) -> None:
        """See editor.Paint."""
        if given is not None or is_finer(alignment):  # rare, and small
            canvas.put(self.card.pixels(self.rgb), alpha, alignment, given)
            return
        region = reach(alpha, alignment, canvas.shape)
        if region is not None:
            under = canvas.part(region)
            canvas.take(
                *self.card.blended(self.rgb, alpha, alignment, under, region[:2]), region
            )


def fetched(
    engine: Engine, card: Card | None, again: Callable[[], None], way: Way = "straight"
) -> list[Paint]:
    """Wait for what the editor was started on, and leave it on the card if there is one.

    Args:
        again: starts the editor on the same batch once more. Called where the card has no room
            for the paint, or is lost with it; then the paint is in the computer's memory.
        way: as it was said to `editor.start_painting`.

    Raises:
        EngineError: the network failed.
    """
    if card is None:
        return list(editor.painted(engine, way))
    made = engine.wait_there("rgb")
    if isinstance(made["rgb"], np.ndarray):  # the card was lost, and the CPU did it
        return list(editor.taken(made, way))
    try:
        planes = card.taken(made["rgb"], way)
    except EngineLost:
        again()
        return list(editor.painted(engine, way))
    confidence = editor.straightened(made["confidence"], way)
    return [
        CardPainted(card, rgb, sure[0])
        for rgb, sure in zip(planes, confidence, strict=True)
    ]
