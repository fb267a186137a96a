"""A live session with a camera in a process of its own: hangs, unplugs, and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from realtime_unmask.capture.camera_process import ProcessSource
from realtime_unmask.pipeline.live import LiveSession
from tests.unit.capture import devices_for_tests as devices
from tests.unit.pipeline.live_fakes import (
    FakeUnmasker,
    books_balance,
    kinds,
    live_threads,
    wait_until,
)


@dataclass
class Steered:
    """The camera that files in `folder` steer; a SourceSpec."""

    folder: Path
    name: str = "Steered camera"
    opens_in_s: float = 8.0
    made: list[ProcessSource] = field(default_factory=list)

    def open(self) -> ProcessSource:
        self.made.append(ProcessSource(devices.steered, (str(self.folder),)))
        return self.made[-1]

    def set(self, name: str, on: bool) -> None:
        path = self.folder / name
        path.touch() if on else path.unlink()


@pytest.fixture
def camera(tmp_path: Path) -> Steered:
    return Steered(tmp_path)


@pytest.fixture
def session(camera: Steered) -> Iterator[LiveSession]:
    made = LiveSession(camera, FakeUnmasker)
    made.start()
    wait_until(lambda: made.stats().shown > 5, "pictures", 15)
    yield made
    assert made.stop() == ()
    assert books_balance(made)
    assert live_threads() == []
    assert all(source.pid == 0 for source in camera.made)


def test_a_driver_that_hangs_is_noticed_killed_and_started_again(
    camera: Steered, session: LiveSession
) -> None:
    camera.set("hang", True)
    wait_until(lambda: "stalled" in kinds(session), "the notice")
    wait_until(lambda: camera.made[0].pid == 0, "the old process is gone")
    camera.set("hang", False)
    shown = session.stats().shown
    wait_until(lambda: session.stats().shown > shown + 5, "pictures again", 20)
    wait_until(lambda: kinds(session) == set(), "nothing more to say")
    assert len(camera.made) >= 2


def test_a_camera_that_was_unplugged_comes_back(camera: Steered, session: LiveSession) -> None:
    camera.set("gone", True)
    wait_until(lambda: "no_camera" in kinds(session), "the notice")
    time.sleep(1.0)
    shown = session.stats().shown
    camera.set("gone", False)
    wait_until(lambda: session.stats().shown > shown, "pictures again")
    wait_until(lambda: "no_camera" not in kinds(session), "the notice goes away")


def test_stop_comes_at_once_from_a_read_that_hangs(camera: Steered, session: LiveSession) -> None:
    camera.set("hang", True)
    time.sleep(0.3)
    began = time.monotonic()
    assert session.stop() == ()
    assert time.monotonic() - began < 2


def test_a_stop_while_the_camera_is_opened_leaves_no_process(camera: Steered) -> None:
    for wait_s in (0.0, 0.05, 0.3):
        session = LiveSession(camera, FakeUnmasker)
        session.start()
        time.sleep(wait_s)
        assert session.stop() == ()
    assert all(source.pid == 0 for source in camera.made)
    assert live_threads() == []
