"""PatchGAN discriminators (Isola et al. 2017) with spectral norm (Miyato et al. 2018)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Says of each patch of a crop whether it is a photograph.

    Args:
        inputs: channels; RGB and map make 4.
        width: channels of the first layer.
    """

    def __init__(self, inputs: int = 4, width: int = 32) -> None:
        super().__init__()
        widths = (inputs, width, 2 * width, 4 * width, 4 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1))
            for a, b in pairwise(widths)
        )
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, inputs, S, S) -> scores (N, 1, S/16, S/16) and the features on the way."""
        features = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.judge(x), features
