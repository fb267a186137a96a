"""Realtime Unmask: shows the person before the camera without the face mask.

    from realtime_unmask import Frame, State, Unmasker

    with Unmasker.default() as unmasker:
        unmasker.likeness = unmasker.enrol(photo)    # of the bare face, to be followed; optional
        result = unmasker.process(Frame(image))      # (H, W, 3) uint8 RGB
    result.output.image                              # the same picture, masks painted over
    result.map                                       # (H, W) uint8, 0 where nothing changed

For a video, hand the same `State()` to every `process` call of the sequence. The face under the
mask is a plausible guess, not the person; not for identification.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime_unmask.errors import UnmaskError
    from realtime_unmask.settings import Settings
    from realtime_unmask.types import Face, Frame, FrameResult, Likeness
    from realtime_unmask.unmask.unmasker import State, Unmasker

__version__ = "0.1.0"

__all__ = [
    "Face",
    "Frame",
    "FrameResult",
    "Likeness",
    "Settings",
    "State",
    "UnmaskError",
    "Unmasker",
    "__version__",
]

# Imported on first use: numpy, OpenCV, mediapipe and OpenVINO take seconds to load.
_HOMES = {
    "Face": "realtime_unmask.types",
    "Frame": "realtime_unmask.types",
    "FrameResult": "realtime_unmask.types",
    "Likeness": "realtime_unmask.types",
    "Settings": "realtime_unmask.settings",
    "State": "realtime_unmask.unmask.unmasker",
    "UnmaskError": "realtime_unmask.errors",
    "Unmasker": "realtime_unmask.unmask.unmasker",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
