"""train editor: the U-Net that paints the hidden face."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realtime_unmask.inference.networks import EditorNet
from training import checkpoint, data
from training.discriminators import ADVERSARIES, Adversary, PatchDiscriminator, halved, lower
from training.editor_data import editor_maker
from training.face_networks import distances, load_face_network
from training.imagenet import load_imagenet
from training.labelled import Labelled, load_real_masks
from training.loop import Batch, Run, RunConfig, channels_last
from training.losses import dissimilarity, grid, grown, weighted_mean
from training.motion import Motion
from training.muon import Muon
from training.options import NEVER
from training.recorded import Recorder
from training.shards import CROP, Faces


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorConfig(RunConfig):
    """How the editor is trained.

    Attributes:
        size: side of the crops, px; 128 is four times as fast and a good beginning, and a run
            goes on at 256 from where it stopped.
        rate: Muon's learning rate; a quarter of it once a discriminator has joined.
        half_life: steps after which the rate is halved, again and again; 0: never. In stages and
            not smoothly, because each rate needs a recording of its own on a GPU.
        half_from: the step from which those are counted.
        faces: checkpoint of `train faces --design perceptual`; without one there is no
            perceptual, no texture and no content loss.
        perceptual, texture: weights of its two distances: each thing in its place, and as much
            contrast as there is in the true face.
        content: weight of an ImageNet network's distance, which minds softness more.
        whole_from: the step at which the whole-crop discriminator joins, for good.
        region_from: the step at which the mask-region discriminator joins, likewise.
        adversarial, feature: weights of each discriminator's two losses.
        judge_width: channels of the discriminators' first layer.
        judges: discriminators to join with, as `export discriminators` writes them; new ones take
            a thousand steps to become of use.
        grid: weight of the pattern that upsampling leaves, once a discriminator has joined.
        moved: share of steps that ask for agreement with what is painted of the same pictures a
            little moved, as in the next frame of a video.
        agreement: weight of that.
        average: decay of the averaged weights, which are the ones that ship.
        real: file of labelled photographs that `harvest` wrote, whose masks lend holes their
            outlines.
    """

    batch: int = 12
    size: int = CROP
    rate: float = 1e-3
    half_life: int = 0
    half_from: int = 0
    faces: Path | None = None
    perceptual: float = 20.0
    texture: float = 20.0
    content: float = 22.0
    whole_from: int = NEVER
    region_from: int = NEVER
    adversarial: float = 0.5
    feature: float = 6.0
    judge_width: int = 32
    judges: Path | None = None
    grid: float = 1.0
    moved: float = 0.2
    agreement: float = 3.0
    average: float = 0.998
    real: Path | None = None


# How far around a hole the editor is asked for the picture's own colours, px.
RIM_PX = 6
# By how many places the view of the ImageNet network differs from step to step, down and right.
SHIFTS = 17


def blank(batch: Batch) -> Tensor:
    """The network's `image`: the masked picture with the hole at 0."""
    return batch["image"] * (1 - batch["map"])


def reconstruction_losses(rgb: Tensor, confidence: Tensor, batch: Batch) -> dict[str, Tensor]:
    """L1 and SSIM in the hole, a little L1 around it, and the confidence's own error, weighed.

    Around the hole the picture is asked for as it is, with the mask's shade: there the program
    looks whether the colour fits.
    """
    inside = batch["map"] * batch["valid"]
    around = (grown(batch["map"], RIM_PX) - batch["map"]) * batch["valid"]
    error = (rgb - batch["target"]).abs()
    composite = torch.lerp(batch["target"], rgb, batch["map"])
    # exp(-error / 0.2): 1 for a perfect pixel, 0.37 for one that is off by a tenth of the range.
    deserved = torch.exp(-5.0 * error.detach().mean(1, keepdim=True))
    rim = weighted_mean((rgb - batch["image"]).abs(), around)
    return {
        "l1": 2.0 * weighted_mean(error, inside) + 0.5 * rim,
        "structure": 0.5 * dissimilarity(composite, batch["target"], inside),
        "confidence": 0.1 * weighted_mean((confidence - deserved).abs(), inside),
    }


