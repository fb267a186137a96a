"""train map: the U-Net that marks the mask."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from realtime_unmask.inference.networks import MapNet
from training import checkpoint, data
from training.labelled import Labelled, load_real_masks
from training.loop import Batch, Run, RunConfig, cosine
from training.map_data import map_sample
from training.muon import Muon
from training.shards import Faces


@dataclass(frozen=True, slots=True, kw_only=True)
class MapConfig(RunConfig):
    """How the map network is trained.

    Attributes:
        rate: Muon's learning rate, falling to a twentieth along a cosine over `steps`.
        average: decay of the averaged weights, which are the ones that ship.
        real: file of labelled photographs that `harvest` wrote, to be learned from as well.
    """

    steps: int = 12_000
    rate: float = 2e-3
    average: float = 0.998
    real: Path | None = None


# What is thin or beside it weighs so much: straps are few pixels, and were not learned at all.
THIN_WEIGHT = 4.0


def loss(logits: Tensor, target: Tensor, valid: Tensor, thin: Tensor) -> Tensor:
    """Binary cross entropy plus soft Dice over the known pixels; each (N, 1, S, S)."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = valid * (1 + (THIN_WEIGHT - 1) * thin)
    chance = torch.sigmoid(logits) * valid
    target = target * valid
    both = (chance * target).sum((1, 2, 3))
    total = chance.sum((1, 2, 3)) + target.sum((1, 2, 3))
    dice = 1 - (2 * both + 100) / (total + 100)
    return (entropy * weight).mean() * 4 + dice.mean()


@torch.no_grad()
def validate(
    network: MapNet, faces: Faces, where: torch.device, count: int = 128
) -> dict[str, float]:
    """Mean IoU over masked pictures, and the false share over bare ones."""
    stream = data.Stream(faces, map_sample, seed=77)
    overlap, false = [], []
    for number in range(count):
        sample = {k: v[None].to(where) for k, v in stream[number].items()}
        known = sample["valid"] > 0
        marked = (network(sample["image"]) > 0.5) & known
        truth = (sample["target"] > 0.5) & known
        if truth.any():
            overlap.append(((marked & truth).sum() / (marked | truth).sum()).item())
        else:
            false.append(marked.float().mean().item())
    iou = sum(overlap) / max(1, len(overlap))
    wrong = sum(false) / max(1, len(false))
    return {"score": iou - wrong, "iou": iou, "false_share": wrong}


class MapRun(Run[MapNet]):
    """One run of the map network."""

    architecture = "map-2"

    def __init__(self, config: MapConfig, held: Faces) -> None:
        torch.manual_seed(config.seed)
        network = MapNet()
        super().__init__(config, network, copy.deepcopy(network))
        self.config, self.held = config, held
        self.optimiser = Muon(self.network.parameters(), config.rate)
        self.optimisers["optimiser"] = self.optimiser

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step; `batch` has image, target and valid, each (N, C, 256, 256)."""
        step = self.progress.step
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * cosine(step / self.config.steps)
        with self.autocast():
            logits = self.network.logits(batch["image"])
        value = loss(logits.float(), batch["target"], batch["valid"], batch["thin"])
        self.descend(value, self.network, self.optimiser)
        checkpoint.average(self.average, self.network, self.config.average, self.progress)
        return {"map": value.detach()}

    def validate(self) -> dict[str, float]:
        """See `validate`; on the val faces."""
        return validate(self.average, self.held, self.device) if len(self.held) else {}


def train(config: MapConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
        ValueError: no face may be trained on.
    """
    chosen = data.training_faces(faces)
    run = MapRun(config, data.validation_faces(faces))
    run.resume()
    real = Labelled(load_real_masks(config.real)) if config.real else None
    make = partial(map_sample, real=real)
    stream = data.Stream(chosen, make, config.seed)
    run.go(data.batches(stream, config, run.progress.step))
