"""train editor: the U-Net that paints the hidden face."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from realtime_unmask.inference.networks import EditorNet
from training import checkpoint, data
from training.discriminators import PatchDiscriminator
from training.loop import channels_last, laid_out
from training.losses import check_finite, dissimilarity, grown, weighted_mean
from training.shards import Faces

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class EditorConfig:
    """How the editor is trained.

    Attributes:
        run: folder of checkpoints and log.
        max_minutes: stop cleanly after so long; the next call goes on.
        steps: stop for good at this step.
        batch: pictures a step.
        size: side of the crops, px; 128 is four times as fast and a good beginning, and a run
            goes on at 256 from where it stopped.
        rate: AdamW's learning rate before the discriminator joins; a quarter of it afterwards.
        adversarial_from: the step at which the discriminator joins.
        adversarial, feature: weights of its two losses.
        average: decay of the averaged weights, which are the ones that ship.
        seed: of weights and samples.
        save_minutes: time between checkpoints.
    """

    run: Path
    max_minutes: float = 1e9
    steps: int = 1_000_000
    batch: int = 12
    size: int = 256
    rate: float = 1e-3
    adversarial_from: int = 1_000_000
    adversarial: float = 0.06
    feature: float = 1.0
    average: float = 0.998
    seed: int = 1
    save_minutes: float = 5.0


def blank(batch: Batch) -> Tensor:
    """The network's `image`: the picture with the hole at 0."""
    return batch["target"] * (1 - batch["map"])


