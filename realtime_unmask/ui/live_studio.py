"""The studio of the program: live sessions, and what is connected to this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realtime_unmask import resources
from realtime_unmask.capture.stream import CameraSpec, SourceSpec, spec_of
from realtime_unmask.errors import CameraError, OutputError, UnmaskError
from realtime_unmask.settings import BACKENDS, Settings
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.studio import DEMO, Camera, Devices, Figures, Options, Picture, Problem

if TYPE_CHECKING:
    from realtime_unmask.capture.audio import Microphone
    from realtime_unmask.capture.devices import CameraFormat
    from realtime_unmask.pipeline.live import LiveSession
    from realtime_unmask.pipeline.live_values import LiveFrame, Notice
    from realtime_unmask.pipeline.live_worker import MakeUnmasker
    from realtime_unmask.sinks.live_recording import LiveRecording
    from realtime_unmask.sinks.mjpeg import MjpegPage
    from realtime_unmask.types import Frame, Likeness, UInt8

_SETTINGS = ("backend", "strength", "feather_px", "colour_match", "faces")
_OPTIONS = ("mirror", "rotate", "lost", "badge")


class LiveStudio:
    """See Studio.

    Args:
        make_unmasker: makes the unmasker, in the thread that then owns it; None for the
            program's own, which is ready on the CPU first and moves to a GPU that is faster.
    """

    def __init__(self, make_unmasker: MakeUnmasker | None = None) -> None:
        self._make = make_unmasker

    def cameras(self) -> tuple[Camera, ...]:
        """See Studio."""
        from realtime_unmask.capture.devices import cameras

        return tuple(Camera(info.identity, info.name, _formats(info.formats)) for info in cameras())

    def devices(self) -> Devices:
        """See Studio."""
        from realtime_unmask.capture.devices import microphones, virtual_cameras

        return Devices(
            tuple((one.name, one.identity) for one in microphones()),
            tuple((one.name, one.identity) for one in virtual_cameras()),
            BACKENDS,
        )

    def text(self, key: str) -> str:
        """See Studio."""
        return _spec(key, Preferences()).name

    def settings(self, preferences: Preferences) -> Settings:
        """See Studio."""
        # Whose face is meant can be clicked at in the live picture only.
        faces = "all" if preferences.faces == "chosen" else preferences.faces
        return replace(_settings(preferences), faces=faces)

    def enrol(self, picture: Path | UInt8) -> Likeness:
        """See Studio."""
        from realtime_unmask.capture.images import read_picture
        from realtime_unmask.unmask.unmasker import Unmasker

        image = read_picture(picture).frame.image if isinstance(picture, Path) else picture
        with Unmasker.default(Settings(backend="cpu")) as unmasker:
            return unmasker.enrol(image)

    def start(self, key: str, preferences: Preferences) -> LiveRunning:
        """See Studio."""
        from realtime_unmask.pipeline.live import LiveSession
        from realtime_unmask.pipeline.live_values import LiveOptions

        options = LiveOptions(**{name: getattr(preferences, name) for name in _OPTIONS})
        spec, settings = _spec(key, preferences), _settings(preferences)
        if self._make is None:
            session = LiveSession(spec, settings=settings, options=options)
        else:
            session = LiveSession(spec, self._make, settings, options)
        session.start()
        return LiveRunning(key, session)


class LiveRunning:
    """See Running.

    Attributes:
        newest: what picture() was made of last.
    """

    def __init__(self, key: str, session: LiveSession) -> None:
        self.key = key
        self._session = session
        self.newest: LiveFrame | None = None
        self._recording: LiveRecording | None = None
        self._page: MjpegPage | None = None
        self._silent = ""  # why the recording has no sound
        self._to_choose = False  # faces are seen, and none of them is chosen yet

    def picture(self) -> Picture | None:
        """See Running."""
        live = self._session.latest.take()
        if live is None:
            return None
        self.newest, result = live, live.result
        self._to_choose = bool(result.faces) and live.chosen is None
        # What was painted is not in the picture where another one is shown in its place.
        painted = result.map if live.shown is result.output else None
        return Picture(
            result.frame.image, live.shown.image, painted, tuple(result.faces), live.chosen
        )

    def tell(self, call: Callable[[], None]) -> None:
        """See Running."""
        self._session.on_frame = call

    def figures(self) -> Figures:
        """See Running."""
        stats = self._session.stats()
        return Figures(
            (stats.fps_in, stats.fps_out),
            (stats.age_p50_ms, stats.age_p95_ms),
            stats.drops,
            stats.backend,
            stats.reason,
            stats.stages_ms,
        )

    def problems(self) -> tuple[Problem, ...]:
        """See Running."""
        found = list(_problems(self._session.notices()))
        stats = self._session.stats()
        if stats.backend == "" and stats.shown and not any(p.kind == "engines" for p in found):
            found.append(Problem("loading", ""))
        elif self._to_choose and self._session.settings.faces == "chosen":
            found.insert(0, Problem("choose_face", ""))
        if self._silent:
            found.append(Problem("no_sound", self._silent))
        elif self._recording is not None and self._recording.sound_lost:
            lost = "The microphone gives no sound any more: the recording goes on without."
            found.append(Problem("sound_lost", lost, True))
        return tuple(found)

    def recorded_s(self) -> float:
        """See Running."""
        return self._recording.seconds if self._recording is not None else 0.0

    def update(self, preferences: Preferences) -> None:
        """See Running."""
        self._session.update(**{n: getattr(preferences, n) for n in (*_SETTINGS, *_OPTIONS)})

    def choose(self, key: str, preferences: Preferences) -> None:
        """See Running."""
        self.key = key
        self._session.choose_source(_spec(key, preferences))

    def pick(self, x: float, y: float) -> None:
        """See Running."""
        self._session.choose_face(x, y)

    def follow(self, likeness: Likeness | None) -> None:
        """See Running."""
        self._session.update(likeness=likeness)

    def set_visible(self, visible: bool) -> None:
        """See Running."""
        self._session.set_visible(visible)

    def frame(self) -> UInt8:
        """See Running."""
        newest = self.newest
        if newest is None:
            raise CameraError("There is no picture yet. Wait for it, then try again.", "no_picture")
        image = newest.result.frame.image
        return np.ascontiguousarray(image[:, ::-1]) if self._session.options.mirror else image

    def snapshot(self, folder: Path) -> Path:
        """See Running."""
        return self._session.snapshot(folder)

    def record(self, folder: Path, preferences: Preferences) -> None:
        """See Running."""
        from realtime_unmask.sinks.live_recording import LiveRecording
        from realtime_unmask.sinks.partial import name_of_now

        _make_folder(folder)
        path = name_of_now(folder, ".mp4")

        def make(frame: Frame) -> LiveRecording:
            sound = self._microphone(preferences)
            self._recording = LiveRecording(path, frame, sound, preferences.audio_offset_ms)
            return self._recording

        self._recording, self._silent = None, ""
        try:
            self._session.attach("record", make, keep_all=True)
        except UnmaskError:
            self._silent = ""
            raise

    def _microphone(self, preferences: Preferences) -> Microphone | None:
        from realtime_unmask.capture.audio import SystemMicrophone

        if not preferences.microphone:
            return None
        try:
            return SystemMicrophone(preferences.microphone_device)
        except CameraError as error:
            if preferences.microphone_device:
                raise  # that one was asked for, and would be missed later
            self._silent = str(error)
            return None

    def stop_recording(self) -> Path | None:
        """See Running."""
        self._silent = ""
        recording, self._recording = self._recording, None
        self._session.detach("record")
        return recording.path if recording is not None else None

    def virtual_camera(self, preferences: Preferences | None) -> str:
        """See Running."""
        from realtime_unmask.sinks.virtual_camera import VirtualCamera

        if preferences is None:
            self._session.detach("virtual_camera")
            return ""
        device = preferences.virtual_camera
        made: list[VirtualCamera] = []

        def make(frame: Frame) -> VirtualCamera:
            made.append(VirtualCamera(frame.width, frame.height, device=device))
            return made[0]

        self._session.attach("virtual_camera", make)
        return made[0].name if made else device

    def page(self, on: bool) -> str:
        """See Running."""
        from realtime_unmask.sinks.mjpeg import MjpegPage

        if not on:
            try:
                self._session.detach("page")
            finally:
                self._take_page_down()
            return ""
        self._page = page = MjpegPage()
        try:
            self._session.attach("page", lambda frame: page)
        except UnmaskError:
            self._take_page_down()
            raise
        return page.address

    def _take_page_down(self) -> None:
        # The session does not know of one for which no picture came.
        page, self._page = self._page, None
        if page is not None:
            page.abort()

    def close(self) -> tuple[Problem, ...]:
        """See Running."""
        self._session.on_frame = lambda: None
        stuck = self._session.stop()
        self._take_page_down()
        return _problems(stuck)


def _problems(notices: Iterable[Notice]) -> tuple[Problem, ...]:
    return tuple(Problem(one.kind, one.text, one.grave, one.output) for one in notices)


def _make_folder(folder: Path) -> None:
    """Raises OutputError where there is none and none can be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be used ({error.strerror}). Choose another one."
        ) from error


def _formats(offered: tuple[CameraFormat, ...]) -> Options:
    # A size that is offered in two pixel formats is one choice.
    return tuple(dict.fromkeys(_format(one) for one in offered))


def _format(offered: CameraFormat) -> tuple[str, str]:
    text = f"{offered.width} × {offered.height}, {offered.fps:g}/s"
    return text, f"{offered.width}x{offered.height}@{offered.fps:g}"


def _settings(preferences: Preferences) -> Settings:
    return Settings(**{name: getattr(preferences, name) for name in _SETTINGS})


def _spec(key: str, preferences: Preferences) -> SourceSpec:
    if key == DEMO:
        return spec_of(str(resources.folder("assets") / "demo.mp4"))
    spec = spec_of(key)
    if isinstance(spec, CameraSpec) and preferences.resolution:
        size, _, fps = preferences.resolution.partition("@")
        width, height = size.split("x")
        return replace(spec, size=(int(width), int(height)), fps=float(fps))
    return spec
