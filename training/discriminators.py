"""The two discriminators: one sees the whole crop, one the region in which masks are worn.

PatchGANs (Isola et al. 2017) with spectral norm (Miyato et al. 2018), hinge loss and feature
matching (Wang et al. 2018). Both are shown a picture and the map; real is the untouched picture.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from training.losses import weighted_mean

# Their names in checkpoints.
ADVERSARIES = ("whole", "region")


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
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths)
        )
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, inputs, S, S) -> scores (N, 1, S/16, S/16) and the features on the way."""
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.judge(x), features


def lower(planes: Tensor) -> Tensor:
    """The part of a crop in which masks are worn, with room around it; spares half the work."""
    size = planes.shape[-1]
    return planes[..., 5 * size // 16 :, size // 8 : size - size // 8]


def halved(planes: Tensor) -> Tensor:
    """The whole crop at half its size: what matters to this judge is the face as a whole."""
    return F.avg_pool2d(planes, 2)


class Adversary:
    """One discriminator and its part in the editor's loss.

    Args:
        network: the discriminator.
        view: what it is shown of (N, 4, S, S), picture and map.
    """

    def __init__(self, network: PatchDiscriminator, view: Callable[[Tensor], Tensor]) -> None:
        self.network, self.view = network, view
        on_card = any(parameter.is_cuda for parameter in network.parameters())
        self.optimiser = torch.optim.AdamW(
            network.parameters(), 4e-4, betas=(0.0, 0.99), weight_decay=0.0, capturable=on_card
        )

    def hinge(self, truth: Tensor, fake: Tensor, known: Tensor) -> Tensor:
        """Its own loss; the patches that touch the hole count.

        Args:
            truth, fake: (N, 3, S, S), equal outside the hole.
            known: (N, 1, S, S), 1 in the hole where the picture is known.
        """
        real, painted, near = self._shown(truth, fake.detach(), known)
        scores = self.network(torch.cat((real, painted)))[0].float()
        real_score, fake_score = scores.chunk(2)
        return weighted_mean(F.relu(1 - real_score), near) + weighted_mean(
            F.relu(1 + fake_score), near
        )

    def verdict(self, truth: Tensor, fake: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The editor's adversarial and feature-matching losses; the same arguments."""
        real, painted, near = self._shown(truth, fake, known)
        self.network.requires_grad_(False)
        try:
            # After it has learnt: features of two different judges differ even where the pictures
            # are equal.
            with torch.no_grad():
                _, real_features = self.network(real)
            score, features = self.network(painted)
        finally:
            self.network.requires_grad_(True)
        match = torch.stack(
            [
                (ours.float() - theirs.float()).abs().mean()
                for ours, theirs in zip(features, real_features, strict=True)
            ]
        ).sum()
        return -weighted_mean(score.float(), near), match

    def _shown(
        self, truth: Tensor, fake: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        real = self.view(torch.cat((truth, known), 1))
        painted = self.view(torch.cat((fake, known), 1))
        return real, painted, F.max_pool2d(real[:, 3:], 16, 16)
