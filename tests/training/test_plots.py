"""Curves of a run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from training import plots
from training.__main__ import main


def test_a_log_becomes_a_picture(tmp_path: Path) -> None:
    rows = ["step,seconds,loss_l1,iou"] + [
        f"{k * 50},12.5,{1 / (k + 1):.4f},{'' if k % 2 else 0.8}" for k in range(30)
    ]
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n")
    assert main(["plots", str(tmp_path)]) == 0
    shown = cv2.imread(str(tmp_path / "curves.png"))
    assert shown is not None and shown.std() > 5
    columns = plots.read(tmp_path / "log.csv")
    assert np.isnan(columns["iou"]).sum() == 15


def test_no_log_an_empty_one_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Training writes it"):
        plots.plot(tmp_path, tmp_path / "x.png")
    log = tmp_path / "log.csv"
    log.write_text("step,seconds\n")
    with pytest.raises(ValueError, match="holds no steps"):
        plots.plot(tmp_path, tmp_path / "x.png")
    log.write_text("step,loss\n1,abc\n")
    with pytest.raises(ValueError, match="is damaged"):
        plots.plot(tmp_path, tmp_path / "x.png")
