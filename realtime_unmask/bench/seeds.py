"""The networks that this program is measured against, with random weights.

The pair of Din et al.'s published student versions: a plain U-Net of 64 to 1024 channels for the
map (34.5 M weights, 12.7 GMAC on 128 px grey) and a dilated U-Net of 64 to 256 channels as the
editor (3.3 M weights, 7.9 GMAC on 128 px RGB and map). Norms are folded into the convolutions and
squeeze-and-excitation is left out, which both make this pair faster than the original.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realtime_unmask.bench.onnx_writer import Graph

SIDE = 128
# What they have to come to, within a hundredth; anything else would be another reference.
GMAC = {"map": 12.7, "editor": 7.9}
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Seed:
    """One network.

    Attributes:
        name: "map" or "editor".
        onnx: the file's content.
        channels: of its one input, `image` (N, channels, 128, 128).
        outputs: channels of its one output, `made`, of the same size.
        macs: multiply-adds for one crop.
        weights: how many.
    """

    name: str
    onnx: bytes
    channels: int
    outputs: int
    macs: int
    weights: int


def build(name: str) -> Seed:
    """The seed "map" or "editor".

    Raises:
        ValueError: it does not come to the multiply-adds that it must have.
    """
    net = _Net()
    seed = _map(net) if name == "map" else _editor(net)
    if abs(seed.macs / 1e9 / GMAC[name] - 1) > _TOLERANCE:
        raise ValueError(f"The seed '{name}' has {seed.macs / 1e9:.2f} GMAC, not {GMAC[name]}.")
    return seed


def _map(net: _Net) -> Seed:
    widths = (64, 128, 256, 512, 1024)
    x = net.unet("image", 1, widths)
    x = net.conv(x, widths[0], 1, SIDE, size=1, relu=False)
    net.graph.node("Sigmoid", [x], "made")
    return net.seed("map", 1, 1)


def _editor(net: _Net) -> Seed:
    widths = (64, 128, 256)
    x = net.unet("image", 4, widths, dilations=(2, 4))
    x = net.conv(x, widths[0], 3, SIDE, size=1, relu=False)
    net.graph.node("Tanh", [x], "made")
    return net.seed("editor", 4, 3)


class _Net:
    """A network in the making; counts its multiply-adds."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._rng = np.random.default_rng(1)
        self._macs = self._weights = self._count = 0

    def unet(
        self, x: str, channels: int, widths: tuple[int, ...], dilations: tuple[int, ...] = ()
    ) -> str:
        """Two convolutions a level, halved by pooling, doubled by transposed convolutions."""
        side, skips = SIDE, []
        for level, width in enumerate(widths):
            if level:
                x = self._node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2))
                side //= 2
            x = self.conv(self.conv(x, channels, width, side), width, width, side)
            skips.append(x)
            channels = width
        for dilation in dilations:
            x = self.conv(x, channels, channels, side, dilation=dilation)
        for width, skip in zip(widths[-2::-1], skips[-2::-1], strict=True):
            x = self._up(x, channels, width, side)
            side *= 2
            x = self._node("Concat", [skip, x], axis=1)
            x = self.conv(self.conv(x, 2 * width, width, side), width, width, side)
            channels = width
        return x

    def conv(
        self, x: str, inputs: int, outputs: int, side: int, *,
        size: int = 3, dilation: int = 1, relu: bool = True,
    ) -> str:  # fmt: skip
        """A convolution with zeros at the border, on (N, inputs, side, side)."""
        pad = dilation * (size // 2)
        x = self._node(
            "Conv", [x, *self._weighted((outputs, inputs, size, size), outputs)],
            kernel_shape=(size, size), pads=(pad,) * 4, dilations=(dilation,) * 2,
        )  # fmt: skip
        self._macs += inputs * outputs * size**2 * side**2
        return self._node("Relu", [x]) if relu else x

    def seed(self, name: str, channels: int, outputs: int) -> Seed:
        """All of it, when `made` has been written."""
        onnx = self.graph.model(
            {"image": (None, channels, SIDE, SIDE)}, {"made": (None, outputs, SIDE, SIDE)}
        )
        return Seed(name, onnx, channels, outputs, self._macs, self._weights)

    def _up(self, x: str, inputs: int, outputs: int, side: int) -> str:
        self._macs += inputs * outputs * 9 * side**2
        x = self._node(
            "ConvTranspose", [x, *self._weighted((inputs, outputs, 3, 3), outputs)],
            kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1), output_padding=(1, 1),
        )  # fmt: skip
        return self._node("Relu", [x])

    def _weighted(self, shape: tuple[int, ...], outputs: int) -> tuple[str, str]:
        values = self._rng.standard_normal(shape, np.float32)
        values *= np.float32(np.sqrt(2 * outputs / values.size))
        self._weights += values.size + outputs
        name = f"w{self._count}"
        return (
            self.graph.weight(name, values),
            self.graph.weight(f"{name}b", np.zeros(outputs, np.float32)),
        )

    def _node(self, kind: str, inputs: list[str], **values: int | tuple[int, ...]) -> str:
        self._count += 1
        return self.graph.node(kind, inputs, f"x{self._count}", **values)
