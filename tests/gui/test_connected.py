"""Looking for cameras: while there is none, after it failed, and not while something is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from realtime_unmask.ui import connected
from realtime_unmask.ui.studio import Camera
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio, KindError

Open = Callable[..., Window]


def words(window: Window) -> str:
    return " ".join(notice.text for notice in window.notices.shown)


def state_is(window: Window, state: str) -> Callable[[], bool]:
    return lambda: window.controller.state == state


def test_cameras_that_cannot_be_listed_are_looked_for_again_and_that_is_said_once(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def cannot(self: FakeStudio) -> tuple[Camera, ...]:
        looks.append("again")
        raise KindError("camera_denied", "Nobody may list cameras.")

    listed = FakeStudio.cameras
    monkeypatch.setattr(connected, "_SEARCH_MS", 20)
    monkeypatch.setattr(FakeStudio, "cameras", cannot)
    window = open_window()
    qtbot.waitUntil(state_is(window, "none"))
    assert "Nobody may list cameras." in words(window)
    window.notices.closed.emit(window.notices.shown[0].key)
    seen = len(looks)
    qtbot.waitUntil(lambda: len(looks) > seen + 2)
    assert window.notices.shown == ()
    monkeypatch.setattr(FakeStudio, "cameras", listed)
    qtbot.waitUntil(state_is(window, "running"))


def test_why_cameras_cannot_be_listed_is_taken_back_when_they_can(
    open_window: Open, studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(FakeStudio, "cameras", lambda self: 1 / 0)
        window = open_window()
        qtbot.waitUntil(state_is(window, "none"))
        assert words(window) != ""
    window.bar.camera.opened.emit()
    qtbot.waitUntil(state_is(window, "running"))
    assert words(window) == ""


def test_cameras_are_not_looked_for_while_a_clip_plays(
    open_window: Open, studio: FakeStudio, qtbot: QtBot
) -> None:
    studio.connected = ()
    window = open_window()
    qtbot.waitUntil(state_is(window, "none"))
    assert window.controller.connected.search.isActive()
    window.controller.show_demo()
    qtbot.waitUntil(state_is(window, "running"))
    assert not window.controller.connected.search.isActive()
