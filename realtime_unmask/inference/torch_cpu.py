"""The networks in torch, fp32, on the CPU: the numerical reference. Only when asked for by name."""

from __future__ import annotations

from realtime_unmask.inference.torch import load_on_cpu, package

load = load_on_cpu


def probe() -> str:
    """What it runs on. Raises EngineUnavailable."""
    package()
    return "CPU, fp32, the reference; never taken by auto"
