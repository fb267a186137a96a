"""Several processes train one network together, as torchrun starts them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.loop import numbers
from training.shards import Faces, save_shard


def test_each_process_takes_its_own_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for rank in range(2):
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", str(rank))
        stream = numbers(start=3, batch=2)
        taken += [next(stream) for _ in range(4)]
    assert sorted(taken) == list(range(12, 20))


def test_two_processes_train_one_network(faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "prepared").mkdir()
    save_shard(tmp_path / "prepared" / "faces-000.npz", faces)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "training", "train", "map", "--data", str(tmp_path / "prepared"), "--folder",
        str(tmp_path / "run"), "--steps", "2", "--batch", "2", "--threads", "1",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300,
        cwd=Path(__file__).resolve().parents[2], env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with (tmp_path / "run" / "log.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == ["2"]
    assert torch.isfinite(torch.tensor(float(rows[0]["loss_map"])))
