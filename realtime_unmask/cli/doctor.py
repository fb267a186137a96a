"""`doctor`: what is installed, what works here, and why the rest does not."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from statistics import median
from typing import TYPE_CHECKING

from realtime_unmask import __version__, missing, resources
from realtime_unmask.cli.common import (
    Backend,
    ExitCode,
    Threads,
    count,
    fail,
    open_unmasker,
    say,
)
from realtime_unmask.errors import CameraError, UnmaskError
from realtime_unmask.settings import Settings

if TYPE_CHECKING:
    from realtime_unmask.types import FrameResult

PACKAGES = (
    "numpy",
    "mediapipe",
    "opencv-python",
    "opencv-contrib-python",
    "av",
    "pillow",
    "openvino",
    "onnxruntime",
    "platformdirs",
    "PyQt6",
    "sounddevice",
)
_REPEATS = 5  # the first frame also pays for warming up; the median of the others is the speed


def doctor(backend: Backend = "auto", threads: Threads = 0) -> int:
    """Say what is installed, which backends work here and why the others do not.

    Also names the cameras, checks the shipped files against their digests and times one frame.
    Exit code 1 if something that unmasking needs is missing or broken.
    """
    settings = Settings(backend=backend, threads=threads)
    say(f"realtime-unmask {__version__}")
    say(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{count(os.cpu_count() or 1, 'processor')}"
    )
    # Each part is done even if one before it found a fault: the person needs the whole list.
    parts = (_packages, _backends, _files, _cameras, partial(_one_frame, settings))
    sound = [_done(part) for part in parts]
    say("")
    if all(sound):
        say("All is well.")
        return ExitCode.DONE
    fail("Something is missing or broken; see the lines above.")
    return ExitCode.FAILED


def _row(name: str, text: str) -> None:
    say(f"  {name:<22} {text}")


def _done(part: Callable[[], bool]) -> bool:
    """Do `part`; what it lacks to be done is said in its place."""
    try:
        return part()
    except (ImportError, OSError) as error:
        lacking = missing.words(error)
        if not lacking:
            raise
        _row("cannot be told", lacking)
        return False


def _packages() -> bool:
    say("")
    say("Packages")
    complete = True
    for package in PACKAGES:
        try:
            _row(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            _row(package, "not installed")
            complete = False
    if not complete:
        say(f"  {missing.advice()}")
    return complete


def _backends() -> bool:
    say("")
    say("Backends")
    from realtime_unmask.inference.engine import probe_backends
    from realtime_unmask.inference.plans import PlanCache

    statuses = probe_backends()
    for status in statuses:
        works = "works" if status.available else "does not work"
        version = f" ({status.version})" if status.version else ""
        _row(status.name, f"{works}{version}: {status.reason}")
    folder = PlanCache.default().folder
    _row("compiled engines", f"in {folder}" if folder else "not kept: no home folder")
    return any(status.available for status in statuses)


def _files() -> bool:
    say("")
    say("Shipped files")
    sound = True
    for name, check in _checks():
        try:
            _row(name, f"sha256 {check()[:12]}..., as shipped")
        except UnmaskError as error:
            _row(name, str(error))
            sound = False
    return sound


def _checks() -> Iterator[tuple[str, Callable[[], str]]]:
    """(what to call it, a function that returns its digest or raises UnmaskError)."""
    from realtime_unmask.faces.landmarker import BUNDLES
    from realtime_unmask.inference.engine import NetworkFiles
    from realtime_unmask.inference.manifest import INPUTS, Network

    def bundle(name: str) -> str:
        path = resources.folder("assets") / f"face_landmarker_{name}.task"
        resources.verified(path, BUNDLES[name])
        return BUNDLES[name]

    def network(name: Network) -> str:
        files = NetworkFiles.read(name)
        files.in_8_bits()
        files.weights()
        return files.entry.sha256

    for face_range in BUNDLES:
        yield f"faces, {face_range}", partial(bundle, face_range)
    for name in INPUTS:
        yield f"network, {name}", partial(network, name)


def _cameras() -> bool:
    say("")
    say("Cameras")
    from realtime_unmask.capture.devices import cameras

    try:
        found = cameras()
    except CameraError as error:
        _row("none", str(error))
        return True  # nobody needs one
    for camera in found:
        _row(camera.device, camera.name)
    if not found:
        _row("none", "photos and videos work without one")
    return True


def _one_frame(settings: Settings) -> bool:
    say("")
    say("One frame of the demo clip")
    try:
        results, spent_ms = _timed(settings)
    except UnmaskError as error:
        _row("failed", str(error))
        return False
    result = results[-1]
    _row("size", f"{result.frame.width} x {result.frame.height}")
    faces = count(len(result.faces), "face")
    _row("found", f"{faces}, {count(len(result.reconstructions), 'mask')}")
    _row("first, warming up", f"{spent_ms[0]:.1f} ms")
    _row(f"median of {_REPEATS} more", f"{median(spent_ms[1:]):.1f} ms")
    stages = ", ".join(f"{name} {ns / 1e6:.1f}" for name, ns in result.timings.items())
    _row("of the last, in ms", stages)
    return bool(result.reconstructions)


def _timed(settings: Settings) -> tuple[list[FrameResult], list[float]]:
    """The results of the clip's first frame, taken as a still again and again; ms of each."""
    from realtime_unmask.capture.video import VideoSource

    with VideoSource(resources.folder("assets") / "demo.mp4") as source:
        frame = next(iter(source))
    results, spent_ms = [], []
    with open_unmasker(settings) as unmasker:
        for _ in range(1 + _REPEATS):
            began = time.perf_counter_ns()
            results.append(unmasker.process(frame))
            spent_ms.append((time.perf_counter_ns() - began) / 1e6)
    return results, spent_ms
