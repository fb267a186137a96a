"""train editor: the U-Net that paints the hidden face."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from realtime_unmask.inference.networks import EditorNet
from realtime_unmask.unmask.editor import OWN_STEP_PX, OWN_WEIGHT
from training import checkpoint, data
from training.discriminators import Adversary, PatchDiscriminator, halved, lower
from training.editor_data import editor_maker
from training.face_networks import load_face_network, perceptual_distance
from training.labelled import Labelled, load_real_masks
from training.loop import Batch, Run, RunConfig, channels_last
from training.losses import dissimilarity, grown, weighted_mean
from training.motion import Motion
from training.muon import Muon
from training.shards import CROP, Faces


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorConfig(RunConfig):
    """How the editor is trained.

    Attributes:
        size: side of the crops, px; 128 is four times as fast and a good beginning, and a run
            goes on at 256 from where it stopped.
        rate: Muon's learning rate; a quarter of it once a discriminator has joined.
        faces: checkpoint of `train faces --design perceptual`; without one there is no
            perceptual loss.
        perceptual: weight of the perceptual loss.
        whole_from: the step at which the whole-crop discriminator joins.
        region_from: the step at which the mask-region discriminator joins.
        adversarial, feature: weights of each discriminator's two losses.
        own: share of steps whose prior is the network's own output on the frames before.
        agreement: weight of the difference from what keeps to that prior.
        average: decay of the averaged weights, which are the ones that ship.
        real: file of labelled photographs that `harvest` wrote, whose masks lend holes their
            outlines.
    """

    batch: int = 12
    size: int = CROP
    rate: float = 1e-3
    faces: Path | None = None
    perceptual: float = 1.0
    whole_from: int = 1_000_000
    region_from: int = 1_000_000
    adversarial: float = 0.06
    feature: float = 1.0
    own: float = 0.2
    agreement: float = 3.0
    average: float = 0.998
    real: Path | None = None


# The most frames that are painted one after the other before a step.
ROUNDS = 8
# How much of its last output's coarse form the network is to keep; the rest it paints anew, so that
# whatever crept in is forgotten within a second.
KEPT = 0.9


def blank(batch: Batch) -> Tensor:
    """The network's `image`: the picture with the hole at 0."""
    return batch["target"] * (1 - batch["map"])


