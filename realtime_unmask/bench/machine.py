"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from realtime_unmask import __version__

# Of a processor's flags, those that decide how fast networks run.
_FLAGS = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd",
)  # fmt: skip
_PACKAGES = ("numpy", "opencv-python", "mediapipe", "av", "openvino", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Machine:
    """Attributes:
    cpu: its name.
    flags: the extensions for networks that it has.
    cores: processors that this process may use.
    versions: of this program, Python and the packages that do the work.
    """

    cpu: str
    flags: tuple[str, ...]
    cores: int
    versions: dict[str, str]

    def line(self) -> str:
        """All of it in one line."""
        flags = f" ({' '.join(self.flags)})" if self.flags else ""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{self.cpu}{flags}, {self.cores} cores; {versions}"


def this_machine() -> Machine:
    """The one we run on."""
    facts = _cpuinfo()
    flags = facts.get("flags", facts.get("Features", "")).split()
    versions = {"realtime-unmask": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return Machine(
        facts.get("model name", platform.processor() or platform.machine()),
        tuple(flag for flag in _FLAGS if flag in flags),
        cores(),
        versions,
    )


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in rows}
