"""A studio without cameras or networks: it remembers what was asked for, and fails on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from realtime_unmask.errors import OutputError, UnmaskError
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Face, Frame, FrameResult, Likeness, UInt8
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.studio import Camera, Devices, Figures, Picture, Problem

SIZE = (240, 320)  # rows, columns
RED, GREEN = (200, 30, 30), (30, 180, 60)

CAMERAS = (
    Camera("cam:a", "Front camera", (("1280 × 720", "1280x720@30"), ("640 × 480", "640x480@30"))),
    Camera("cam:b", "Desk camera", (("1920 × 1080", "1920x1080@30"),)),
)


class KindError(UnmaskError):
    """An error that says what kind of problem it is."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def pair() -> Picture:
    """Red before, green after; the lower half is painted, one face in the middle."""
    before = np.full((*SIZE, 3), RED, np.uint8)
    after = np.full((*SIZE, 3), GREEN, np.uint8)
    painted = np.zeros(SIZE, np.uint8)
    painted[SIZE[0] // 2 :] = 255
    face = Face(7, np.array([120, 60, 200, 180], np.float32), np.zeros((478, 3), np.float32))
    return Picture(before, after, painted, (face,))


def likeness() -> Likeness:
    """A bare face, of the form that the window remembers."""
    plane = np.ones((256, 256), np.uint8)
    return Likeness(np.full((256, 256, 3), RED, np.uint8), np.ones((478, 3), np.float32), plane)


@dataclass
class FakeRunning:
    """A source that gives the same picture again and again."""

    key: str
    preferences: Preferences
    shown: Picture = field(default_factory=pair)
    asked: list[str] = field(default_factory=list)
    found: tuple[Problem, ...] = ()
    fails: dict[str, Exception] = field(default_factory=dict)
    visible: bool = False
    closed: bool = False
    began: float = 0.0
    told: Callable[[], None] | None = None
    follows: Likeness | None = None
    stuck: tuple[Problem, ...] = ()

    def picture(self) -> Picture | None:
        return self.shown

    def tell(self, call: Callable[[], None]) -> None:
        self.told = call

    def figures(self) -> Figures:
        return Figures(
            fps=(30.0, 29.0), age_ms=(41.0, 63.0), drops={"slow worker": 3}, backend="openvino",
            reason="the first that works here", stages_ms={"detect": 4.0, "map": 9.0, "edit": 11.5},
        )  # fmt: skip

    def problems(self) -> tuple[Problem, ...]:
        return self.found

    def recorded_s(self) -> float:
        return 61.0

    def update(self, preferences: Preferences) -> None:
        self.preferences = preferences

    def choose(self, key: str, preferences: Preferences) -> None:
        self.key, self.preferences = key, preferences

    def pick(self, x: float, y: float) -> None:
        self.asked.append(f"pick {x:.0f} {y:.0f}")

    def follow(self, likeness: Likeness | None) -> None:
        self.follows = likeness

    def frame(self) -> UInt8:
        self._do("frame")
        return self.shown.before

    def set_visible(self, visible: bool) -> None:
        self.visible = visible

    def snapshot(self, folder: Path) -> Path:
        self._do("snapshot")
        return folder / "snapshot.png"

    def record(self, folder: Path, preferences: Preferences) -> None:
        self._do("record")

    def stop_recording(self) -> Path | None:
        self._do("stop_recording")
        return Path("recording.mp4")

    def virtual_camera(self, preferences: Preferences | None) -> str:
        self._do("virtual_camera" if preferences else "no_virtual_camera")
        return "Loopback"

    def page(self, on: bool) -> str:
        self._do("page" if on else "no_page")
        return "http://127.0.0.1:8765/abc" if on else ""

    def close(self) -> tuple[Problem, ...]:
        self._do("close")
        self.closed = True
        return self.stuck

    def _do(self, name: str) -> None:
        self.asked.append(name)
        if name in self.fails:
            raise self.fails[name]


class FakeStudio:
    """Cameras that can be plugged and unplugged, and starts that can fail or hang."""

    def __init__(self) -> None:
        self.connected: tuple[Camera, ...] = CAMERAS
        self.started: list[FakeRunning] = []
        self.fault: Exception | None = None
        self.found: tuple[Problem, ...] = ()
        self.enrolled: list[Path | UInt8] = []
        self.no_face: Exception | None = None
        self.blurred = False  # the faces that are enrolled
        self.gate = threading.Event()
        self.gate.set()

    @property
    def now(self) -> FakeRunning:
        """The source that was started last."""
        return self.started[-1]

    def cameras(self) -> tuple[Camera, ...]:
        return self.connected

    def devices(self) -> Devices:
        return Devices(
            (("Built-in", "mic1"),),
            (("/dev/video9", "/dev/video9"), ("/dev/video10", "/dev/video10")),
            ("auto", "openvino", "onnxruntime"),
        )

    def text(self, key: str) -> str:
        return f"source {key}"

    def enrol(self, picture: Path | UInt8) -> Likeness:
        self.enrolled.append(picture)
        if self.no_face is not None:
            raise self.no_face
        return replace(likeness(), blurred=self.blurred)

    def settings(self, preferences: Preferences) -> Settings:
        return Settings(backend=preferences.backend)

    def start(self, key: str, preferences: Preferences) -> FakeRunning:
        self.gate.wait(20)
        if self.fault is not None:
            raise self.fault
        self.started.append(FakeRunning(key, preferences))
        return self.now


class FileUnmasker(AtOnce):
    """Paints every frame green; waits a little so that it can be cancelled."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __enter__(self) -> FileUnmasker:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def process(self, frame: Frame, state: object = None) -> FrameResult:
        time.sleep(0.005)
        painted = np.full_like(frame.image, GREEN)
        everywhere = np.full(frame.image.shape[:2], 255, np.uint8)
        face = pair().faces
        return FrameResult(frame, replace(frame, image=painted), everywhere, face)


DISK_FULL = OutputError("The disk is full.")
