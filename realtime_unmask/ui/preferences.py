"""What the window remembers from one time to the next: one small JSON file."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from realtime_unmask.errors import UnmaskError
from realtime_unmask.pipeline.live_values import LOST, ROTATIONS
from realtime_unmask.settings import BACKENDS, FACES

LANGUAGES = ("system", "en", "de")
VIEWS = ("result", "wipe", "map", "side_by_side")

_ONE_OF: dict[str, tuple[Any, ...]] = {
    "language": LANGUAGES,
    "view": VIEWS,
    "faces": FACES,
    "lost": LOST,
    "rotate": ROTATIONS,
    "backend": BACKENDS,
}
_RESOLUTION = re.compile(r"|[1-9]\d{1,4}x[1-9]\d{1,4}@\d{1,3}(\.\d{1,3})?")
_RANGES = {"strength": (0.0, 1.0), "feather_px": (0.0, 3.0), "audio_offset_ms": (-1000, 1000)}


@dataclass(frozen=True, slots=True)
class Preferences:
    """All that is remembered; values out of range become the default when they are read.

    Attributes:
        camera: the identity of the camera that was used last; "" before the first time.
        resolution: "1280x720@30", or "" to leave it to the program.
        mirror, rotate: how the camera's picture is turned; degrees clockwise.
        view: one of VIEWS.
        faces: one of FACES: whose masks are painted over.
        lost: one of LOST: what is shown when a face is lost.
        strength: opacity of the paint, 0..1.
        feather_px: width of the blend, crop px, 0..3.
        colour_match: fit the paint's colour to its surroundings.
        backend: one of BACKENDS.
        badge: say "AI-reconstructed" in what leaves the program.
        microphone: record sound; microphone_device: from where, "" = the system's choice.
        audio_offset_ms: by how much recorded sound is shifted later.
        virtual_camera: the device that was used last; "" = the first free one.
        folder: where snapshots and recordings go; "" = the system's folders.
        language: one of LANGUAGES.
        panel, details: whether these are open.
        window: Qt's geometry of the window, base64.
    """

    camera: str = ""
    resolution: str = ""
    mirror: bool = False
    rotate: int = 0
    view: str = "result"
    faces: str = "all"
    lost: str = "masked"
    strength: float = 1.0
    feather_px: float = 2.0
    colour_match: bool = True
    backend: str = "auto"
    badge: bool = True
    microphone: bool = True
    microphone_device: str = ""
    audio_offset_ms: int = 0
    virtual_camera: str = ""
    folder: str = ""
    language: str = "system"
    panel: bool = True
    details: bool = False
    window: str = ""


def read(path: Path | None) -> Preferences:
    """What `path` remembers; the defaults for all that is missing or makes no sense."""
    if path is None:
        return Preferences()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    known: dict[str, Any] = {}
    for field in fields(Preferences):
        if isinstance(stored, dict) and field.name in stored:
            value = _sensible(field.name, stored[field.name], field.default)
            if value is not None:
                known[field.name] = value
    return replace(Preferences(), **known)


def _sensible(name: str, value: Any, default: Any) -> Any:
    """`value` if it can be that of the preference `name`, else None."""
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        return None
    if name in _ONE_OF and value not in _ONE_OF[name]:
        return None
    if name == "window" and not _is_base64(value):
        return None
    if name == "resolution" and not _RESOLUTION.fullmatch(value):
        return None
    low, high = _RANGES.get(name, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        return None
    return value


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def write(path: Path | None, preferences: Preferences) -> bool:
    """Remember; False where that cannot be written, which must not stop anybody."""
    from realtime_unmask.sinks.images import write_whole

    if path is None:
        return False
    text = json.dumps(asdict(preferences), indent=2) + "\n"

    def put(file: BinaryIO) -> None:
        file.write(text.encode())

    try:
        write_whole(path, put)
    except UnmaskError:
        return False
    return True


def default_path() -> Path | None:
    """Where it is kept: the system's folder for settings of a user; None for one without a home."""
    from platformdirs import user_config_path

    try:
        folder = user_config_path("realtime-unmask", appauthor=False)
    except RuntimeError:
        return None
    # Older versions of platformdirs leave a literal ~, which would be in the current folder.
    return folder / "window.json" if folder.is_absolute() else None
