"""Single steps of what is finished on a card; planes are torch tensors, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realtime_unmask.unmask import colour, editor

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
