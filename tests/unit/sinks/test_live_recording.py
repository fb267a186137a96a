"""Recordings of a live session: times of the pictures, sound in step with them, what is kept."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import OutputError, UsageError
from realtime_unmask.sinks import live_recording
from realtime_unmask.sinks.live_recording import LiveRecording
from realtime_unmask.types import AudioBlock, Frame

RATE = 48_000
BLOCK = 960


class Sound:
    """A microphone whose blocks are made from `signal` with a clock of its own."""

    rate, channels = RATE, 1

    def __init__(
        self, signal: NDArray[np.float32], began_ns: int, drift: float = 0.0, lost: range = range(0)
    ) -> None:
        self.blocks = [
            AudioBlock(
                signal[at : at + BLOCK, None],
                began_ns + round(at / (RATE * (1 + drift)) * 1e9),
            )
            for number, at in enumerate(range(0, len(signal) - BLOCK + 1, BLOCK))
            if number not in lost
        ]
        self.closed = self.lost = False

    def take_until(self, now_ns: int) -> None:
        """From now on take() gives what was recorded before `now_ns`."""
        self.now_ns = now_ns

    def take(self) -> list[AudioBlock]:
        due = [b for b in self.blocks if b.began_ns + 20_000_000 <= self.now_ns]
        self.blocks = self.blocks[len(due) :]
        return due

    def close(self) -> None:
        self.closed = True


def _frame(at_s: float, value: int = 0, size: tuple[int, int] = (64, 48)) -> Frame:
    image = np.full((size[1], size[0], 3), value, np.uint8)
    return Frame(image, Fraction(round(at_s * 1e9), 10**9), round(at_s * 1e9))


def _record(path: Path, sound: Sound | None, seconds: float, flash_s: list[float], **more: int) -> None:  # noqa: E501
    """25 pictures a second, taken from 5 s on: black, and white for 40 ms at each flash."""
    recording: LiveRecording | None = None
    for number in range(round(seconds * 25)):
        at = 5 + number / 25
        white = any(flash <= number / 25 < flash + 0.039 for flash in flash_s)
        frame = _frame(at, 255 if white else 0)
        if sound is not None:
            sound.take_until(frame.captured_ns)
        if recording is None:
            recording = LiveRecording(path, frame, sound, **more)
        recording.write(frame)
    assert recording is not None
    recording.close()


def _clicks(length_s: float, at_s: list[float], drift: float = 0.0) -> NDArray[np.float32]:
    signal = np.zeros(round(length_s * RATE * (1 + drift)), np.float32)
    for at in at_s:
        start = round(at * RATE * (1 + drift))
        signal[start : start + 200] = np.sin(np.arange(200) / 5) * 0.9
    return signal


def _heard(path: Path) -> list[float]:
    """When the clicks are, seconds."""
    times = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            assert frame.pts is not None and frame.time_base is not None
            loud = np.abs(frame.to_ndarray()[0]) > 0.3
            if loud.any():
                times.append(float(frame.pts * frame.time_base) + int(loud.argmax()) / RATE)
    return [t for i, t in enumerate(times) if i == 0 or t - times[i - 1] > 0.1]


def _seen(path: Path) -> list[float]:
    """When the flashes are, seconds."""
    with av.open(str(path)) as container:
        frames = [(f.time, f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    bright = [t for t, level in frames if level > 128]
    return [t for i, t in enumerate(bright) if i == 0 or t - bright[i - 1] > 0.1]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clap_is_heard_when_it_is_seen(tmp_path: Path, suffix: str) -> None:
    path, claps = tmp_path / f"clap{suffix}", [1.0, 2.52, 3.8]
    # The microphone was on 0.7 s before the first picture was taken.
    sound = Sound(_clicks(6, [0.7 + c for c in claps]), round(4.3e9))
    _record(path, sound, 5, claps)
    assert _seen(path) == pytest.approx(claps, abs=0.021)
    assert _heard(path) == pytest.approx(claps, abs=0.045)
    assert sound.closed


def test_a_microphone_that_starts_late_has_silence_before(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    _record(path, Sound(_clicks(3, [1.0]), round(6.5e9)), 4, [2.5])
    assert _heard(path) == pytest.approx([2.5], abs=0.045)


def test_the_offset_moves_the_sound(tmp_path: Path) -> None:
    path = tmp_path / "offset.mp4"
    _record(path, Sound(_clicks(4, [1.0]), round(5e9)), 3, [1.0], offset_ms=250)
    assert _heard(path) == pytest.approx([1.25], abs=0.045)


def test_a_clock_that_drifts_is_followed(tmp_path: Path) -> None:
    path, claps = tmp_path / "drift.mp4", [1.0, 15.0, 29.0]
    # 29 s at 0.1 % would be off by 29 ms at the end, and by 3.6 s an hour.
    sound = Sound(_clicks(31, claps, drift=0.001), round(5e9), drift=0.001)
    _record(path, sound, 30, claps)
    assert _heard(path) == pytest.approx(claps, abs=0.015)


def test_lost_sound_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "lost.mp4"
    sound = Sound(_clicks(4, [0.5, 3.0]), round(5e9), lost=range(50, 100))
    _record(path, sound, 4, [])
    assert _heard(path) == pytest.approx([0.5, 3.0], abs=0.045)


def test_a_long_hole_in_the_sound_takes_no_memory(tmp_path: Path) -> None:
    """Five minutes: as samples, 58 MB, once to wait and once to be encoded."""
    path = tmp_path / "hole.mkv"
    signal = np.zeros(4 * RATE, np.float32)
    signal[3 * RATE : 3 * RATE + 200] = 0.9
    sound = Sound(signal, round(5e9))
    sound.blocks[100:] = [
        replace(block, began_ns=block.began_ns + round(300e9)) for block in sound.blocks[100:]
    ]
    recording = LiveRecording(path, _frame(5), sound)
    sound.take_until(round(400e9))
    tracemalloc.start()
    recording.write(_frame(5))
    recording.write(_frame(309))
    recording.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
    assert _heard(path) == pytest.approx([303.0], abs=0.045)


def test_sound_ends_with_the_last_picture(tmp_path: Path) -> None:
    path = tmp_path / "end.mp4"
    sound = Sound(_clicks(30, []), round(5e9))
    recording = LiveRecording(path, _frame(5), sound)
    for number in range(26):
        sound.take_until(round((5 + number / 25) * 1e9))
        recording.write(_frame(5 + number / 25))
    sound.take_until(round(35e9))  # the disk was slow, and the microphone went on
    recording.close()
    with av.open(str(path)) as container:
        length = sum(f.samples for f in container.decode(audio=0)) / RATE
    assert length == pytest.approx(1.04, abs=0.045)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_goes_into_the_file_while_no_picture_comes(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"gone{suffix}"
    sound = Sound(_clicks(125, [100.0]), round(5e9))
    recording = LiveRecording(path, _frame(5), sound)
    for number in range(26):
        sound.take_until(round((5 + number / 25) * 1e9))
        recording.write(_frame(5 + number / 25))
    for second in range(2, 120):
        sound.take_until(now := round((5 + second) * 1e9))
        monkeypatch.setattr(time, "perf_counter_ns", lambda now=now: now)
        recording.tick("The camera is gone.")
    assert recording._track is not None
    assert sum(len(samples) for samples in recording._track._waiting) < RATE
    with av.open(str(recording.partial)) as container:
        length = sum(f.samples for f in container.decode(audio=0)) / RATE
    assert length > 117
    sound.take_until(round(126e9))
    recording.write(_frame(125.5, 255))
    recording.close()
    assert _heard(path) == pytest.approx([100.0], abs=0.045)
    assert _seen(path) == pytest.approx([120.5], abs=0.021)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([*(n / 25 for n in range(26)), 120.5], abs=1e-3)


def test_a_disk_that_is_full_while_no_picture_comes_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Sound(_clicks(30, []), round(5e9))
    recording = LiveRecording(tmp_path / "full.mp4", _frame(5), sound)
    for number in range(26):
        sound.take_until(round((5 + number / 25) * 1e9))
        recording.write(_frame(5 + number / 25))

    recording._video._file.error = OSError(28, "No space left on device")
    sound.take_until(round(35e9))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: round(35e9))
    with pytest.raises(OutputError, match="No space left"):
        recording.tick("The camera is gone.")
    assert sound.closed


def test_pictures_keep_the_times_at_which_they_were_taken(tmp_path: Path) -> None:
    path, times = tmp_path / "vfr.mp4", [3.0, 3.041, 3.2, 3.233, 4.9]
    recording = LiveRecording(path, _frame(times[0]))
    for at in times:
        recording.write(_frame(at))
    assert recording.seconds == pytest.approx(1.9)
    assert recording.partial.exists() and not path.exists()
    recording.close()
    with av.open(str(path)) as container:
        assert "AI-reconstructed" in container.metadata["comment"]
        found = [frame.time for frame in container.decode(video=0)]
    assert found == pytest.approx([t - 3 for t in times], abs=2e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reorder", [False, True])
def test_the_last_picture_of_uneven_steps_is_shown(
    tmp_path: Path,
    seed: int,
    reorder: bool,
    clip: list[NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoding = replace(live_recording._ENCODING, reorder=reorder)
    monkeypatch.setattr(live_recording, "_ENCODING", encoding)
    path, rng = tmp_path / "uneven.mp4", np.random.default_rng(seed)
    times = 5 + np.cumsum(rng.choice([0.02, 0.05, 0.1, 0.3, 1.2], 40))
    recording: LiveRecording | None = None
    for number, at in enumerate(times):
        image = np.ascontiguousarray(clip[number % 12][::4, ::4])
        frame = Frame(image, Fraction(round(at * 1e9), 10**9), round(at * 1e9))
        recording = recording or LiveRecording(path, frame)
        recording.write(frame)
    assert recording is not None
    recording.close()
    with av.open(str(path)) as container:
        found = [frame.time for frame in container.decode(video=0)]
    assert found == pytest.approx(times - times[0], abs=2e-5)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("back", [True, False])
def test_a_camera_that_is_gone_overnight_costs_nothing_of_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, back: bool
) -> None:
    """8 hours: more ticks than the file can count for one picture."""
    path, night = tmp_path / f"r{suffix}", 8 * 3600.0
    first = _frame(5)
    recording = LiveRecording(path, first)
    for number in range(20):
        recording.write(_frame(5 + number / 10, 255 * (number % 2)))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: round((6.9 + night) * 1e9))
    recording.tick("The camera is gone.")
    if back:
        recording.write(_frame(7 + night))
        recording.write(_frame(7.1 + night))
    recording.close()
    with av.open(str(path)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
        assert float(container.duration or 0) / av.time_base == pytest.approx(night + 2, abs=0.2)
    assert times[:20] == pytest.approx([n / 10 for n in range(20)], abs=0.002)
    assert np.diff(times).max() <= 300.1
    assert times[-1] > (night + 2 if back else night - 300)


def test_odd_and_changing_sizes_stay_one_video(tmp_path: Path) -> None:
    path = tmp_path / "sizes.mp4"
    recording = LiveRecording(path, _frame(0, 255, (65, 49)))
    for number, size in enumerate([(65, 49), (48, 64), (128, 96)]):
        recording.write(_frame(number / 10, 255, size))
    recording.close()
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="gray") for f in container.decode(video=0)]
    assert [p.shape for p in pictures] == [(48, 64)] * 3
    assert pictures[0].min() > 230 and pictures[2].min() > 230
    assert pictures[1][:, :8].max() < 40 and pictures[1][:, 24:40].min() > 200  # bars at the sides


def test_what_was_recorded_is_kept_when_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "kept.mp4"
    recording = LiveRecording(path, _frame(0))
    for number in range(10):
        recording.write(_frame(number / 10))
    recording.abort()
    assert not path.exists()
    with av.open(str(recording.partial)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_a_file_is_not_overwritten_and_the_microphone_let_go(tmp_path: Path) -> None:
    path = tmp_path / "there.mp4"
    path.touch()
    sound = Sound(_clicks(1, []), time.perf_counter_ns())
    with pytest.raises(UsageError, match="exists already"):
        LiveRecording(path, _frame(0), sound)
    assert sound.closed


def test_a_microphone_that_is_gone_is_told_of_while_it_is_recorded(tmp_path: Path) -> None:
    sound = Sound(np.zeros(RATE, np.float32), 0)
    sound.take_until(0)
    recording = LiveRecording(tmp_path / "lost.mp4", _frame(0), sound)
    recording.write(_frame(0))
    assert not recording.sound_lost
    sound.lost = True
    assert recording.sound_lost
    recording.close()
    assert not recording.sound_lost  # it was let go
