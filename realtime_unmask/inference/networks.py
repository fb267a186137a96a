"""The two networks in torch, for training and the torch backend; the others use ONNX exports.

Both take 256 px crops and fold them to 128 px with four times the channels at once
(pixel unshuffle, Shi et al. 2016), so that the full resolution costs nothing but the first and
the last layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _conv(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )


class SqueezeExcite(nn.Module):
    """Channel weights from the whole picture (Hu et al. 2018)."""

    def __init__(self, width: int, ratio: int = 4) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // ratio, 1)
        self.expand = nn.Conv2d(width // ratio, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        weights = F.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.expand(weights))


class DilatedBlock(nn.Module):
    """Residual block whose second convolution looks further."""

    def __init__(self, width: int, dilation: int, *, attend: bool = True) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False), nn.BatchNorm2d(width)
        )
        self.attend = SqueezeExcite(width) if attend else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        return F.leaky_relu(x + self.attend(self.second(self.first(x))), 0.1)


class _AddUp(nn.Module):
    """Twice the size, added to the encoder's features of that level."""

    def __init__(self, inputs: int, skip: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(inputs, skip, 1)
        self.refine = _conv(skip, skip)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        refined: Tensor = self.refine(x + skip)
        return refined


class Whole(nn.Module):
    """Residual layer in which every place of an aligned face sees every other.

    Convolutions know neither where they are nor what is far away; dense weights over all places
    know that the mouth is here, and that it has the light of the cheek there.

    Args:
        width: channels.
        narrow: channels that take part.
        hidden: values that stand for the whole face.
    """

    SIDE = 16

    def __init__(self, width: int, narrow: int = 12, hidden: int = 384) -> None:
        super().__init__()
        places = narrow * self.SIDE**2
        self.narrow = nn.Conv2d(width, narrow, 1)
        self.gather = nn.Linear(places, hidden)
        self.spread = nn.Linear(hidden, places)
        self.widen = nn.Conv2d(narrow, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, 16, 16) -> the same shape; smaller ones while training begins small."""
        size = (x.shape[2], x.shape[3])
        y = F.leaky_relu(self.narrow(x), 0.1)
        if size != (self.SIDE, self.SIDE):
            y = F.interpolate(y, (self.SIDE, self.SIDE))
        y = self.spread(F.leaky_relu(self.gather(y.flatten(1)), 0.1))
        y = y.reshape(-1, self.narrow.out_channels, self.SIDE, self.SIDE)
        if size != (self.SIDE, self.SIDE):
            y = F.adaptive_avg_pool2d(y, size)
        seen: Tensor = x + self.widen(y)
        return seen


class EditorNet(nn.Module):
    """The editing module: paints the hidden part of an aligned face.

    U-Net generator with squeeze-and-excitation and dilated convolutions after Din et al. 2020.
    Its body works at 64 px and below, with a residual block on the way up at 32 px (the form of
    lips and nostrils) and at 64 px (their lines); a thin layer and a residual block at 128 px
    add the details. At its narrowest level a layer sees the whole face at once: the crops are
    aligned, so the mouth is always in the same area.

    Args:
        widths: channels at 64, 32 and 16 px (for a 256 px crop).
        detail: channels at 128 px.
        dilations: one residual block at the narrowest level for each.
        attend: with squeeze-and-excitation; without it only to show what it is worth.
    """

    def __init__(
        self,
        widths: tuple[int, int, int] = (48, 96, 160),
        detail: int = 16,
        dilations: tuple[int, ...] = (1, 2, 4),
        *,
        attend: bool = True,
    ) -> None:
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(_conv(8 * 4, a, stride=2), _conv(a, a))
        self.down1 = nn.Sequential(_conv(a, b, stride=2), _conv(b, b))
        self.down2 = _conv(b, c, stride=2)
        self.whole = Whole(c)
        self.middle = nn.Sequential(*(DilatedBlock(c, k, attend=attend) for k in dilations))
        self.up1 = _AddUp(c, b)
        self.form = DilatedBlock(b, 2, attend=attend)
        self.up0 = _AddUp(b, a)
        self.lines = DilatedBlock(a, 1, attend=attend)
        self.spread = nn.Conv2d(a, 4 * detail, 3, padding=1)
        self.detail = nn.Conv2d(8 * 4, detail, 1)
        self.head = nn.Conv2d(detail, 4 * 4, 3, padding=1)
        # Pixel shuffles leave a grid; this block sees across its cells and learns to mend it.
        self.refine = DilatedBlock(detail, 1, attend=False)

    def forward(
        self, image: Tensor, map: Tensor, prior: Tensor, prior_weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Paint.

        Args:
            image: (N, 3, 256, 256) RGB in [-1, 1], 0 in the hole.
            map: (N, 1, 256, 256) in [0, 1], 1 in the hole.
            prior: (N, 3, 256, 256) RGB in [-1, 1], a guess for the hole, 0 where there is none.
            prior_weight: (N, 1, 256, 256) in [0, 1], how far to trust it.

        Returns:
            rgb (N, 3, 256, 256) in [-1, 1] and confidence (N, 1, 256, 256) in [0, 1].
        """
        given = F.pixel_unshuffle(torch.cat((image, map, prior, prior_weight), 1), 2)
        x0 = self.stem(given)
        x1 = self.down1(x0)
        x = self.middle(self.whole(self.down2(x1)))
        x = self.form(self.up1(x, x1))
        x = self.lines(self.up0(x, x0))
        x = F.pixel_shuffle(self.spread(x), 2) + self.detail(given)
        x = F.pixel_shuffle(self.head(self.refine(x)), 2)
        return torch.tanh(x[:, :3]), torch.sigmoid(x[:, 3:])


class MapNet(nn.Module):
    """The map module: how much of each pixel of an aligned crop is mask.

    Args:
        widths: channels at 128, 64, 32, 16 and 8 px (for a 256 px crop).
    """

    def __init__(self, widths: tuple[int, int, int, int, int] = (12, 28, 56, 96, 128)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.stem = _conv(3 * 4, a)
        self.down1 = nn.Sequential(_conv(a, b, stride=2), _conv(b, b))
        self.down2 = nn.Sequential(_conv(b, c, stride=2), _conv(c, c))
        self.down3 = nn.Sequential(_conv(c, d, stride=2), _conv(d, d))
        self.down4 = nn.Sequential(_conv(d, e, stride=2), _conv(e, e))
        # Whether a patch is mask, cup or scarf is told by the face around it.
        self.middle = DilatedBlock(e, 2)
        self.up3 = _AddUp(e, d)
        self.up2 = _AddUp(d, c)
        self.up1 = _AddUp(c, b)
        self.up0 = _AddUp(b, a)
        self.head = nn.Conv2d(a, 4, 3, padding=1)

    def logits(self, image: Tensor) -> Tensor:
        """(N, 3, 256, 256) RGB in [-1, 1] -> (N, 1, 256, 256) before the sigmoid."""
        x0 = self.stem(F.pixel_unshuffle(image, 2))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x = self.up3(self.middle(self.down4(x3)), x3)
        x = self.up0(self.up1(self.up2(x, x2), x1), x0)
        return F.pixel_shuffle(self.head(x), 2)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, 256, 256) RGB in [-1, 1] -> (N, 1, 256, 256) in [0, 1]."""
        return torch.sigmoid(self.logits(image))
