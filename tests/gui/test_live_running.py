"""What stands between the window and a live session."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.errors import OutputError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.sinks.live_recording import LiveRecording
from realtime_unmask.ui.live_studio import LiveRunning
from realtime_unmask.ui.preferences import Preferences
from tests.unit.pipeline.live_fakes import FakeUnmasker, wait_until


def _running(camera: ScriptedCamera, monkeypatch: pytest.MonkeyPatch) -> LiveRunning:
    session = LiveSession(camera, FakeUnmasker)
    monkeypatch.setattr(session, "attach", partial(session.attach, timeout_s=0.5))
    session.start()
    return LiveRunning("scripted", session)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRunning]:
    """A camera that gives no picture."""
    running = _running(ScriptedCamera([Step(stall_s=60)]), monkeypatch)
    yield running
    running.close()


def _pages() -> int:
    return sum(one.name == "web page" for one in threading.enumerate())


def test_a_page_for_which_no_picture_came_is_taken_down(silent: LiveRunning) -> None:
    assert silent.page(True).startswith("http://127.0.0.1:")
    assert _pages() == 1
    assert silent.page(False) == ""
    assert _pages() == 0


def test_a_page_for_which_no_picture_came_ends_with_the_source(silent: LiveRunning) -> None:
    silent.page(True)
    silent.close()
    assert _pages() == 0


def test_a_recording_that_could_not_be_finished_is_not_called_complete_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = _running(ScriptedCamera(), monkeypatch)
    running.record(tmp_path, Preferences(microphone=False))
    wait_until(lambda: running.recorded_s() > 0.1, "a recording")

    def fail(self: LiveRecording) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(LiveRecording, "close", fail)
    with pytest.raises(OutputError, match="disk is full"):
        running.stop_recording()
    assert running.stop_recording() is None
    running.close()
