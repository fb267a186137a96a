"""train faces: networks that know faces, from file-name labels and pairs of pictures.

Two pictures of a batch belong together if they show the same person (omi_variants, clips) or are
two views of one picture; supervised contrastive loss (Khosla et al. 2020), with age, gender and
group where the file names tell them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from training import checkpoint, data
from training.evaluation.scores import auc
from training.face_networks import DESIGNS, SIZE, Design, FaceNet, architecture
from training.loop import Batch, Run, RunConfig, cosine
from training.masks.camera import degrade, grade
from training.shards import Faces

TEMPERATURE = 0.1
UNKNOWN = -1.0
# How often a person of the sets with several pictures is drawn, whatever the sets' sizes.
PAIR_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesConfig(RunConfig):
    """How a face network is trained.

    Attributes:
        design: "perceptual" (for the editor's loss) or "judge" (for evaluation only).
        batch: pairs a step.
        rate: AdamW's learning rate, falling to a twentieth along a cosine over `steps`.
        average: decay of the averaged weights, which are the ones in use.
    """

    design: Design = "perceptual"
    steps: int = 2_500
    batch: int = 48
    rate: float = 2e-3
    average: float = 0.995


def labels(group: str, origin: str) -> tuple[float, float, float]:
    """Age in years, gender and group by a file's name; UNKNOWN where it does not say."""
    if group == "aaf" and "A" in origin:
        return float(origin.split("A")[1].split(".")[0]), UNKNOWN, UNKNOWN
    parts = origin.split("_")
    if group == "utk" and len(parts) >= 4 and all(p.isdigit() for p in parts[:3]):
        return float(parts[0]), float(parts[1]), float(parts[2])
    return UNKNOWN, UNKNOWN, UNKNOWN


def pair_maker(faces: Faces) -> Callable[[Faces, int, np.random.Generator], data.Sample]:
    """The function that makes sample after sample of `faces`.

    Its samples: first and second (3, 128, 128) in [-1, 1]; person, age, gender, group ().
    """
    names, who = np.unique(data.person(faces), return_inverse=True)
    counts = np.bincount(who)
    several = np.flatnonzero(counts[who] > 1)
    by_person = {p: np.flatnonzero(who == p) for p in np.unique(who[several])}

    def make(faces: Faces, index: int, rng: np.random.Generator) -> data.Sample:
        if several.size and rng.random() < PAIR_SHARE:
            index = int(rng.choice(several))
        mine = by_person.get(who[index], np.array([index]))
        other = int(rng.choice(mine[mine != index])) if len(mine) > 1 else index
        age, gender, group = labels(str(faces.set[index]), str(faces.origin[index]))
        return {
            "first": _seen(faces, index, rng), "second": _seen(faces, other, rng),
            **{k: np.array(v, np.float32) for k, v in
               {"person": who[index], "age": age, "gender": gender, "group": group}.items()},
        }  # fmt: skip

    return cast(Callable[[Faces, int, np.random.Generator], data.Sample], make)


def _seen(faces: Faces, index: int, rng: np.random.Generator | None) -> NDArray[np.float32]:
    image = data.view(faces, index, rng, SIZE).image
    if rng is not None:
        image = degrade(grade(image, rng), rng)
        image = image[:, ::-1] if rng.random() < 0.5 else image
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) * 2 - 1


def contrastive(embeddings: Tensor, person: Tensor) -> Tensor:
    """Supervised contrastive loss of (2N, E) unit vectors, two for each of `person` (N,)."""
    who = torch.cat((person, person))
    likeness = embeddings @ embeddings.T / TEMPERATURE
    itself = torch.eye(len(who), dtype=torch.bool, device=who.device)
    chance = F.log_softmax(likeness.masked_fill(itself, -1e9), 1)
    same = (who[:, None] == who[None]) & ~itself
    return -((chance * same).sum(1) / same.sum(1)).mean()


