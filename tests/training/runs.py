"""Small runs of the editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

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
