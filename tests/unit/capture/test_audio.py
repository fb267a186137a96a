"""The system's microphone, with PortAudio's stream replaced."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime_unmask.capture import audio
from realtime_unmask.capture.audio import SystemMicrophone
from realtime_unmask.errors import CameraError


class PortAudioError(Exception):
    """As of sounddevice."""


class Stream:
    """Records when it is told to."""

    made: Stream
    broken = False

    def __init__(self, callback: Callable[..., None], **_: Any) -> None:
        Stream.made = self
        self.callback, self.active, self.closed = callback, False, False

    def start(self) -> None:
        if self.broken:
            raise PortAudioError("Device unavailable")
        self.active = True

    def close(self) -> None:
        self.active, self.closed = False, True

    def record(self) -> None:
        times = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=0.98)
        self.callback(np.zeros((960, 2), np.float32), 960, times, None)


@pytest.fixture(autouse=True)
def portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `import sounddevice` gives it."""
    module = ModuleType("sounddevice")
    info = {"default_samplerate": 48000.0, "max_input_channels": 2}
    vars(module).update(
        PortAudioError=PortAudioError, InputStream=Stream, query_devices=lambda *_: info
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Stream, "broken", False)


def test_one_that_stopped_or_gives_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with SystemMicrophone() as microphone:
        assert not microphone.lost
        Stream.made.record()
        assert len(microphone.take()) == 1 and not microphone.lost
        now = time.monotonic_ns()
        monkeypatch.setattr(audio.time, "monotonic_ns", lambda: now + 3_000_000_000)
        assert microphone.lost
        Stream.made.record()
        assert not microphone.lost
        Stream.made.active = False  # unplugged
        assert microphone.lost


def test_one_that_does_not_start_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "broken", True)
    with pytest.raises(CameraError, match="Device unavailable"):
        SystemMicrophone()
    assert Stream.made.closed
