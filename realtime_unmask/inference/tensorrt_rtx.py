"""TensorRT-RTX: TensorRT's interface, installable from PyPI, for GeForce and RTX cards."""

from __future__ import annotations

from realtime_unmask.inference.engine import NetworkFiles
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.tensorrt import TensorRtEngine, load_flavour, probe_flavour
from realtime_unmask.inference.tensorrt_build import RTX
from realtime_unmask.settings import Settings


def probe() -> str:
    """See tensorrt.probe_flavour."""
    return probe_flavour(RTX)


def load(spec: EngineSpec, files: NetworkFiles, settings: Settings) -> TensorRtEngine:
    """See tensorrt.load_flavour."""
    return load_flavour(RTX, spec, files, settings)
