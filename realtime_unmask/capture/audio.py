"""Sound from a microphone, in blocks that say when they were recorded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from realtime_unmask.capture.devices import DeviceInfo
from realtime_unmask.closing import Closing
from realtime_unmask.errors import CameraError
from realtime_unmask.types import AudioBlock, Float32

_BLOCK_S = 0.02
# Blocks that wait while nobody takes them: ten seconds.
_MOST = 500
# After so long without a block the microphone is gone, or dead.
_LOST_NS = 2_000_000_000


class Microphone(Protocol):
    """Records from its making until close().

    Attributes:
        rate: samples a second.
        channels: 1 or 2.
    """

    rate: int
    channels: int

    @property
    def lost(self) -> bool:
        """Whether it has stopped by itself: nothing comes any more."""
        ...

    def take(self) -> Sequence[AudioBlock]:
        """What was recorded since the last call; returns at once."""
        ...

    def close(self) -> None:
        """Stop; safe to call again."""
        ...


class SystemMicrophone(Closing):
    """A microphone of this machine, through PortAudio; see Microphone.

    Args:
        device: its name, or "" for the system's choice.

    Raises:
        CameraError: there is none, or it cannot be used.
    """

    def __init__(self, device: str = "") -> None:
        sounddevice = _sounddevice()
        self._lock = threading.Lock()
        self._blocks: deque[AudioBlock] = deque(maxlen=_MOST)
        self._heard_ns = time.perf_counter_ns()
        try:
            chosen = _first_of(device, sounddevice.query_devices()) if device else None
            info = sounddevice.query_devices(chosen, "input")
            self.rate = int(info["default_samplerate"])
            self.channels = min(2, int(info["max_input_channels"]))
            self._stream = sounddevice.InputStream(
                device=chosen,
                samplerate=self.rate,
                channels=self.channels,
                dtype="float32",
                blocksize=round(self.rate * _BLOCK_S),
                callback=self._take_block,
            )
            try:
                self._stream.start()
            except sounddevice.PortAudioError:
                self._stream.close()
                raise
        except (sounddevice.PortAudioError, ValueError) as error:
            if not any(one["max_input_channels"] for one in sounddevice.query_devices()):
                raise CameraError(
                    "This computer has no microphone that can be found. Plug one in, or record "
                    "without sound.",
                    "no_microphone",
                ) from error
            raise CameraError(
                f"The microphone cannot be used ({error}). Choose another one, or record "
                "without sound.",
                "no_microphone",
            ) from error

    @property
    def lost(self) -> bool:
        """See Microphone."""
        return not self._stream.active or time.perf_counter_ns() - self._heard_ns > _LOST_NS

    def take(self) -> Sequence[AudioBlock]:
        """See Microphone."""
        with self._lock:
            taken = list(self._blocks)
            self._blocks.clear()
        return taken

    def close(self) -> None:
        """See Microphone."""
        self._stream.close()

    def _take_block(self, data: Float32, frames: int, times: Any, status: Any) -> None:
        # PortAudio's clock is its own: only differences of it are used.
        age_s = max(0.0, times.currentTime - times.inputBufferAdcTime)
        if not 0 < age_s < 1:  # some systems do not tell
            age_s = frames / self.rate
        self._heard_ns = time.perf_counter_ns()
        began = self._heard_ns - round(age_s * 1e9)
        with self._lock:
            self._blocks.append(AudioBlock(data.copy(), began))


def input_devices() -> tuple[DeviceInfo, ...]:
    """See capture.devices.microphones."""
    try:
        sounddevice = _sounddevice()
    except CameraError:
        return ()
    try:
        listed = sounddevice.query_devices()
    except sounddevice.PortAudioError:
        return ()
    names = [one["name"] for one in listed if one["max_input_channels"] > 0]
    return tuple(DeviceInfo(name, name) for name in dict.fromkeys(names))


def _first_of(name: str, listed: Sequence[Mapping[str, Any]]) -> int | str:
    """The index of the first microphone of that name; the name itself where there is none.

    Windows has several interfaces to sound, and PortAudio lists a microphone once for each: it
    refuses the name then.
    """
    for index, one in enumerate(listed):
        if one["name"] == name and one["max_input_channels"] > 0:
            return index
    return name


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
        raise CameraError(
            "Sound cannot be recorded: PortAudio is missing. On Debian: "
            "sudo apt-get install libportaudio2.",
            "no_microphone",
        ) from error
    except Exception as error:  # noqa: BLE001  the library's edge: its own class came to nothing
        if type(error).__name__ != "PortAudioError":
            raise
        raise CameraError(
            f"Sound cannot be recorded: PortAudio does not start ({error}).", "no_microphone"
        ) from error
    return sounddevice
