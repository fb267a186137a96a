"""A live session that is recorded: what is in the file, and how that compares with the books."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.capture.images import read_picture
from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.capture.stream import FileSpec
from realtime_unmask.pipeline.live import LiveOptions, LiveSession
from realtime_unmask.sinks.live_recording import LiveRecording
from realtime_unmask.types import AudioBlock
from tests.media.look import look
from tests.media.make import Video, write
from tests.unit.pipeline.live_fakes import FakeUnmasker, ListSink, books_balance, wait_until

RATE = 48_000
CLAPS_S = (1.0, 2.2)  # after the microphone was switched on


class Microphone:
    """Plays `samples`, (N, channels) in [-1, 1], as if they were recorded in real time."""

    rate, lost = RATE, False

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self.channels, self._samples = samples.shape[1], samples
        self.began_ns = time.perf_counter_ns()
        self._given = 0

    def take(self) -> list[AudioBlock]:
        due = round((time.perf_counter_ns() - self.began_ns) / 1e9 * RATE)
        size, taken = RATE // 50, []
        while self._given + size <= min(due, len(self._samples)):
            began_ns = self.began_ns + round(self._given / RATE * 1e9)
            taken.append(AudioBlock(self._samples[self._given : self._given + size], began_ns))
            self._given += size
        return taken

    def close(self) -> None:
        pass


class ClapCamera:
    """Paints black, and white for 0.2 s from each clap on."""

    def __init__(self) -> None:
        self.began_ns = 0

    def __call__(self, index: int, width: int, height: int) -> NDArray[np.uint8]:
        now = (time.perf_counter_ns() - self.began_ns) / 1e9
        # The fake unmasker inverts.
        white = self.began_ns and any(clap <= now < clap + 0.2 for clap in CLAPS_S)
        return np.full((height, width, 3), 0 if white else 255, np.uint8)


def _onsets(times: list[float], loud: list[bool]) -> list[float]:
    return [t for i, t in enumerate(times) if loud[i] and not (i and loud[i - 1])]


def _flashes(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        frames = [(f.time, f.to_ndarray(format="gray")) for f in container.decode(video=0)]
    return _onsets([t for t, _ in frames], [bool(np.median(g) > 128) for _, g in frames])


def _clicks(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    at = np.flatnonzero(np.abs(sound) > 0.3) / RATE
    return [t for i, t in enumerate(at) if i == 0 or t - at[i - 1] > 0.3]


def test_a_clap_before_camera_and_microphone_is_one_moment_in_the_recording(
    tmp_path: Path,
) -> None:
    path, paint = tmp_path / "clap.mp4", ClapCamera()
    samples = np.zeros((RATE * 6, 1), np.float32)
    for clap in CLAPS_S:
        samples[round(clap * RATE) : round(clap * RATE) + 400] = 0.9
    session = LiveSession(ScriptedCamera(paint=paint, fps=100), FakeUnmasker)
    session.start()
    session.update(badge=False)
    wait_until(lambda: session.stats().backend == "fake", "the networks")
    microphone = Microphone(samples)
    paint.began_ns = microphone.began_ns
    session.attach("record", lambda first: LiveRecording(path, first, microphone), keep_all=True)
    time.sleep(max(0.0, 3.0 - (time.perf_counter_ns() - microphone.began_ns) / 1e9))
    session.detach("record")
    assert session.stop() == ()
    assert books_balance(session)
    seen, heard = _flashes(path), _clicks(path)
    assert len(seen) == len(heard) == len(CLAPS_S)
    assert np.abs(np.array(heard) - np.array(seen)).max() <= 0.045


@pytest.fixture(scope="module")
def faces(clip: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Twelve frames of a real masked face, half as large."""
    return [np.ascontiguousarray(frame[::2, ::2]) for frame in clip]


def test_a_recorded_session_with_real_faces_balances_its_books(
    tmp_path: Path, faces: list[NDArray[np.uint8]]
) -> None:
    path = tmp_path / "faces.mp4"
    height, width = faces[0].shape[:2]

    def there_and_back(index: int, width: int, height: int) -> NDArray[np.uint8]:
        place = index % (2 * len(faces) - 2)
        return faces[min(place, 2 * len(faces) - 2 - place)]

    camera = ScriptedCamera(
        [Step(frames=60, stall_s=1.0), Step(frames=30, gone_s=0.3)],
        there_and_back, (width, height), fps=60,
    )  # fmt: skip
    session = LiveSession(camera)
    session.start()
    wait_until(lambda: session.stats().backend != "", "the networks", 60)
    session.attach("record", lambda first: LiveRecording(path, first), keep_all=True)
    output = session._outputs._running["record"]
    wait_until(lambda: output.stats.written >= 40, "forty frames", 60)
    session.detach("record")
    assert session.stop() == ()

    stats, written = session.stats(), output.stats
    assert stats.captured == stats.shown + sum(stats.drops.values())
    assert stats.captured == camera.given
    assert stats.in_flight == 0
    assert written.offered == written.written + written.dropped
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(pictures) == written.written
    # The mask of the clip is light blue; no recorded picture shows it, nor half of it.
    before = np.mean([_blue(face) for face in faces])
    assert max(_blue(picture) for picture in pictures[1:]) < before / 3


def _blue(image: NDArray[np.uint8]) -> float:
    """How much bluer than red the middle of the picture is, mean."""
    height, width = image.shape[:2]
    middle = image[height // 3 : height, width // 4 : -width // 4].astype(int)
    return float(np.clip(middle[..., 2] - middle[..., 0], 0, None).mean())


@pytest.mark.parametrize(("rotate", "size"), [(0, (128, 48)), (90, (48, 128))])
def test_what_leaves_a_session_is_as_wide_as_it_is_shown(
    tmp_path: Path, rotate: int, size: tuple[int, int]
) -> None:
    """A video of 64 x 48 pixels that are twice as wide as high."""
    video = Video(frames=20, width=64, height=48, sample_aspect=Fraction(2))
    spec = FileSpec(write(tmp_path / "wide.mp4", video))
    path, other = tmp_path / "recorded.mp4", ListSink()
    session = LiveSession(spec, FakeUnmasker, options=LiveOptions(rotate=rotate))
    session.start()
    session.attach("record", lambda first: LiveRecording(path, first), keep_all=True)
    session.attach("page", lambda first: other)
    wait_until(lambda: len(other.frames) > 3, "pictures")
    picture = session.snapshot(tmp_path)
    session.detach("record")
    session.stop()
    found = look(path, images=True)
    assert found.images[0].shape == (size[1], size[0], 3)
    assert found.sample_aspect in (None, 1)
    assert (other.frames[0].width, other.frames[0].height) == size
    assert read_picture(picture).frame.image.shape == (size[1], size[0], 3)


def test_a_microphone_in_the_way_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    session = LiveSession(ScriptedCamera([Step(frames=40, stall_s=60)]), FakeUnmasker)
    session.start()
    microphone = Microphone(np.zeros((RATE * 60, 2), np.float32))
    path = tmp_path / "stalled.mp4"
    session.attach("record", lambda first: LiveRecording(path, first, microphone), keep_all=True)
    time.sleep(1.2)  # the camera has stalled; the sound goes on
    began = time.monotonic()
    assert session.stop() == ()
    assert time.monotonic() - began < 2
    with av.open(str(path)) as container:
        sound = sum(f.samples for f in container.decode(audio=0)) / RATE
    assert sound > 0.8
    assert not [t for t in threading.enumerate() if t.name.startswith("live")]
