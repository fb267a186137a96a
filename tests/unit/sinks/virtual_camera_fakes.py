"""A device behind pyvirtualcam that keeps what it is sent, and a clock that the test turns."""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime_unmask.sinks.virtual_camera import VirtualCamera
from realtime_unmask.types import Frame, UInt8

FPS = 25.0
STEP = 1 / FPS


class FakeDevice:
    """A backend of pyvirtualcam; what became of the last one is in the class."""

    sent: list[UInt8] = []
    closed = 0
    asked: dict[str, Any] = {}
    name = "Fake"
    refuses = ""
    fails = ""

    def __init__(self, **asked: Any) -> None:
        if FakeDevice.refuses:
            raise RuntimeError(FakeDevice.refuses)
        FakeDevice.asked = asked

    def send(self, frame: UInt8) -> None:
        if FakeDevice.fails:
            raise RuntimeError(FakeDevice.fails)
        height, width = FakeDevice.asked["height"], FakeDevice.asked["width"]
        FakeDevice.sent.append(frame.reshape(height, width, 3).copy())

    def close(self) -> None:
        FakeDevice.closed += 1

    def device(self) -> str:
        return FakeDevice.name

    def native_fourcc(self) -> None:
        return None


class Clock:
    """Seconds that go by when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def grey(value: int, width: int = 64, height: int = 36) -> Frame:
    return Frame(np.full((height, width, 3), value, np.uint8))


def numbered(number: int) -> Frame:
    image = np.zeros((36, 64, 3), np.uint8)
    image[..., 0], image[..., 1] = divmod(number, 256)
    return Frame(image)


def numbers(sent: list[UInt8]) -> list[int]:
    return [256 * int(one[0, 0, 0]) + int(one[0, 0, 1]) for one in sent]


def opened(clock: Clock, width: int = 64, height: int = 36) -> VirtualCamera:
    return VirtualCamera(width, height, fps=FPS, clock=clock)


def run(camera: VirtualCamera, clock: Clock, comes: list[float], seconds: float) -> list[float]:
    """Feed it as an output of a session does: a frame at each time of `comes`, ticks between.

    Returns:
        when it sent something, seconds from now.
    """
    began, sent = clock.now, []
    waiting = [began + t for t in comes]
    while clock.now < began + seconds:
        until = clock.now + camera.interval_s
        if waiting and waiting[0] <= until:
            clock.now = max(clock.now, waiting.pop(0))
            before = len(FakeDevice.sent)
            camera.write(numbered(len(comes) - len(waiting)))
        else:
            clock.now = until + 1e-6
            before = len(FakeDevice.sent)
            camera.tick("")
        sent += [clock.now - began] * (len(FakeDevice.sent) - before)
    return sent
