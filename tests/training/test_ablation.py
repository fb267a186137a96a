"""Every variant is trained for its time, and all stand in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import ablation, checkpoint, train_editor
from training.face_networks import DESIGNS, architecture
from training.shards import Faces


def test_every_variant_is_a_row(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {}
    for design, kind in DESIGNS.items():
        paths[design] = tmp_path / f"{design}.safetensors"
        network = kind()  # type: ignore[call-arg]
        checkpoint.save(
            paths[design], architecture(design), checkpoint.Progress(),
            {"network": network, "average": network}, {},
        )  # fmt: skip
    chosen = ("everything", "no discriminator", "no squeeze-and-excitation")
    monkeypatch.setattr(
        ablation, "VARIANTS", {name: ablation.VARIANTS[name] for name in chosen}
    )
    monkeypatch.setattr(train_editor, "validate", lambda run, held: {})
    faces.split[:3] = "val"
    table = ablation.ablate(
        faces, tmp_path / "runs", paths["perceptual"], paths["judge"], minutes=0.005,
        size=64, count=3,
    )
    faces.split[:] = "train"
    rows = table.splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(chosen)
    assert all(int(row.split(" | ")[1]) >= 1 for row in rows)