def _noisy(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """With a webcam's noise, another one for each picture."""
    size = rng.uniform(0.0, 0.04, (len(pictures), 1, 1, 1)).astype(np.float32)
    noise = rng.standard_normal(pictures.shape, np.float32) * size
    return pictures + torch.from_numpy(noise).to(pictures.device)


def coarse(pictures: Tensor, where: Tensor) -> Tensor:
    """`unmask.editor.without_detail` for (N, 3, S, S), inside `where` (N, 1, S, S) 0 or 1."""
    size = where.shape[-1]
    step = max(1, OWN_STEP_PX * size // CROP)
    small = F.avg_pool2d(pictures * where, step) / F.avg_pool2d(where, step).clamp(min=1e-3)
    return F.interpolate(small, size=(size, size), mode="bilinear") * where


def _spoilt(pictures: Tensor, where: Tensor, rng: np.random.Generator) -> Tensor:
    """Each (3, S, S) of more or less contrast than it was, inside `where` (N, 1, S, S) 0 or 1."""
    side = 17 * where.shape[-1] // CROP | 1
    share = F.avg_pool2d(where, side, 1, side // 2).clamp(min=1e-3)
    soft = F.avg_pool2d(pictures * where, side, 1, side // 2) / share
    more = rng.uniform(-0.5, 0.8, (len(pictures), 1, 1, 1)).astype(np.float32)
    return pictures + torch.from_numpy(more).to(pictures.device) * (pictures - soft) * where


def reconstruction_losses(rgb: Tensor, confidence: Tensor, batch: Batch) -> dict[str, Tensor]:
    """L1 and SSIM in the hole, a little L1 around it, and the confidence's own error, weighed."""
    inside = batch["map"] * batch["valid"]
    around = grown(batch["map"], 6) * batch["valid"]
    error = (rgb - batch["target"]).abs()
    composite = torch.lerp(batch["target"], rgb, batch["map"])
    # exp(-error / 0.2): 1 for a perfect pixel, 0.37 for one that is off by a tenth of the range.
    deserved = torch.exp(-5.0 * error.detach().mean(1, keepdim=True))
    return {
        "l1": 2.0 * weighted_mean(error, inside) + 0.5 * weighted_mean(error, around),
        "structure": 0.5 * dissimilarity(composite, batch["target"], inside),
        "confidence": 0.1 * weighted_mean((confidence - deserved).abs(), inside),
    }


class EditorRun(Run[EditorNet]):
    """One run of the editor."""

    architecture = "editor-2"

    def __init__(
        self, config: EditorConfig, held: Faces, make: Callable[[], EditorNet] = EditorNet
    ) -> None:
        torch.manual_seed(config.seed)
        network = make()
        super().__init__(config, network, copy.deepcopy(network))
        self.config, self.held = config, held
        self.optimiser = Muon(self.network.parameters(), config.rate)
        self.optimisers["optimiser"] = self.optimiser
        self.adversaries = {"whole": (config.whole_from, halved),
                            "region": (config.region_from, lower)}  # fmt: skip
        self.judges: dict[str, Adversary] = {}
        for name, (_, view) in self.adversaries.items():
            judge = channels_last(PatchDiscriminator().to(self.device))
            self.judges[name] = Adversary(judge, view)
            self.networks[name] = judge
            self.optimisers[f"{name}_optimiser"] = self.judges[name].optimiser
        self.face_network = None
        if config.faces is not None:
            self.face_network = load_face_network(config.faces, "perceptual").to(self.device)

    def paint(self, network: EditorNet, batch: Batch) -> tuple[Tensor, Tensor]:
        """rgb and confidence in float32."""
        with self.autocast():
            rgb, confidence = network(
                blank(batch), batch["map"], batch["prior"], batch["prior_weight"]
            )
        return rgb.float(), confidence.float()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the editor, and of the discriminators that have joined."""
        config, step = self.config, self.progress.step
        joined = [name for name, (start, _) in self.adversaries.items() if step >= start]
        if step == min(start for start, _ in self.adversaries.values()):
            self.save("before_adversarial")
            self.judge_best()  # from here on the score means something else
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * (0.25 if joined else 1.0) * min(1.0, (step + 1) / 200)
        batch, kept = self._fed_with_own(batch)
        rgb, confidence = self.paint(self.network, batch)
        losses = reconstruction_losses(rgb, confidence, batch)
        if kept is None:
            losses |= self._judged(rgb, batch, joined)
        else:  # to be kept, not improved upon: judges would ask for more of it in every frame
            losses["agreement"] = config.agreement * weighted_mean(
                (rgb - kept).abs(), (batch["prior_weight"] > 0).float() * batch["valid"]
            )
        total = torch.stack(list(losses.values())).sum()
        self.descend(total, self.network, self.optimiser)
        checkpoint.average(self.average, self.network, config.average, step)
        return {name: value.detach() for name, value in losses.items()}

    def _judged(self, rgb: Tensor, batch: Batch, joined: list[str]) -> dict[str, Tensor]:
        """What the face network and the discriminators that have joined say of the pictures."""
        known = batch["map"] * batch["valid"]
        fake = torch.lerp(batch["target"], rgb, known)
        losses = {}
        if self.face_network is not None:
            with self.autocast():
                distance = perceptual_distance(self.face_network, fake, batch["target"], known)
            losses["perceptual"] = self.config.perceptual * distance.float().mean()
        for name in joined:
            losses |= self._adversarial(name, batch["target"], fake, known)
        return losses

    def _adversarial(
        self, name: str, truth: Tensor, fake: Tensor, known: Tensor
    ) -> dict[str, Tensor]:
        """Train one discriminator on this batch, then ask it about the editor's pictures."""
        judge = self.judges[name]
        with self.autocast():
            hinge = judge.hinge(truth, fake, known)
        self.descend(hinge, judge.network, judge.optimiser, clip=1e9)
        with self.autocast():
            fooled, match = judge.verdict(truth, fake, known)
        return {
            f"{name}_adversarial": self.config.adversarial * fooled,
            f"{name}_features": self.config.feature * match,
        }

    @torch.no_grad()
    def _fed_with_own(self, batch: Batch) -> tuple[Batch, Tensor | None]:
        """Now and then, all priors become what the network made of the frames before.

        Up to `ROUNDS` frames, each fed with the one before, since self-feeding drifts; of a head
        that keeps still half of the time, each with its own noise, by the weights that ship.
        Returns the batch, its priors with more or less contrast than they had, and what the
        outputs should agree with: the detail of a picture painted without a prior, in a form
        that is mostly the prior's. None if the batch was left as it is. Who only learned to keep
        the prior would let small errors grow from frame to frame.
        """
        rng = np.random.default_rng([self.config.seed, self.rank, self.progress.step])
        if rng.random() >= self.config.own:
            return batch, None
        still = rng.random() < 0.5
        nothing = {k: torch.zeros_like(batch[k]) for k in ("prior", "prior_weight")}
        prior, weight = nothing.values()
        for _ in range(2 ** int(rng.integers(0, ROUNDS.bit_length()))):
            motion = Motion.none() if still else Motion.random(len(weight), rng, self.device)
            shown = {"map": batch["map"], "target": _noisy(batch["target"], rng)}
            seen = {k: motion(v) for k, v in {**shown, "prior": prior}.items()}
            seen["map"] = (seen["map"] > 0.5).float()
            seen["prior_weight"] = motion(weight) * seen["map"]
            rgb, _ = self.paint(self.average, seen)
            known = (motion.back(seen["map"]) > 0.9).float() * batch["map"]
            prior, weight = coarse(motion.back(rgb), known), known * OWN_WEIGHT
        alone, _ = self.paint(self.average, {**batch, **nothing})
        wanted = alone + KEPT * (prior - coarse(alone, known))
        spoilt = _spoilt(prior, known, rng)
        return {**batch, "prior": spoilt, "prior_weight": weight}, wanted

    def validate(self) -> dict[str, float]:
        """Hole-only figures over a fixed set of val faces without a prior."""
        return validate(self, self.held) if len(self.held) else {}


@torch.no_grad()
def validate(run: EditorRun, held: Faces, count: int = 96) -> dict[str, float]:
    """Mean hole-only PSNR, dB, and perceptual distance of the averaged weights.

    "score" is PSNR until a discriminator has joined; then ten times the perceptual distance is
    taken off, or a blurred network would always be the best one.
    """
    stream = data.Stream(held, editor_maker(held, run.config.size, pair_share=0), seed=77)
    psnr, distance = [], []
    for number in range(count):
        batch = {k: v[None].to(run.device) for k, v in stream[number].items()}
        batch["prior"].zero_()
        batch["prior_weight"].zero_()
        rgb, _ = run.paint(run.average, batch)
        inside = batch["map"] * batch["valid"]
        if inside.sum() < 100:
            continue
        psnr.append(-10 * torch.log10(weighted_mean(((rgb - batch["target"]) / 2) ** 2, inside)))
        if run.face_network is not None:
            fake = torch.lerp(batch["target"], rgb, inside)
            distance.append(
                perceptual_distance(run.face_network, fake, batch["target"], inside).mean()
            )
    figures = {"psnr": float(torch.stack(psnr).mean())} if psnr else {"psnr": 0.0}
    figures["score"] = figures["psnr"]
    if distance:
        figures["perceptual"] = float(torch.stack(distance).mean())
        if run.progress.step >= min(start for start, _ in run.adversaries.values()):
            figures["score"] -= 10 * figures["perceptual"]
    return figures


def train(config: EditorConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
        ValueError: discriminators are to join without a perceptual network.
    """
    if config.faces is None and min(config.whole_from, config.region_from) < config.steps:
        raise ValueError(
            "With discriminators the best weights are chosen by perceptual distance: add --faces, "
            "the checkpoint of 'train faces --design perceptual'."
        )
    run = EditorRun(config, data.validation_faces(faces))
    run.resume()
    chosen = data.training_faces(faces)
    real = Labelled(load_real_masks(config.real)) if config.real else None
    stream = data.Stream(chosen, editor_maker(chosen, config.size, real=real), config.seed)
    run.go(data.batches(stream, config, run.progress.step))
