"""`bench` with the window open: what is measured was drawn."""

from __future__ import annotations

from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import qWarning
from pytestqt.qtbot import QtBot

from realtime_unmask.bench import live as bench_live
from realtime_unmask.bench import scene
from realtime_unmask.errors import EngineError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.settings import Settings
from realtime_unmask.ui import measured
from realtime_unmask.ui.measured import MeasuredWindow
from tests.unit.pipeline.live_fakes import FakeUnmasker


@pytest.fixture(scope="module", autouse=True)
def shared_memory() -> None:
    """What watches over it in Python lives as long as the process, with a pipe."""
    resource_tracker.ensure_running()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_live, "_PATIENCE_S", 3.0)


def test_frames_are_counted_when_the_window_has_drawn_them(
    qtbot: QtBot, qtlog: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures = scene.jpegs(320, 240, 1, 4)
    live = bench_live.at_camera_pace(
        Settings(), pictures, 1, 1.0, MeasuredWindow(), lambda settings: FakeUnmasker(settings)
    )
    assert live.window == "offscreen"
    assert live.captured == live.shown + sum(live.drops.values()) + live.in_flight
    assert live.shown > 0 and live.age_ms.p50 > 0
    heard = [capfd.readouterr().err, *(record.message for record in qtlog.records)]
    assert not any("propagateSizeHints" in one for one in heard)


def test_what_else_qt_says_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with measured._no_complaint():
        qWarning(b"Something is wrong")
        qWarning(measured._COMPLAINT.encode())
    assert capfd.readouterr().err == "Something is wrong\n"


def test_what_is_wrong_is_raised_from_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    def fail(settings: Settings) -> FakeUnmasker:
        raise EngineError("No network loads.")

    session = LiveSession(scene.write(scene.jpegs(320, 240, 1, 1), tmp_path), fail)
    with pytest.raises(EngineError, match="No network loads"):
        MeasuredWindow()(session, bench_live.Watch(session, 1, 1.0))
