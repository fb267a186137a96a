"""What the training loops share."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """Lay the weights out as CPUs and tensor cores like them best."""
    # torch's own types of Module.to leave this argument out.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def laid_out(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch in the layout of `channels_last`."""
    return {k: v.contiguous(memory_format=torch.channels_last) for k, v in batch.items()}
