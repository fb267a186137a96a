"""train map: the U-Net that marks the mask."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from realtime_unmask.inference.networks import MapNet
from training import checkpoint, data
from training.loop import channels_last, laid_out
from training.losses import check_finite
from training.shards import Faces


@dataclass(frozen=True, slots=True)
class MapConfig:
    """How the map network is trained.

    Attributes:
        run: folder of checkpoints and log.
        max_minutes: stop cleanly after so long; the next call goes on.
        steps: stop for good at this step.
        batch: pictures a step.
        rate: AdamW's learning rate, falling to a twentieth along a cosine over `steps`.
        average: decay of the averaged weights, which are the ones that ship.
        seed: of weights and samples.
        save_minutes: time between checkpoints.
    """

    run: Path
    max_minutes: float = 1e9
    steps: int = 12_000
    batch: int = 16
    rate: float = 2e-3
    average: float = 0.998
    seed: int = 1
    save_minutes: float = 4.0


def loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Binary cross entropy plus soft Dice over the known pixels; each (N, 1, S, S)."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    chance = torch.sigmoid(logits) * valid
    target = target * valid
    both = (chance * target).sum((1, 2, 3))
    total = chance.sum((1, 2, 3)) + target.sum((1, 2, 3))
    dice = 1 - (2 * both + 100) / (total + 100)
    return (entropy * valid).mean() * 4 + dice.mean()


@torch.no_grad()
def validate(network: MapNet, faces: Faces, count: int = 96) -> tuple[float, float]:
    """Mean IoU over masked pictures, and the false share over bare ones."""
    stream = data.Stream(faces, "map", seed=77, start=0)
    overlap, false = [], []
    for number in range(count):
        sample = {k: torch.from_numpy(v)[None] for k, v in stream.sample(number).items()}
        marked = network(sample["image"]) > 0.5
        truth = sample["target"] > 0.5
        if truth.any():
            overlap.append(((marked & truth).sum() / (marked | truth).sum()).item())
        else:
            false.append(marked.float().mean().item())
    return sum(overlap) / max(1, len(overlap)), sum(false) / max(1, len(false))


def train(config: MapConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
    """
    torch.manual_seed(config.seed)
    network = channels_last(MapNet())
    kept = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), config.rate, weight_decay=1e-4)
    networks: dict[str, torch.nn.Module] = {"network": network, "average": kept}
    path = config.run / "last.safetensors"
    progress = checkpoint.Progress()
    if path.exists():
        progress = checkpoint.load(path, "map-1", networks, {"optimiser": optimiser})
    chosen, held = data.training_faces(faces), data.validation_faces(faces)
    feed = data.batches(
        chosen, "map", config.seed, progress.step * config.batch, config.batch
    )
    began = saved = time.monotonic()
    first, total, waited = progress.step, 0.0, 0.0
    while progress.step < config.steps and time.monotonic() - began < config.max_minutes * 60:
        asked = time.monotonic()
        batch = laid_out(next(feed))
        waited += time.monotonic() - asked
        for group in optimiser.param_groups:
            group["lr"] = config.rate * _fall(progress.step / config.steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network.logits(batch["image"])
        value = loss(logits.float(), batch["target"], batch["valid"])
        check_finite(value, progress.step)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        checkpoint.average(kept, network, config.average, progress.step)
        progress.step += 1
        total += value.item()
        now = time.monotonic()
        if now - saved > config.save_minutes * 60 or progress.step == config.steps:
            saved = now
            iou, false = validate(kept, held)
            done = progress.step - first
            print(
                f"map step {progress.step} loss {total / done:.4f} IoU {iou:.4f} "
                f"false {100 * false:.3f} % {done * config.batch / (now - began):.1f} images/s "
                f"waiting {100 * waited / (now - began):.0f} %",
                flush=True,
            )
            checkpoint.save(path, "map-1", progress, networks, {"optimiser": optimiser})
    checkpoint.save(path, "map-1", progress, networks, {"optimiser": optimiser})


def _fall(share: float) -> float:
    return 0.05 + 0.95 * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * min(share, 1.0)))))

