"""Checkpoints: one safetensors file with everything that a run needs to go on.

Keys are "<part>/<name>": networks and their averages by state_dict name, optimisers as
"<part>/<parameter number>/<moment>". The header holds progress, the architecture and a SHA-256 of
the tensors, since a flipped bit in a weight would still be a number. No pickle, so a foreign
checkpoint can do no harm.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from realtime_unmask.sinks.partial import sync_folder

# Networks that every checkpoint holds.
REQUIRED = ("network", "average")


class CheckpointError(ValueError):
    """The checkpoint is damaged or belongs to something else; the message says which."""


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: optimiser steps done.
        best: the highest validation score so far.
        warm: the run began with trained weights, which its average need not forget.
        seed, batch: with which the run was begun, `batch` of all processes together; None where
            that was not noted.
    """

    step: int = 0
    best: float = -math.inf
    warm: bool = False
    seed: int | None = None
    batch: int | None = None


def save(
    path: Path,
    architecture: str,
    progress: Progress,
    networks: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer],
) -> None:
    """Write a checkpoint; the file appears under its name only when it is whole."""
    tensors: dict[str, Tensor] = {}
    for part, network in networks.items():
        for name, value in network.state_dict().items():
            tensors[f"{part}/{name}"] = value.detach().contiguous().clone()
    for part, optimiser in optimisers.items():
        for number, moments in optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"{part}/{number}/{name}"] = torch.as_tensor(value).contiguous().clone()
    header = {"architecture": architecture, **dataclasses.asdict(progress)}
    _write(path, header, tensors)


def load(
    path: Path,
    architecture: str,
    networks: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer],
) -> Progress:
    """Fill networks and optimisers from a checkpoint.

    A discriminator or optimiser that the checkpoint lacks keeps its fresh state, so that it can
    join a run that began without one.

    Raises:
        CheckpointError: damaged, or made for another architecture.
    """
    header, tensors = _read(path, architecture)
    for part, network in networks.items():
        own = _under(tensors, part)
        if own:
            _fill(network, own, path, part)
        elif part in REQUIRED:
            raise CheckpointError(f"{path} is not a readable checkpoint (no '{part}' in it).")
    for part, optimiser in optimisers.items():
        own = _under(tensors, part)
        if own:
            _load_optimiser(optimiser, own)
    return _progress(header)


def load_parts(path: Path, architecture: str, networks: dict[str, nn.Module]) -> None:
    """Fill some networks from a checkpoint that holds them all.

    Raises:
        CheckpointError: damaged, made for another architecture, or without one of them.
    """
    _, tensors = _read(path, architecture)
    _check_there(path, tensors, networks)
    for part, network in networks.items():
        _fill(network, _under(tensors, part), path, part)


def excerpt(source: Path, target: Path, architecture: str, parts: Sequence[str]) -> None:
    """Write some networks of a checkpoint, in fp16, as another one.

    Raises:
        CheckpointError: damaged, made for another architecture, or without one of the parts.
    """
    header, tensors = _read(source, architecture)
    _check_there(source, tensors, parts)
    chosen = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items() if name.split("/")[0] in parts
    }  # fmt: skip
    _write(target, header, chosen)


def load_weights(path: Path, architecture: str, network: nn.Module) -> Progress:
    """Fill one network: from the averaged weights of a checkpoint, or from plain weights.

    Args:
        path: a checkpoint, or a file of engines/ (fp16, state_dict names).

    Returns:
        How far the run was; step 0 for plain weights.

    Raises:
        CheckpointError: damaged, or made for another architecture.
    """
    header, tensors = _read(path, architecture)
    own = _under(tensors, "average") or tensors
    # Counters of batch norm are no weights; engines/ leaves them out.
    counters = {n: v for n, v in network.state_dict().items() if not v.is_floating_point()}
    try:
        network.load_state_dict({**counters, **{n: v.float() for n, v in own.items()}})
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit {architecture} ({error}).") from error
    return _progress(header)


def _progress(header: dict[str, Any]) -> Progress:
    """Older checkpoints, and plain weights, do not tell everything."""
    best, warm = float(header.get("best", -math.inf)), bool(header.get("warm", False))
    seed, batch = header.get("seed"), header.get("batch")
    return Progress(int(header["step"]), best, warm, seed, batch)


def _check_there(path: Path, tensors: dict[str, Tensor], parts: Iterable[str]) -> None:
    lacking = [part for part in parts if not _under(tensors, part)]
    if lacking:
        raise CheckpointError(f"{path} holds no {' and no '.join(lacking)}.")


def _write(path: Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    header = header | {"sha256": _digest(tensors)}
    write_tensors(path, tensors, {"training": json.dumps(header)})


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    """Write a safetensors file; it has its name only when it is whole and on the disk.

    Raises:
        OSError: it cannot be written; a file of that name stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(tensors, partial, about)
    except SafetensorError as error:
        partial.unlink(missing_ok=True)
        raise OSError(
            f"{path} cannot be written ({error}). Make room and go on: what was there stays."
        ) from error
    partial.chmod(0o644)  # safetensors lets nobody else read it
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def _digest(tensors: dict[str, Tensor]) -> str:
    """Of names, forms and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, architecture: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint file {path}.")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            header = (
                json.loads(about["training"]) if "training" in about
                else {"architecture": about["architecture"], "step": 0}
            )  # fmt: skip
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            made_for, _ = header["architecture"], int(header["step"])
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint ({error}).") from error
    # Files of before the digest, and those of engines/, whose digest is in the manifest, have none.
    if header.get("sha256", digest := _digest(tensors)) != digest:
        raise CheckpointError(
            f"{path} is damaged: its SHA-256 is another than when it was written. Take an earlier "
            "one, or begin anew in another --folder."
        )
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise CheckpointError(
            f"{path} holds weights that are no numbers: it is spoiled. Take an earlier one."
        )
    if made_for != architecture:
        raise CheckpointError(
            f"{path} was made for {made_for}, not for {architecture}. "
            "Choose another file or --folder."
        )
    return header, tensors


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path, part: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"The '{part}' network in {path} has another form ({error}). Go on with the options "
            "that it was begun with (a discriminator's is --judge-width), or choose another "
            "--folder."
        ) from error


def _under(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {n[len(part) + 1 :]: v for n, v in tensors.items() if n.startswith(part + "/")}


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, moment = name.split("/")
        state.setdefault(int(number), {})[moment] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def is_finite(network: nn.Module) -> bool:
    """Whether all weights and statistics are numbers."""
    return all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def average(into: nn.Module, network: nn.Module, decay: float, progress: Progress) -> None:
    """Exponential moving average of weights; faster at first, so that it forgets a random start.

    The statistics of batch norm are averaged alike: those of the newest weights would not fit.
    """
    if not progress.warm:
        decay = min(decay, (1 + progress.step) / (10 + progress.step))
    kept, new = list(into.state_dict().values()), list(network.state_dict().values())
    moving = [i for i, value in enumerate(kept) if value.is_floating_point()]
    with torch.no_grad():
        get_ema_multi_avg_fn(decay)([kept[i] for i in moving], [new[i] for i in moving], None)
        for old, value in zip(kept, new, strict=True):
            if not old.is_floating_point():
                old.copy_(value)
