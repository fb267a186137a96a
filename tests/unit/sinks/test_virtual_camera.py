"""The virtual camera: its pace, its sizes, and the card that stands in for the camera.

pyvirtualcam is the real one; behind it stands a device of these tests' own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.errors import VirtualCameraError
from realtime_unmask.sinks import virtual_camera
from realtime_unmask.sinks.card import waiting_card
from realtime_unmask.sinks.virtual_camera import VirtualCamera
from realtime_unmask.types import Frame
from tests.unit.sinks.virtual_camera_fakes import (
    FPS,
    STEP,
    Clock,
    FakeDevice,
    grey,
    numbers,
    opened,
    run,
)


def test_the_frame_arrives_unchanged(fake: type[FakeDevice], clock: Clock) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (36, 64, 3), np.uint8)
    camera = opened(clock)
    camera.write(Frame(noise))
    assert np.array_equal(fake.sent[0], noise)
    assert camera.name == camera.device == "Fake"
    camera.close()


def test_it_is_closed_exactly_once(fake: type[FakeDevice], clock: Clock) -> None:
    camera = opened(clock)
    camera.close()
    camera.close()
    camera.abort()
    assert fake.closed == 1


def test_the_device_that_was_asked_for_is_opened(fake: type[FakeDevice]) -> None:
    VirtualCamera(64, 36, device="OBS Virtual Camera").close()
    assert fake.asked["device"] == "OBS Virtual Camera"
    VirtualCamera(64, 36).close()
    assert fake.asked["device"] is None


@pytest.mark.parametrize(
    ("size", "even"), [((65, 37), (64, 36)), ((64, 37), (64, 36)), ((1, 1), (2, 2))]
)
def test_odd_sizes_become_even(
    fake: type[FakeDevice], clock: Clock, size: tuple[int, int], even: tuple[int, int]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    camera = opened(clock, *size)
    assert (camera.width, camera.height) == even
    camera.write(Frame(noise))
    assert (fake.asked["width"], fake.asked["height"]) == even
    if size != (1, 1):
        assert np.array_equal(fake.sent[0], noise[: even[1], : even[0]])
    camera.close()


@pytest.mark.parametrize("size", [(36, 64), (128, 128), (640, 36), (10, 2)])
def test_a_frame_of_another_size_is_fitted_in_whole(
    fake: type[FakeDevice], clock: Clock, size: tuple[int, int]
) -> None:
    camera = opened(clock)
    camera.write(grey(200, *size))
    sent = fake.sent[0]
    assert sent.shape == (36, 64, 3)
    rows, columns = np.flatnonzero(sent.any(axis=(1, 2))), np.flatnonzero(sent.any(axis=(0, 2)))
    assert len(columns) == 64 or len(rows) == 36
    assert len(columns) / len(rows) == pytest.approx(size[0] / size[1], rel=0.15)
    # In the middle, and nothing but the picture and black.
    assert abs(columns[0] - (63 - columns[-1])) <= 1 and abs(rows[0] - (35 - rows[-1])) <= 1
    assert set(np.unique(sent)) == {0, 200}
    camera.close()


def test_at_its_own_rate_each_frame_is_sent_at_once_and_once(
    fake: type[FakeDevice], clock: Clock
) -> None:
    # As late and as early as real cameras are.
    late = np.random.default_rng(1).uniform(-0.2, 0.2, 100) * STEP
    comes = [0.0, *(float(n * STEP + off) for n, off in enumerate(late, 1))]
    camera = opened(clock)
    assert run(camera, clock, comes, 100 * STEP) == pytest.approx(comes[: len(fake.sent)])
    assert numbers(fake.sent) == list(range(1, len(fake.sent) + 1))
    assert len(fake.sent) >= 100
    camera.close()


@pytest.mark.parametrize("rate", [26, 40, 60, 240])
def test_faster_frames_replace_each_other(fake: type[FakeDevice], clock: Clock, rate: int) -> None:
    camera = opened(clock)
    sent = run(camera, clock, [n / rate for n in range(1, 11 * rate)], 10.0)
    assert len(sent) == pytest.approx(10 * FPS, abs=2)
    assert (np.diff(numbers(fake.sent)) > 0).all(), "in order, none twice"
    camera.close()


def test_without_frames_the_last_one_is_repeated_at_its_rate(
    fake: type[FakeDevice], clock: Clock
) -> None:
    camera = opened(clock)
    sent = run(camera, clock, [0.0], 10.0)
    assert len(sent) == pytest.approx(10 * FPS, abs=1)
    assert np.diff(sent[1:]) == pytest.approx(STEP, abs=1e-4)
    assert set(numbers(fake.sent)) == {1}
    camera.close()


def test_slower_frames_are_each_sent_and_the_gaps_are_filled(
    fake: type[FakeDevice], clock: Clock
) -> None:
    camera = opened(clock)
    comes = [n / 8 for n in range(80)]
    sent = run(camera, clock, comes, 10.0)
    assert 0.85 * 10 * FPS <= len(sent) <= 10 * FPS + 1
    assert set(numbers(fake.sent)) >= set(range(1, 80))
    assert max(np.diff(sent)) <= 2 * STEP
    camera.close()


def test_after_a_long_pause_nothing_is_made_up_for(fake: type[FakeDevice], clock: Clock) -> None:
    camera = opened(clock)
    camera.write(grey(1))
    clock.now += 60.0  # the computer slept
    camera.tick("")
    assert camera.interval_s > 0.5 * STEP
    assert len(fake.sent) == 2
    camera.close()


def test_a_card_stands_in_for_the_camera_until_it_is_back(
    fake: type[FakeDevice], clock: Clock
) -> None:
    camera = opened(clock, 320, 180)
    camera.write(grey(200, 320, 180))
    clock.now += 1.0
    camera.tick("")
    assert (fake.sent[-1] == 200).all()
    for _ in range(3):
        clock.now += 1.0
        camera.tick("file:///home/me/secret.mp4 has stalled: waiting for it.")
        assert np.array_equal(fake.sent[-1], waiting_card(grey(200, 320, 180).image))
    clock.now += 1.0
    camera.tick("")  # it is being opened again: there is still no picture
    assert not (fake.sent[-1] == 200).all()
    clock.now += 1.0
    camera.write(grey(100, 320, 180))
    assert (fake.sent[-1] == 100).all()
    camera.close()


def test_the_card_shows_its_words_on_the_dimmed_picture() -> None:
    card = waiting_card(grey(200, 320, 180).image)
    assert card.shape == (180, 320, 3) and card.dtype == np.uint8
    assert card.max() == 255, "the words are white"
    assert 0.85 < float((card == 70).mean()) < 0.99
    assert (card[:, :8] == 70).all() and (card[:, -8:] == 70).all(), "no word is cut"


@pytest.mark.parametrize("size", [(2, 2), (16, 200), (200, 16)])
def test_the_card_fits_into_any_picture(size: tuple[int, int]) -> None:
    assert waiting_card(grey(200, *size).image).shape == (size[1], size[0], 3)


def test_linux_shows_the_device_by_its_label(
    fake: type[FakeDevice], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video9").mkdir()
    (tmp_path / "video9" / "name").write_text("Realtime Unmask\n")
    monkeypatch.setattr(virtual_camera, "_LABELS", tmp_path)
    fake.name = "/dev/video9"
    camera = opened(clock)
    assert (camera.device, camera.name) == ("/dev/video9", "Realtime Unmask")
    camera.close()


READ_ONE = """
import sys, av
with av.open(sys.argv[1], format="v4l2") as device:
    frame = next(device.decode(video=0)).to_ndarray(format="rgb24")
print(frame.shape[1], frame.shape[0], *frame.mean(axis=(0, 1)).round().astype(int))
"""


def test_a_real_virtual_camera_gives_another_program_the_picture() -> None:
    pytest.importorskip("pyvirtualcam", reason="needs the extra vcam")
    try:
        camera = VirtualCamera(640, 360)
    except VirtualCameraError as error:
        pytest.skip(f"needs a virtual camera: {error}")
    image = np.empty((360, 640, 3), np.uint8)
    image[:] = (180, 90, 40)
    reader = None
    try:
        for _ in range(5):
            camera.write(Frame(image))
        command = [sys.executable, "-c", READ_ONE, camera.device]
        reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while reader.poll() is None:
            camera.write(Frame(image))
        told = reader.communicate(timeout=10)[0].split()
    finally:
        camera.close()
        if reader is not None and reader.poll() is None:
            reader.kill()
    assert told[:2] == ["640", "360"]
    assert np.allclose([int(v) for v in told[2:]], (180, 90, 40), atol=6)