def shifted(planes: Tensor, shift: Tensor) -> Tensor:
    """The region in which masks are worn, cut out at another place in each step.

    A network whose cells always lie in the same places lets a pattern of their size pass.

    Args:
        planes: (N, C, S, S).
        shift: (2,) int64, 0 .. SHIFTS - 1, in 256ths of the side.

    Returns:
        (N, C, 11 S / 16, 13 S / 16).
    """
    size = planes.shape[-1]
    down, right = (shift * size // CROP).unbind()
    rows = torch.arange(11 * size // 16, device=planes.device) + size // 4 + down
    columns = torch.arange(13 * size // 16, device=planes.device) + size // 16 + right
    return planes.index_select(2, rows).index_select(3, columns)


class EditorRun(Run[EditorNet]):
    """One run of the editor."""

    architecture = "editor-4"

    def __init__(
        self, config: EditorConfig, held: Faces, make: Callable[[], EditorNet] = EditorNet
    ) -> None:
        torch.manual_seed(config.seed)
        network = make()
        super().__init__(config, network, copy.deepcopy(network))
        self.config, self.held = config, held
        self.optimiser = Muon(self.network.parameters(), config.rate)
        self.optimisers["optimiser"] = self.optimiser
        joining = ((config.whole_from, halved), (config.region_from, lower))
        self.adversaries = dict(zip(ADVERSARIES, joining, strict=True))
        self.judges: dict[str, Adversary] = {}
        for name, (_, view) in self.adversaries.items():
            judge = channels_last(PatchDiscriminator(width=config.judge_width).to(self.device))
            self.judges[name] = Adversary(judge, view)
            self.networks[name] = judge
            self.optimisers[f"{name}_optimiser"] = self.judges[name].optimiser
        self.record = Recorder(self.device.type == "cuda" and self.world == 1)
        self.face_network, self.imagenet = None, None
        if config.faces is not None:
            self.face_network = load_face_network(config.faces, "perceptual").to(self.device)
            if config.content:
                self.imagenet = channels_last(load_imagenet("lite0").to(self.device))

    def resume(self) -> None:
        """As of any run; discriminators that have not joined yet are those that `judges` names.

        Raises:
            checkpoint.CheckpointError: damaged, or made for another architecture.
        """
        super().resume()
        if self.config.judges is None:
            return
        waiting = {name: self.networks[name] for name in self._waiting()}
        if waiting:
            checkpoint.load_parts(self.config.judges, self.architecture, waiting)
        elif not self.rank:
            print(f"{self.config.folder}: the discriminators have joined before, and --judges is "
                  "for those that have not.", flush=True)  # fmt: skip

    def _waiting(self) -> list[str]:
        """The discriminators that have not joined."""
        return [name for name, judge in self.judges.items() if not judge.optimiser.state]

    def joined(self) -> tuple[str, ...]:
        """Those that take part in the next step; who has joined stays, whatever the options say."""
        waiting, step = self._waiting(), self.progress.step
        starts = {name: start for name, (start, _) in self.adversaries.items()}
        return tuple(n for n in self.judges if n not in waiting or step >= starts[n])

    def learnt(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Without discriminators that have not joined: those may still be others."""
        waiting = self._waiting()
        networks, optimisers = super().learnt()
        return (
            {name: part for name, part in networks.items() if name not in waiting},
            {k: v for k, v in optimisers.items() if k.removesuffix("_optimiser") not in waiting},
        )

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
        joined = self.joined()
        if joined and len(self._waiting()) == len(self.judges):
            self.save("before_adversarial")
            # From here on the score means something else, and the softer weights would keep the
            # lead: those that never met a discriminator are no candidates.
            self.progress.best = -math.inf
        rate = config.rate * (0.25 if joined else 1.0) * min(1.0, (step // 50 + 1) / 4)
        if config.half_life:
            rate *= 0.5 ** (max(0, step - config.half_from) // config.half_life)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([config.seed, self.rank, step])
        moved = rng.random() < config.moved
        if moved:
            batch = batch | self._next_frame(batch["image"], rng)
        if self.imagenet is not None:
            shift = torch.from_numpy(rng.integers(0, SHIFTS, 2))
            batch = batch | {"shift": shift.to(self.device)}
        losses = self.record(
            (joined, rate, moved), lambda batch: self._learn(batch, joined), batch
        )
        checkpoint.average(self.average, self.network, config.average, self.progress)
        return losses

    def _learn(self, batch: Batch, joined: tuple[str, ...]) -> dict[str, Tensor]:
        rgb, confidence = self.paint(self.network, batch)
        losses = reconstruction_losses(rgb, confidence, batch) | self._judged(rgb, batch, joined)
        if "motion" in batch:
            losses["agreement"] = self.config.agreement * self._disagreement(rgb, batch)
        total = torch.stack(list(losses.values())).sum()
        self.descend(total, self.network, self.optimiser)
        return {name: value.detach() for name, value in losses.items()}

    def _next_frame(self, image: Tensor, rng: np.random.Generator) -> Batch:
        """How the next frame of a video differs: where things are, and a webcam's noise."""
        motion = Motion.random(len(image), rng, self.device)
        size = torch.from_numpy(rng.uniform(0.0, 0.04, (len(image), 1, 1, 1)))
        dice = torch.Generator(self.device).manual_seed(int(rng.integers(2**31)))
        noise = torch.randn(image.shape, generator=dice, device=self.device)
        return {
            "motion": motion.matrix,
            "motion_back": motion.inverse,
            "noise": noise * size.to(self.device, torch.float32),
        }

    def _judged(
        self, rgb: Tensor, batch: Batch, joined: tuple[str, ...]
    ) -> dict[str, Tensor]:
        """What both frozen networks and the discriminators that have joined say of the pictures."""
        known = batch["map"] * batch["valid"]
        fake = torch.lerp(batch["target"], rgb, known)
        losses = {}
        if self.face_network is not None:
            with self.autocast():
                features, texture = distances(self.face_network, fake, batch["target"], known)
            losses["perceptual"] = self.config.perceptual * features.float().mean()
            losses["texture"] = self.config.texture * texture.mean()
        if self.imagenet is not None:
            with self.autocast():
                losses["content"] = self.config.content * self.imagenet.distance(
                    *(shifted(planes, batch["shift"]) for planes in (fake, batch["target"], known))
                ).mean()
        if joined:
            excess = F.relu(grid(fake, known) - grid(batch["target"], known))
            losses["grid"] = self.config.grid * excess
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

    def _disagreement(self, rgb: Tensor, batch: Batch) -> Tensor:
        """Mean difference from what the averaged weights paint of the same pictures, moved.

        In cells of 2 px: moving there and back has softened the other one.
        """
        with torch.no_grad():
            motion = Motion(batch["motion"], batch["motion_back"])
            hole = (motion(batch["map"]) > 0.5).float()
            seen = {k: motion(batch[k]) * hole for k in ("prior", "prior_weight")}
            seen |= {"map": hole, "image": motion(batch["image"] + batch["noise"])}
            other = motion.back(self.paint(self.average, seen)[0])
            known = (motion.back(hole) > 0.9).float() * batch["map"] * batch["valid"]
        apart = F.avg_pool2d((rgb - other) * known, 2)
        return weighted_mean(apart.abs(), F.avg_pool2d(known, 2))

    def validate(self) -> dict[str, float]:
        """Hole-only figures over a fixed set of val faces without a prior."""
        return validate(self, self.held) if len(self.held) else {}


@torch.no_grad()
def validate(run: EditorRun, held: Faces, count: int = 96) -> dict[str, float]:
    """Mean hole-only PSNR, dB, and the face network's distances of the averaged weights.

    "score" is PSNR until a discriminator has joined; then the distances are taken off, or a
    blurred network would always be the best one.
    """
    stream = data.Stream(held, editor_maker(held, run.config.size, pair_share=0), seed=77)
    psnr, apart = [], []
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
            parts = [*distances(run.face_network, fake, batch["target"], inside)]
            if run.imagenet is not None:
                parts.append(run.imagenet.distance(fake, batch["target"], inside))
            apart.append(torch.cat(parts))
    figures = {"psnr": float(torch.stack(psnr).mean())} if psnr else {"psnr": 0.0}
    figures["score"] = figures["psnr"]
    if apart:
        # Each distance counts by about how much it differs between editors.
        worth = {"perceptual": 10, "texture": 30, "content": 10}
        means = torch.stack(apart).mean(0).tolist()
        figures |= dict(zip(worth, means, strict=False))
        if run.joined():
            figures["score"] -= sum(worth[k] * figures[k] for k in worth if k in figures)
    return figures


def train(config: EditorConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
        ValueError: discriminators are to join without a perceptual network, or no face may be
            trained on.
    """
    if config.faces is None and min(config.whole_from, config.region_from) < config.steps:
        raise ValueError(
            "With discriminators the best weights are chosen by a face network's "
            "distances: add --faces, the checkpoint of 'train faces --design perceptual'."
        )
    chosen = data.training_faces(faces)
    run = EditorRun(config, data.validation_faces(faces))
    run.resume()
    real = Labelled(load_real_masks(config.real)) if config.real else None
    stream = data.Stream(chosen, editor_maker(chosen, config.size, real=real), config.seed)
    run.go(data.batches(stream, config, run.progress.step))
