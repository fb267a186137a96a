"""plots: the curves of a run, from its log.csv (step, seconds, and a column for each measure)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import files

LOG = "log.csv"
# What says nothing as a curve: the abscissa, and the time since the row before.
HIDDEN = ("step", "seconds")
# Points of the running mean that is drawn over the single values.
SMOOTH = 15


def read(path: Path) -> dict[str, NDArray[np.float64]]:
    """The log's columns; NaN where a row says nothing.

    Raises:
        FileNotFoundError: there is no log.
        ValueError: it is not a log, or holds no row yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}. Training writes it as it goes on.")
    rows = files.rows(path, "step")
    if not rows:
        raise ValueError(f"{path} holds no steps.")
    with files.reading(path, "a log of numbers"):
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def plot(run: Path, out: Path) -> Path:
    """Draw every measure of a run over its steps into a PNG.

    Raises:
        FileNotFoundError, ValueError: the log cannot be used.
        OSError: `out` cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = read(run / LOG)
    steps = columns["step"]
    panels = {
        name: values for name, values in columns.items()
        if name not in HIDDEN and np.isfinite(values).any()
    }  # fmt: skip
    across = min(3, max(1, len(panels)))
    down = max(1, math.ceil(len(panels) / across))
    figure, axes = pyplot.subplots(
        down, across, figsize=(4.2 * across, 2.8 * down), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (name, values) in zip(axes.flat, panels.items(), strict=False):
        known = np.isfinite(values)
        axis.plot(steps[known], values[known], color="0.75", linewidth=0.8)
        axis.plot(steps[known], _running_mean(values[known]), color="C0", linewidth=1.5)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    figure.suptitle(run.name)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    pyplot.close(figure)
    return out


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the points around each; fewer at the ends."""
    width = min(SMOOTH, max(1, len(values) // 3))
    total = np.convolve(values, np.ones(width), "same")
    return np.asarray(total / np.convolve(np.ones(len(values)), np.ones(width), "same"))