def attribute_loss(told: Tensor, batch: Batch) -> Tensor:
    """Errors of (N, 8) told attributes where the labels are known."""
    age, gender, group = batch["age"], batch["gender"], batch["group"]
    years = (F.smooth_l1_loss(told[:, 0], age / 50, reduction="none") * (age >= 0)).mean()
    # cross_entropy leaves out the class that is named ignored.
    sexes = F.cross_entropy(told[:, 1:3], gender.long(), ignore_index=-1, reduction="sum")
    groups = F.cross_entropy(told[:, 3:], group.long().clamp(max=4), ignore_index=-1,
                             reduction="sum")  # fmt: skip
    return years + (sexes + groups) / len(told)


@torch.no_grad()
def same_person_auc(network: FaceNet, faces: Faces, where: torch.device) -> float:
    """Same against different person on the people held out; impostors from the same set."""
    held = faces.where(data.held_out(faces))
    vectors = embeddings(network, held, where)
    alike = (vectors @ vectors.T).astype(float)
    same, different = pairs(held)
    return auc(alike[same], alike[different])


def pairs(faces: Faces) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n, n) true for two pictures of one person, and for two of two people of the same set."""
    who = data.person(faces)
    upper = np.triu(np.ones((len(faces), len(faces)), bool), 1)
    alike = (faces.set[:, None] == faces.set[None]) & upper
    same = who[:, None] == who[None]
    return alike & same, alike & ~same


@torch.no_grad()
def embeddings(network: FaceNet, faces: Faces, where: torch.device) -> NDArray[np.float32]:
    """(n, E) float32 embeddings, as the faces are stored."""
    parts = []
    for start in range(0, len(faces), 64):
        some = range(start, min(start + 64, len(faces)))
        batch = np.stack([_seen(faces, index, None) for index in some])
        parts.append(network(torch.from_numpy(batch).to(where))[1].float().cpu().numpy())
    return np.concatenate(parts)


class FacesRun(Run[FaceNet]):
    """One run of a face network."""

    def __init__(self, config: FacesConfig, faces: Faces) -> None:
        if config.design not in DESIGNS:
            raise ValueError(f"--design is one of {', '.join(DESIGNS)}, not '{config.design}'.")
        design: Design = config.design
        torch.manual_seed(config.seed + list(DESIGNS).index(design))
        network: FaceNet = DESIGNS[design]()  # type: ignore[call-arg]
        super().__init__(config, network, copy.deepcopy(network))
        self.architecture = architecture(design)
        self.config, self.faces = config, faces
        self.optimiser = torch.optim.AdamW(self.network.parameters(), config.rate,
                                           weight_decay=0.02)  # fmt: skip
        self.optimisers["optimiser"] = self.optimiser

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step; see `pair_maker` for what a batch holds."""
        share = self.progress.step / self.config.steps
        rate = self.config.rate * cosine(share)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.progress.step + 1) / 100)
        with self.autocast():
            _, vector = self.network.trunk(torch.cat((batch["first"], batch["second"])))
        vector = vector.float()
        alike = contrastive(F.normalize(self.network.embed(vector), dim=1), batch["person"])
        told = attribute_loss(self.network.attributes(vector[: len(batch["first"])]), batch)
        self.descend(alike + told, self.network, self.optimiser)
        checkpoint.average(self.average, self.network, self.config.average, self.progress)
        return {"contrastive": alike.detach(), "attributes": told.detach()}

    def validate(self) -> dict[str, float]:
        """AUC of same against different person, on people held out."""
        area = same_person_auc(self.average, self.faces, self.device)
        return {"score": area, "auc": area}


def train(config: FacesConfig, faces: Faces) -> None:
    """Train until the time or the steps are over.

    Raises:
        StoppedByNan: the loss is no longer a number; the last good checkpoint stays.
        checkpoint.CheckpointError: the run folder holds something else.
        ValueError: there is no such design, too few are held out to be scored, or no face may be
            trained on.
    """
    faces = data.photographs(faces)
    chosen = data.training_faces(faces)
    if not all(kind.any() for kind in pairs(faces.where(data.held_out(faces)))):
        raise ValueError(
            "Too few are held out: the face networks need a set with several pictures of each "
            f"person, one of {', '.join(data.PEOPLE_HELD_OUT)} (two videos or more make 'clips')."
        )
    run = FacesRun(config, faces)
    run.resume()
    stream = data.Stream(chosen, pair_maker(chosen), config.seed)
    run.go(data.batches(stream, config, run.progress.step))