def forward(network: EditorNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """rgb and confidence in float32, computed in bf16."""
    with torch.autocast("cpu", torch.bfloat16):
        rgb, confidence = network(
            blank(batch), batch["map"], batch["prior"], batch["prior_weight"]
        )
    return rgb.float(), confidence.float()


def reconstruction_loss(rgb: Tensor, confidence: Tensor, batch: Batch) -> Tensor:
    """L1 and SSIM in the hole, a little L1 around it, and the confidence's own error."""
    inside = batch["map"] * batch["valid"]
    around = grown(batch["map"], 6) * batch["valid"]
    error = (rgb - batch["target"]).abs()
    near = weighted_mean(error, around)
    composite = torch.lerp(batch["target"], rgb, batch["map"])
    structure = dissimilarity(composite, batch["target"], inside)
    # exp(-error / 0.2): 1 for a perfect pixel, 0.37 for one that is off by a tenth of the range.
    deserved = torch.exp(-5.0 * error.detach().mean(1, keepdim=True))
    sure = weighted_mean((confidence - deserved).abs(), inside)
    return 2.0 * weighted_mean(error, inside) + 0.5 * near + 0.5 * structure + 0.1 * sure


@torch.no_grad()
def validate(network: EditorNet, faces: Faces, size: int = 256, count: int = 96) -> float:
    """Mean hole-only PSNR, dB, without a prior, over a fixed set of holes."""
    stream = data.Stream(faces, "editor", seed=77, start=0, size=size)
    values = []
    for number in range(count):
        batch = {k: torch.from_numpy(v)[None] for k, v in stream.sample(number).items()}
        batch["prior"].zero_()
        batch["prior_weight"].zero_()
        rgb, _ = forward(network, batch)
        error = ((rgb - batch["target"]) / 2) ** 2
        inside = batch["map"] * batch["valid"]
        if inside.sum() > 100:
            values.append(-10 * torch.log10(weighted_mean(error, inside)).item())
    return sum(values) / len(values)


class Run:
    """Networks, optimisers and progress of one run."""

    def __init__(self, config: EditorConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = channels_last(EditorNet())
        self.kept = copy.deepcopy(self.network).eval()
        self.judge = channels_last(PatchDiscriminator())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), config.rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.judge_optimiser = torch.optim.AdamW(
            self.judge.parameters(), 4e-4, betas=(0.0, 0.99), weight_decay=0.0
        )
        self.networks: dict[str, torch.nn.Module] = {
            "network": self.network, "average": self.kept, "judge": self.judge,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "optimiser": self.optimiser, "judge_optimiser": self.judge_optimiser,
        }  # fmt: skip
        self.path = config.run / "last.safetensors"
        self.progress = checkpoint.Progress()
        if self.path.exists():
            self.progress = checkpoint.load(
                self.path, "editor-1", self.networks, self.optimisers
            )

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint.save(self.path, "editor-1", self.progress, self.networks, self.optimisers)

    def step(self, batch: Batch) -> float:
        """One step of the editor, and of the discriminator once it has joined."""
        config, step = self.config, self.progress.step
        joined = step >= config.adversarial_from
        rate = config.rate * (0.25 if joined else 1.0) * min(1.0, (step + 1) / 200)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        rgb, confidence = forward(self.network, batch)
        value = reconstruction_loss(rgb, confidence, batch)
        if joined:
            value = value + self._adversarial(rgb, batch)
        check_finite(value, step)
        self.optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        checkpoint.average(self.kept, self.network, config.average, step)
        self.progress.step += 1
        return value.item()

    def _adversarial(self, rgb: Tensor, batch: Batch) -> Tensor:
        """Train the discriminator on this batch (hinge), return the editor's part."""
        known = _lower(batch["map"] * batch["valid"])
        truth = _lower(batch["target"])
        fake = torch.lerp(truth, _lower(rgb), known)
        with torch.autocast("cpu", torch.bfloat16):
            real_score, _ = self.judge(torch.cat((truth, known), 1))
            fake_score, _ = self.judge(torch.cat((fake.detach(), known), 1))
        near = F.max_pool2d(known, 16, 16)
        hinge = weighted_mean(F.relu(1 - real_score.float()), near) + weighted_mean(
            F.relu(1 + fake_score.float()), near
        )
        check_finite(hinge, self.progress.step)
        self.judge_optimiser.zero_grad()
        hinge.backward()
        self.judge_optimiser.step()
        self.judge.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            # Anew, by the judge that has just learnt: features of two different judges differ
            # even where the pictures are equal.
            with torch.no_grad():
                _, real_features = self.judge(torch.cat((truth, known), 1))
            score, features = self.judge(torch.cat((fake, known), 1))
        self.judge.requires_grad_(True)
        match = sum(
            (
                (ours.float() - real.float()).abs().mean()
                for ours, real in zip(features, real_features, strict=True)
            ),
            start=torch.zeros(()),
        )
        fooled = -weighted_mean(score.float(), near)
        return self.config.adversarial * fooled + self.config.feature * match


def _lower(planes: Tensor) -> Tensor:
    """The part of a crop in which masks are worn, with room around it; spares half the work."""
    size = planes.shape[-1]
    return planes[..., 5 * size // 16 :, size // 8 : size - size // 8]


def train(config: EditorConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
    """
    run = Run(config)
    progress = run.progress
    chosen, held = data.training_faces(faces), data.validation_faces(faces)
    feed = data.batches(
        chosen, "editor", config.seed, progress.step * config.batch, config.batch, config.size
    )
    began = saved = time.monotonic()
    first, total, waited = progress.step, 0.0, 0.0
    while progress.step < config.steps and time.monotonic() - began < config.max_minutes * 60:
        asked = time.monotonic()
        batch = laid_out(next(feed))
        waited += time.monotonic() - asked
        total += run.step(batch)
        now = time.monotonic()
        if now - saved > config.save_minutes * 60:
            saved = now
            psnr = validate(run.kept, held, config.size)
            done = progress.step - first
            print(
                f"editor step {progress.step} loss {total / done:.4f} hole {psnr:.2f} dB "
                f"{done * config.batch / (now - began):.1f} images/s "
                f"waiting {100 * waited / (now - began):.0f} %",
                flush=True,
            )
            run.save()
    run.save()
