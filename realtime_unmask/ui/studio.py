"""What the window needs from below: sources, devices, and a source that runs. No Qt.

`LiveStudio` in live_studio.py is the real one; the tests have another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from realtime_unmask.settings import Settings
from realtime_unmask.types import Face, Likeness, UInt8
from realtime_unmask.ui.preferences import Preferences

DEMO = "demo"  # the key of the clip that ships with the program
Options = tuple[tuple[str, str], ...]  # (text, value)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is connected.

    Attributes:
        key: its identity, the same each time it is connected.
        text: its name for people.
        formats: (text, value) of what it offers, best first.
    """

    key: str
    text: str
    formats: Options = ()


@dataclass(frozen=True, slots=True)
class Devices:
    """What else there is: (text, value) each, and the names of the backends."""

    microphones: Options = ()
    virtual_cameras: Options = ()
    backends: tuple[str, ...] = ("auto",)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What the viewport shows of one instant; see Viewport.show_pair."""

    before: UInt8
    after: UInt8
    painted: UInt8 | None = None
    faces: tuple[Face, ...] = ()
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of now.

    Attributes:
        fps: frames a second that came in, and that were shown.
        age_ms: from the camera to the slot of the window, median and 95th percentile.
        drops: dropped frames by cause.
        backend: what runs the networks, "" while none does.
        reason: why that.
        stages_ms: milliseconds by stage, in order.
    """

    fps: tuple[float, float] = (0.0, 0.0)
    age_ms: tuple[float, float] = (0.0, 0.0)
    drops: Mapping[str, int] = field(default_factory=dict)
    backend: str = ""
    reason: str = ""
    stages_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is the matter just now.

    Attributes:
        kind: one of those that `problems.advice` knows, or any other.
        text: a sentence.
        grave: something does not work.
        output: the output that ended because of it ("record", "virtual_camera", "page"), or "".
    """

    kind: str
    text: str
    grave: bool = False
    output: str = ""


class Running(Protocol):
    """A source that runs. All methods can be called from any thread; those of the first group
    return at once, the others may take a while and raise an UnmaskError.
    """

    key: str

    def picture(self) -> Picture | None:
        """The newest picture; None if there is none since the last call."""
        ...

    def tell(self, call: Callable[[], None]) -> None:
        """From now on call that when there is another picture; from any thread, until close()."""
        ...

    def figures(self) -> Figures:
        """The figures of now."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """What is the matter now."""
        ...

    def recorded_s(self) -> float:
        """Seconds of the recording under way."""
        ...

    def update(self, preferences: Preferences) -> None:
        """Work by these from the next frame on."""
        ...

    def choose(self, key: str, preferences: Preferences) -> None:
        """Show another source, or the same one in another resolution; what is on stays on."""
        ...

    def pick(self, x: float, y: float) -> None:
        """Paint the face at this point of the picture, px."""
        ...

    def follow(self, likeness: Likeness | None) -> None:
        """Let the paint follow this bare face from the next frame on; None: nobody's."""
        ...

    def set_visible(self, visible: bool) -> None:
        """Whether anybody looks at the window."""
        ...

    def frame(self) -> UInt8:
        """The newest frame, (H, W, 3) RGB, before anything was painted and not mirrored."""
        ...

    def snapshot(self, folder: Path) -> Path:
        """Write the newest picture; where it is."""
        ...

    def record(self, folder: Path, preferences: Preferences) -> None:
        """Begin a recording."""
        ...

    def stop_recording(self) -> Path | None:
        """End the recording; where it is, None if there is none."""
        ...

    def virtual_camera(self, preferences: Preferences | None) -> str:
        """On, by these preferences, or off (None); the name that other programs show."""
        ...

    def page(self, on: bool) -> str:
        """The web page on or off; its address, "" for off."""
        ...

    def close(self) -> tuple[Problem, ...]:
        """Stop everything; what could not be ended well."""
        ...


class Studio(Protocol):
    """Lists what there is, and starts it. May take a while: not to be called in the window."""

    def cameras(self) -> tuple[Camera, ...]:
        """Those that are connected."""
        ...

    def devices(self) -> Devices:
        """Microphones, virtual cameras, backends."""
        ...

    def text(self, key: str) -> str:
        """The name of a source for people; returns at once."""
        ...

    def settings(self, preferences: Preferences) -> Settings:
        """How the unmasker is to work; returns at once."""
        ...

    def enrol(self, picture: Path | UInt8) -> Likeness:
        """The bare face in a photo, or in an (H, W, 3) RGB frame.

        Raises:
            UnmaskError: it cannot be read, or shows no such face.
        """
        ...

    def start(self, key: str, preferences: Preferences) -> Running:
        """Start the source `key`.

        Raises:
            UnmaskError: it cannot be started.
        """
        ...
