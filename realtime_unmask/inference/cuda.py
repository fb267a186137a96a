"""Is there an NVIDIA card, and which? Asked of the driver itself.

That costs microseconds where there is none; torch would take a second of imports to say the same.
"""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from realtime_unmask.errors import EngineUnavailable

_LIBRARIES = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
# One of these is there wherever a driver is at work: Linux, containers, WSL.
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE, cuInit's word for cards that are all hidden
_HIDDEN = "The NVIDIA driver finds no card. Is it hidden by CUDA_VISIBLE_DEVICES?"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...


@dataclass(frozen=True, slots=True)
class Card:
    """An NVIDIA card and the driver that runs it.

    Attributes:
        name: as the driver gives it.
        capability: compute capability, (8, 6) for instance.
        memory: bytes.
        driver: version of the driver, and the CUDA version that it serves.
    """

    name: str
    capability: tuple[int, int]
    memory: int
    driver: str

    @property
    def sm(self) -> str:
        """The compute capability as it is written on the command line: "sm_86"."""
        return "sm_{}{}".format(*self.capability)


@cache
def card() -> Card:
    """The first card. The answer is remembered: cards do not come while the program runs.

    Raises:
        EngineUnavailable: there is no driver or no card, in words.
    """
    library = _library()
    _ask(library, "cuInit", 0)
    number = ctypes.c_int()
    _ask(library, "cuDeviceGetCount", ctypes.byref(number))
    if number.value == 0:
        raise EngineUnavailable(_HIDDEN)
    device, major, minor, version = (ctypes.c_int() for _ in range(4))
    _ask(library, "cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(256)
    _ask(library, "cuDeviceGetName", name, len(name), device)
    for value, attribute in ((major, _MAJOR), (minor, _MINOR)):
        _ask(library, "cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
    memory = ctypes.c_size_t()
    _ask(library, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    _ask(library, "cuDriverGetVersion", ctypes.byref(version))
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    return Card(
        name.value.decode(errors="replace"),
        (major.value, minor.value),
        memory.value,
        f"{_driver_version()} {cuda}".strip(),
    )


def card_or_none() -> Card | None:
    """The first card, None where `card` would raise."""
    try:
        return card()
    except EngineUnavailable:
        return None


def _library() -> Any:
    """The driver's library. Raises EngineUnavailable."""
    file = _LIBRARIES.get(sys.platform)
    if file is None:
        raise EngineUnavailable("There is no NVIDIA driver for this system.")
    if sys.platform == "linux" and not any(Path(path).exists() for path in _DEVICE_FILES):
        raise EngineUnavailable("There is no NVIDIA card here, or its driver is not loaded.")
    try:
        return ctypes.CDLL(file)
    except OSError as error:
        raise EngineUnavailable(
            f"There is an NVIDIA card, but its driver's library {file} cannot be loaded "
            f"({error}). Install the NVIDIA driver, in a container with the NVIDIA toolkit."
        ) from error


def _ask(library: Any, function: str, *arguments: object) -> None:
    status = getattr(library, function)(*arguments)
    if status == _NO_DEVICE:
        raise EngineUnavailable(_HIDDEN)
    if status != 0:
        raise EngineUnavailable(
            f"The NVIDIA driver does not answer ({function} gives error {status}). Start the "
            "machine again, or install the driver again."
        )


def _driver_version() -> str:
    """The driver's own version where the system tells it, else empty."""
    try:
        found = re.search(r"\s(\d+\.\d+(\.\d+)?)\s", _DRIVER_FILE.read_text(errors="replace"))
    except OSError:
        return ""
    return found.group(1) if found else ""
