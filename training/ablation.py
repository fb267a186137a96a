"""ablate: what each part of the editor's training is worth, at equal times.

Every variant gets the same minutes on the same machine at 128 px: 40 % of them without a
discriminator, then the whole-crop one joins, after two thirds the mask-region one. All are judged
by the network that no loss has seen, without a prior.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from realtime_unmask.inference.networks import EditorNet
from training import data
from training.editor_data import editor_maker
from training.face_networks import FaceNet, distances, load_face_network
from training.losses import weighted_mean
from training.options import NEVER
from training.shards import Faces
from training.train_editor import EditorConfig, EditorRun

# In so little time the weights of a long training would leave nothing but grain.
WEIGHTS: dict[str, Any] = {
    "perceptual": 1.0, "texture": 0.0, "content": 0.0,
    "adversarial": 0.06, "feature": 1.0, "grid": 0.0,
}  # fmt: skip
# Share of the time after which each discriminator joins.
JOIN = {"whole_from": 0.40, "region_from": 0.66}


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table: what is left out.

    Attributes:
        without: discriminators that never join.
        changes: fields of EditorConfig.
        make: the network.
        prior: priors are among the samples.
    """

    without: tuple[str, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    make: Callable[[], EditorNet] = EditorNet
    prior: bool = True


VARIANTS = {
    "everything": Variant(),
    "no whole-crop discriminator": Variant(without=("whole_from",)),
    "no mask-region discriminator": Variant(without=("region_from",)),
    "no discriminator": Variant(without=("whole_from", "region_from")),
    "no perceptual loss": Variant(changes={"faces": None}),
    "no squeeze-and-excitation": Variant(make=partial(EditorNet, attend=False)),
    "no prior": Variant(prior=False),
}


def ablate(
    faces: Faces,
    folder: Path,
    perceptual: Path,
    judge: Path,
    minutes: float,
    size: int = 128,
    count: int = 320,
) -> str:
    """Train every variant that is not yet done for so long; the table in Markdown.

    Args:
        folder: one run folder a variant; finished ones are only judged again.
        perceptual, judge: checkpoints of `train faces`.
        minutes: of training for each variant.
        size: side of the crops, px.
        count: val samples that judge each.
    """
    judging = load_face_network(judge, "judge")
    lines = [
        "| variant | steps | hole PSNR, dB | perceptual distance | texture | identity cosine |",
        "|---|---|---|---|---|---|",
    ]
    for name, variant in VARIANTS.items():
        config = EditorConfig(
            folder=folder / name.replace(" ", "-"), faces=perceptual, batch=16, size=size,
            save_minutes=1e9,
        )  # fmt: skip
        run = _trained(replace(config, **(WEIGHTS | variant.changes)), variant, faces, minutes)
        psnr, *rest = _judged(run, judging.to(run.device), count)
        figures = " | ".join(f"{value:.3f}" for value in rest)
        lines.append(f"| {name} | {run.progress.step} | {psnr:.2f} | {figures} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _trained(
    config: EditorConfig, variant: Variant, faces: Faces, minutes: float
) -> EditorRun:
    held, chosen = data.validation_faces(faces), data.training_faces(faces)
    mark, kind = config.folder / "done", f"{minutes:g} minutes at {config.size} px\n"
    done = mark.exists() and mark.read_text() == kind
    if not done and config.folder.exists():  # half a variant would get more time than the others
        shutil.rmtree(config.folder)
    make = editor_maker(chosen, config.size)
    if not variant.prior:
        make = editor_maker(chosen, config.size, pair_share=0.0, copy_share=0.0)
    stream = data.Stream(chosen, make, config.seed)
    joined: dict[str, Any] = dict.fromkeys(JOIN, NEVER)
    marks = [0.0, *JOIN.values(), 1.0]
    run = EditorRun(replace(config, **joined), held, variant.make)
    run.resume()
    if done:
        return run
    for part, name in enumerate((None, *JOIN)):
        if name is not None and name not in variant.without:
            joined[name] = run.progress.step
        share = (marks[part + 1] - marks[part]) * minutes
        now = replace(config, max_minutes=share, **joined)
        run = EditorRun(now, held, variant.make)
        run.resume()
        run.go(data.batches(stream, now, run.progress.step))
    mark.write_text(kind)
    return run


@torch.no_grad()
def _judged(run: EditorRun, judge: FaceNet, count: int) -> list[float]:
    """Hole-only PSNR, the judge's two distances and identity cosine over val faces, no prior."""
    size = run.config.size
    stream = data.Stream(run.held, editor_maker(run.held, size, 0.0, 0.0), seed=78)
    rows = []
    for number in range(count):
        batch = {k: v[None].to(run.device) for k, v in stream[number].items()}
        rgb, _ = run.paint(run.average, batch)
        inside = batch["map"] * batch["valid"]
        fake = torch.lerp(batch["target"], rgb, inside)
        error = weighted_mean(((rgb - batch["target"]) / 2) ** 2, inside).clamp(min=1e-6)
        apart, texture = distances(judge, fake, batch["target"], inside)
        _, ours = judge(fake)
        _, true = judge(batch["target"])
        psnr = -10 * torch.log10(error)
        rows.append(torch.stack([psnr, apart[0], texture[0], (ours * true).sum()]))
    means: list[float] = torch.stack(rows).mean(0).tolist()
    return means
