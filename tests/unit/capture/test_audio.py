"""The system's microphone, with PortAudio's stream replaced."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
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

    def __init__(self, callback: Callable[..., None], device: object, **_: Any) -> None:
        Stream.made, self.device = self, device
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
    names = ("Speakers", "Headset", "Headset", "Headset", "Line")  # for each interface again
    devices = [
        {"name": name, "default_samplerate": 48000.0, "max_input_channels": channels}
        for name, channels in zip(names, (0, 0, 2, 2, 2), strict=True)
    ]

    def query_devices(device: int | str | None = None, kind: str | None = None) -> object:
        if kind is None:
            return devices
        if isinstance(device, str):
            found = [one for one in devices if device in str(one["name"])]
            if len(found) != 1:
                raise ValueError(f"{len(found)} input devices found for '{device}'")
            return found[0]
        return devices[4 if device is None else device]

    vars(module).update(
        PortAudioError=PortAudioError, InputStream=Stream, query_devices=query_devices
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Stream, "broken", False)


def test_one_that_stopped_or_gives_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with SystemMicrophone() as microphone:
        assert not microphone.lost
        Stream.made.record()
        assert len(microphone.take()) == 1 and not microphone.lost
        now = time.perf_counter_ns()
        monkeypatch.setattr(audio.time, "perf_counter_ns", lambda: now + 3_000_000_000)
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


def test_that_there_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(device: object = None, kind: str | None = None) -> list[dict[str, int]]:
        if kind is not None:
            raise PortAudioError("Error querying device -1")
        return [{"max_input_channels": 0}]

    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", nothing)
    with pytest.raises(CameraError, match="has no microphone"):
        SystemMicrophone()


def test_one_that_the_system_lists_several_times_is_opened_by_its_name() -> None:
    (chosen,) = (one for one in audio.input_devices() if one.name == "Headset")
    with SystemMicrophone(chosen.identity):
        assert Stream.made.device == 2  # the first one that records


def test_one_that_is_not_connected_is_refused_by_its_name() -> None:
    with pytest.raises(CameraError, match="found for 'Studio'"):
        SystemMicrophone("Studio")


def test_without_a_name_the_system_chooses() -> None:
    with SystemMicrophone():
        assert Stream.made.device is None


@pytest.mark.parametrize("name", ["PortAudioError", "SyntaxError"])
def test_only_a_fault_of_portaudio_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "sounddevice.py").write_text(
        f"class PortAudioError(Exception): ...\nraise {name}('no host')\n"
    )
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match="no host") as met:
        SystemMicrophone()
    assert isinstance(met.value, CameraError) == (name == "PortAudioError")
