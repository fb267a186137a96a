"""Percentiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds: the middle, and what one in twenty and one in a hundred exceed."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Spread:
        """Of at least one value."""
        p50, p95, p99 = np.percentile(np.asarray(values_ms, np.float64), (50, 95, 99))
        return cls(round(float(p50), 3), round(float(p95), 3), round(float(p99), 3))
