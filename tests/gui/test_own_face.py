"""The wearer's own face: enrolled, followed before a camera only, remembered, forgotten."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from realtime_unmask.errors import MediaUnsupported
from realtime_unmask.inference import onnxruntime, openvino
from realtime_unmask.ui import own_face
from realtime_unmask.ui.live_studio import LiveStudio
from realtime_unmask.ui.studio import DEMO
from realtime_unmask.ui.window import Window

from .stand_ins import FakeStudio, likeness


def _texts(window: Window) -> str:
    return " ".join(said.text for said in window.controller.sayings.now)


def test_the_face_before_the_camera_is_enrolled_followed_and_remembered(
    window: Window, studio: FakeStudio, preferences_path: Path, qtbot: QtBot
) -> None:
    assert not window.panel.forget_face.isEnabled()
    window.commands["own_face"].trigger()
    qtbot.waitUntil(lambda: studio.now.follows is not None)
    assert isinstance(studio.enrolled[0], np.ndarray) and "frame" in studio.now.asked
    assert window.panel.forget_face.isEnabled()
    assert "follows your face" in window.panel.own_face_now.text()
    kept = own_face.read(preferences_path.with_name("own-face.npz"))
    assert kept is not None
    np.testing.assert_array_equal(kept.crop, likeness().crop)


@pytest.mark.parametrize("blurred", [False, True])
def test_a_blurred_picture_of_it_is_said_to_be_blurred(
    window: Window, studio: FakeStudio, qtbot: QtBot, blurred: bool
) -> None:
    studio.blurred = blurred
    window.controller.own_face.from_photo(Path("me.jpg"))
    qtbot.waitUntil(lambda: "follows your face" in _texts(window))
    assert ("blurred" in _texts(window)) == blurred
    assert studio.now.follows is not None


def test_the_next_window_knows_it_and_can_forget_it(
    open_window: Callable[..., Window], studio: FakeStudio, preferences_path: Path, qtbot: QtBot
) -> None:
    path = preferences_path.with_name("own-face.npz")
    own_face.write(path, likeness())
    window = open_window()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert studio.now.follows is not None
    window.panel.forget_face.click()
    qtbot.waitUntil(lambda: studio.now.follows is None)
    assert not path.exists()
    assert not window.panel.forget_face.isEnabled()


def test_people_in_files_are_not_given_the_wearers_face(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    window.commands["own_face"].trigger()
    qtbot.waitUntil(lambda: studio.now.follows is not None)
    window.controller.choose_source(DEMO)
    assert studio.now.follows is None
    window.commands["own_face"].trigger()  # nor are they taken for the wearer
    assert len(studio.enrolled) == 1
    window.controller.choose_source("cam:b")
    assert studio.now.follows is not None


def test_a_picture_without_a_bare_face_is_refused_in_words(
    window: Window, studio: FakeStudio, preferences_path: Path, qtbot: QtBot
) -> None:
    studio.no_face = MediaUnsupported("The face in the picture wears a mask. Take one without.")
    window.controller.own_face.from_photo(Path("me.jpg"))
    qtbot.waitUntil(lambda: "wears a mask" in _texts(window))
    assert studio.enrolled == [Path("me.jpg")]
    assert studio.now.follows is None
    assert not preferences_path.with_name("own-face.npz").exists()


@pytest.fixture(scope="session")
def onnx_runtime() -> None:
    """Loaded: it keeps files of its own open for as long as the process lives."""
    onnxruntime.probe()


@pytest.mark.usefixtures("onnx_runtime")
def test_a_face_is_looked_at_where_openvino_does_not_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino, "_core", openvino._core.__wrapped__)
    with pytest.raises(MediaUnsupported, match="no face"):
        LiveStudio().enrol(np.full((240, 320, 3), 90, np.uint8))


def test_without_a_picture_there_is_nothing_to_enrol(
    window: Window, studio: FakeStudio, qtbot: QtBot
) -> None:
    window.controller.stop()
    qtbot.waitUntil(lambda: window.controller.state == "ready")
    window.commands["own_face"].trigger()
    assert "Start the camera first." in _texts(window)
    assert studio.enrolled == []


def test_long_words_do_not_widen_the_panel(window: Window) -> None:
    inside = window.panel.widget()
    assert inside is not None
    before = inside.sizeHint().width()
    for label in (window.panel.own_face_now, window.panel.backend_reason):
        label.setText("why it is so, at length: " * 20)
        label.show()
    assert inside.sizeHint().width() == before


@pytest.mark.parametrize("fault", ["missing", "empty", "cut", "text", "form", "nan", "folder"])
def test_a_damaged_file_is_no_face(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "own-face.npz"
    whole = likeness()
    if fault == "folder":
        path.mkdir()
    elif fault == "form":
        np.savez(path, crop=whole.crop[:9], landmarks=whole.landmarks, known=whole.known)
    elif fault == "nan":
        np.savez(path, crop=whole.crop, landmarks=whole.landmarks * np.nan, known=whole.known)
    elif fault != "missing":
        own_face.write(path, whole)
        content = {"empty": b"", "cut": path.read_bytes()[:-200], "text": b"not a face"}
        path.write_bytes(content[fault])
    assert own_face.read(path) is None


def test_a_damaged_file_can_be_forgotten(
    open_window: Callable[..., Window], preferences_path: Path, qtbot: QtBot
) -> None:
    path = preferences_path.with_name("own-face.npz")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a face")
    window = open_window()
    assert "Not known yet" in window.panel.own_face_now.text()
    window.panel.forget_face.click()
    qtbot.waitUntil(lambda: not path.exists())
    qtbot.waitUntil(lambda: not window.panel.forget_face.isEnabled())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_in_its_place_is_no_face(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own-face.npz")
    assert own_face.read(tmp_path / "own-face.npz") is None


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    own_face.write(tmp_path / "own-face.npz", likeness())
    assert (tmp_path / "own-face.npz").stat().st_mode & 0o077 == 0
