"""Single steps of what is finished on a card; planes are torch tensors, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask.unmask import colour, editor, skin

if TYPE_CHECKING:
    from torch import Tensor


def following(paint: Tensor, before: Tensor, both: Tensor) -> Tensor:
    """editor.steadied, for (3, S, S) in [0, 255]; `both` is (S, S)."""
    change = before - paint
    change = change * (change.square() / -(editor.CHANGE**2)).exp() * (editor.KEPT * both)
    made: Tensor = paint + change.nan_to_num(0.0)  # what is no number must not stay
    return made


def quantile(values: Tensor, among: Tensor, share: float) -> Tensor:
    """Of the values, (n,), where `among` is 1, as numpy.quantile."""
    import torch

    ordered = values.masked_fill(among <= 0, torch.inf).sort().values
    place = share * (among.sum() - 1).clamp(min=0)
    low = place.floor()
    # Not by ordered[low], for which the CPU would wait.
    at = torch.stack([low, (low + 1).clamp(max=len(ordered) - 1)]).long()
    first, second = ordered.index_select(0, at)
    # Beside the last one there is none: inf * 0 would be no number.
    made: Tensor = first + ((second - first) * (place - low)).masked_fill(place <= low, 0.0)
    return made


def disc(radius: int, device: Any) -> Tensor:
    """colour.disc as a kernel of a convolution, (1, 1, 2 radius + 1, 2 radius + 1) float32."""
    import torch

    return torch.from_numpy(colour.disc(radius)).to(device, torch.float32)[None, None]


def blurred(planes: Tensor) -> Tensor:
    """Means of windows around each pixel, (1, C, S, S)."""
    from torch.nn.functional import avg_pool2d, pad

    reach = colour.SEAM_PX
    return avg_pool2d(pad(planes, (reach,) * 4, mode="reflect"), 2 * reach + 1, 1)


def near(plane: Tensor) -> Tensor:
    """editor._near, for (S, S)."""
    from torch.nn.functional import avg_pool2d

    reach = editor.NEAR_PX
    return avg_pool2d(plane[None, None], 2 * reach + 1, 1, reach)[0, 0]


def lab(rgb: Tensor) -> Tensor:
    """CIE Lab (D65) of (3, S, S) sRGB in [0, 255], as OpenCV has it."""
    import torch

    c = rgb / 255
    linear = torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055).clamp(min=0) ** 2.4)
    r, g, b = linear
    x = (0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.950456
    y = 0.212671 * r + 0.715160 * g + 0.072169 * b
    z = (0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754
    t = torch.stack([x, y, z])
    f = torch.where(t > 0.008856, t.clamp(min=0.008856) ** (1 / 3), 7.787 * t + 16 / 116)
    light = torch.where(y > 0.008856, 116 * f[1] - 16, 903.3 * y)
    return torch.stack([light, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


class SkinMatch:
    """skin.match_skin, for (3, S, S) in [0, 255].

    Args:
        size: side S of the crops, px.
        device: where they are.
    """

    def __init__(self, size: int, device: Any) -> None:
        import torch

        side = size // skin.CELL
        self._visible = torch.from_numpy(skin.visible_skin(side).copy()).to(device)
        self._hidden = torch.from_numpy(skin.hidden_skin(side).copy()).to(device)
        self._grey = torch.from_numpy(skin.GREY).to(device)
        # One column for red, one for blue.
        colours = np.stack([skin.as_colour(one) for one in np.eye(2)], 1)
        self._colours = torch.from_numpy(colours).to(device)

    def __call__(self, paint: Tensor, crop: Tensor, hole: Tensor, known: Tensor) -> Tensor:
        """`hole` and `known` are (1, 1, S, S), 1 or 0; nothing waits for the CPU."""
        import torch
        from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

        held = avg_pool2d(hole, skin.CELL)
        shown = known[..., skin.CELL // 2 :: skin.CELL, skin.CELL // 2 :: skin.CELL] > 0
        free = max_pool2d((held > 0).to(held.dtype), 3, 1, 1) == 0
        seen = (self._visible & free & shown).reshape(-1)
        hidden = (self._hidden & (held == 1)).reshape(-1)
        real_light, real_tint = self._light_and_tint(avg_pool2d(crop, skin.CELL).round())
        light, tint = self._light_and_tint(avg_pool2d(paint, skin.CELL))
        alike = hidden & ((light - quantile(real_light, seen, 0.5)).abs() < skin.BRIGHTNESS)
        own = torch.stack([quantile(one, alike, 0.5) for one in tint])
        low, aim, high = (
            torch.stack([quantile(one, seen, share) for one in real_tint])
            for share in (0.25, 0.5, 0.75)
        )
        share = alike.sum() / hidden.sum().clamp(min=1)
        change = (skin.STRONGER * aim - own) * skin.SHARE
        change = change * skin.trust(share, seen.sum(), (high - low).max())
        change = change * (skin.MOST / change.norm().clamp(min=1e-6)).clamp(max=1)
        # Of nothing there is no quantile, and no change.
        change = change.nan_to_num(0.0, 0.0, 0.0) * (alike.sum() >= skin.MIN_CELLS)
        reach = skin.NEAR // 2
        near = avg_pool2d(pad(held, (reach,) * 4, mode="replicate"), skin.NEAR, 1).reshape(-1)
        like = skin.likeness((tint - own[:, None]).norm(dim=0))
        weight = ((2 * near - 1).clamp(0, 1) * like * light).nan_to_num(0.0)
        added = (self._colours @ change)[:, None] * weight
        side = self._visible.shape[0]
        wide = interpolate(
            added.reshape(1, 3, side, side), scale_factor=skin.CELL, mode="bilinear"
        )[0]
        made: Tensor = (paint + wide).clamp(0, 255)
        return made

    def _light_and_tint(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """(3, n, n) -> luma, (n * n,), and tints, (2, n * n)."""
        rgb = cells.reshape(3, -1)
        light = self._grey @ rgb
        return light, rgb[::2] / light.clamp(min=skin.DARKEST) - 1
