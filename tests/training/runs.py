"""Small runs, and networks as they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from training import checkpoint
from training.face_networks import DESIGNS, Design, architecture
from training.train_editor import EditorConfig


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The last checkpoint of a run."""
    return load_file(run / "last.safetensors")


def editor_config(run: Path, **changes: Any) -> EditorConfig:
    """Tiny steps in which both discriminators join."""
    return EditorConfig(
        folder=run, batch=2, size=64, whole_from=1, region_from=2, moved=0.3, device="cpu",
        **changes,
    )  # fmt: skip


def beginning(design: Design, path: Path) -> Path:
    """The checkpoint of a face network that has learnt nothing yet."""
    network = DESIGNS[design]()  # type: ignore[call-arg]
    checkpoint.save(
        path, architecture(design), checkpoint.Progress(),
        {"network": network, "average": network}, {},
    )  # fmt: skip
    return path
