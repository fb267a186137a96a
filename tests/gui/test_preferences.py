"""What the window remembers, and what it makes of a file that somebody spoilt."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest
from pytestqt.qtbot import QtBot

from realtime_unmask.errors import WindowError
from realtime_unmask.pipeline.live_values import LOST, ROTATIONS
from realtime_unmask.settings import BACKENDS, FACES
from realtime_unmask.ui import preferences
from realtime_unmask.ui.app import display
from realtime_unmask.ui.background import Background
from realtime_unmask.ui.controller import Controller
from realtime_unmask.ui.files import FileJobs
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio, FileUnmasker


def test_what_was_written_is_read(tmp_path: Path) -> None:
    wanted = replace(Preferences(), camera="cam:ä", strength=0.25, rotate=270, badge=False)
    path = tmp_path / "deep" / "window.json"
    assert preferences.write(path, wanted)
    assert preferences.read(path) == wanted


@pytest.mark.parametrize("text", ["", "nonsense", "[1, 2]", "\x00", "null"])
def test_spoilt_file_gives_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "window.json"
    path.write_text(text)
    assert preferences.read(path) == Preferences()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strength", 7.0), ("strength", "1"), ("strength", float("nan")), ("rotate", 45),
        ("view", "none"), ("mirror", 1), ("badge", "no"), ("camera", 3),
        ("resolution", "huge"), ("resolution", "1280x720"), ("audio_offset_ms", 10**9),
        ("window", "x"), ("window", "…"),
    ],
)  # fmt: skip
def test_value_that_makes_no_sense_becomes_the_default(
    tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "window.json"
    path.write_text(json.dumps({name: value, "lost": "blur", "unknown": 1}))
    read = preferences.read(path)
    assert getattr(read, name) == getattr(Preferences(), name)
    assert read.lost == "blur"


def test_they_take_what_a_session_takes_and_have_no_list_of_their_own() -> None:
    taken = {"faces": FACES, "backend": BACKENDS, "lost": LOST, "rotate": ROTATIONS}
    for name, values in taken.items():
        assert preferences._ONE_OF[name] is values


def test_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not preferences.write(tmp_path / "file" / "window.json", Preferences())


def test_they_are_kept_in_the_users_own_folder() -> None:
    path = preferences.default_path()
    assert path is not None and path.name == "window.json"
    assert "realtime-unmask" in path.parts


def no_home(*names: str, **more: object) -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("found", [no_home, lambda *names, **more: Path("~/.config/x")])
def test_a_user_without_a_home_has_no_place_for_them(
    monkeypatch: pytest.MonkeyPatch, found: Callable[..., Path]
) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", found)
    assert preferences.default_path() is None
    assert preferences.read(None) == Preferences()
    assert not preferences.write(None, Preferences())


def test_without_a_home_the_window_goes_on_and_says_once_that_nothing_is_remembered(
    studio: FakeStudio, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.chdir(tmp_path)
    controller = Controller(studio, None)
    window = Window(controller, FileJobs(FileUnmasker))
    controller.setParent(window)
    window.jobs.setParent(window)
    window.show()
    controller.begin()
    qtbot.waitUntil(lambda: controller.state == "running")
    assert [said.key for said in window.notices.shown] == ["preferences"]
    assert controller.folder == tmp_path / "Realtime Unmask"
    controller.own_face.from_camera()
    qtbot.waitUntil(lambda: studio.now.follows is not None)
    assert "until the window is closed" in window.notices.shown[-1].text
    controller.own_face.forget()
    qtbot.waitUntil(lambda: studio.now.follows is None)
    window.close()
    window.deleteLater()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "There is no display"),
        ({"DISPLAY": ":987"}, "does not answer"),
        ({"WAYLAND_DISPLAY": "wayland-7"}, "wayland-7 does not answer"),
        ({"QT_QPA_PLATFORM": "wayland"}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"QT_QPA_PLATFORM": "foo"}, "called foo, which QT_QPA_PLATFORM asks for.* offscreen, "),
        ({"QT_QPA_PLATFORM": "foo:a=1;bar"}, "called foo:a=1;bar, which"),
        ({"QT_QPA_PLATFORM": "foo;xcb"}, "There is no display"),
        ({"QT_QPA_PLATFORM": "foo;XCB:a", "DISPLAY": ":987"}, "display :987 does not answer"),
        ({"QT_QPA_PLATFORM": "foo;wayland", "DISPLAY": ":987"}, "There is no display"),
    ],
)
def test_missing_display_is_a_sentence(
    environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", environment.get("DISPLAY", ""))
    with pytest.raises(WindowError, match=words), display(environment):
        pass


def test_library_that_qt_lacks_for_windows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qt would end the whole program, whichever it is."""

    def load(name: str) -> None:
        if "libqxcb" in name:
            raise OSError("libxcb-icccm.so.4: cannot open shared object file")

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", load)
    words = "libxcb-icccm.*apt-get install .*libxcb-icccm4"
    with pytest.raises(WindowError, match=words), display({"DISPLAY": ":987"}):
        pass


@pytest.mark.parametrize(
    "name",
    ["offscreen", "Offscreen", "minimal:enable_fonts", "foo;minimal", "xcb;wayland;offscreen"],
)
def test_pictures_of_windows_need_no_display(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with display({"QT_QPA_PLATFORM": name}):
        pass


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Wayland is asked through such a socket")
@pytest.mark.parametrize("platform", ["", "foo;wayland-egl", "xcb;wayland"])
def test_wayland_that_answers_is_enough(
    platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)  # a socket's name has to be short
    with socket.socket(socket.AF_UNIX) as desktop:
        desktop.bind("wayland-0")
        desktop.listen()
        there = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": "."}
        with display({**there, "QT_QPA_PLATFORM": platform}):
            pass


def test_background_works_in_order_and_tells_in_this_thread(qtbot: QtBot) -> None:
    work = Background("test")
    told: list[object] = []

    def broken() -> None:
        raise ValueError("odd")

    work.run(lambda: 1, lambda value: told.append((value, threading.current_thread())))
    work.run(broken, failed=lambda error: told.append(str(error)))
    work.run(lambda: 3, told.append)
    assert work.busy
    qtbot.waitUntil(lambda: len(told) == 3)
    assert told == [(1, threading.main_thread()), "odd", 3]
    assert not work.busy
    assert work.close(2)


def test_background_that_is_stuck_is_left_behind() -> None:
    work, gate = Background("test"), threading.Event()
    work.run(lambda: gate.wait(20))
    assert not work.close(0.05)
    gate.set()
    assert work.close(2)
