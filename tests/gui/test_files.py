"""Photos and videos dropped onto the window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.ui import window as window_module
from realtime_unmask.ui.files import free_name
from realtime_unmask.ui.window import Window

from .stand_ins import GREEN, RED, FakeStudio, FileUnmasker

Open = Callable[..., Window]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.jpg"
    Image.new("RGB", (64, 48), RED).save(path)
    return path


def make_video(path: Path, frames: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            picture = np.full((48, 64, 3), RED, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def drop(window: Window, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    where, keys = QPointF(200, 200), Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where.toPoint(), copy, data, button, keys)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(where, copy, data, button, keys, QEvent.Type.Drop))


@pytest.fixture
def idle(open_window: Open, studio: FakeStudio, qtbot: QtBot) -> Window:
    """A window on a machine without a camera."""
    studio.connected = ()
    window = open_window()
    qtbot.waitUntil(lambda: window.controller.state == "none")
    return window


def finished(window: Window) -> bool:
    return window.card.isVisible() and window.card.close_card.isVisible()


def test_why_a_dropped_file_failed_is_said_in_german(
    german: None, idle: Window, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    drop(idle, tmp_path / "broken.png", tmp_path)
    qtbot.waitUntil(lambda: finished(idle))
    lines = idle.card.text.text().splitlines()
    assert [line.startswith("Mit dieser Datei") for line in lines] == [True, True]
    assert "Im Einzelnen" in lines[0] and "broken.png" in lines[0]


def test_dropped_photo_is_unmasked_beside_the_original_and_shown(
    idle: Window, photo: Path, qtbot: QtBot
) -> None:
    drop(idle, photo)
    qtbot.waitUntil(lambda: finished(idle))
    result = photo.with_name("me-unmasked.png")
    assert Image.open(result).getpixel((5, 5)) == GREEN
    assert str(result) in idle.card.text.text()
    assert idle.pages.currentWidget() is idle.viewport


def test_photo_does_not_take_the_place_of_the_live_picture(
    window: Window, photo: Path, qtbot: QtBot
) -> None:
    drop(window, photo)
    qtbot.waitUntil(lambda: finished(window))
    assert window.viewport._after is not None
    assert window.viewport._after.shape[:2] == (240, 320)


def test_dropped_video_is_unmasked_with_progress(
    idle: Window, tmp_path: Path, qtbot: QtBot
) -> None:
    video = make_video(tmp_path / "talk.mp4", 60)
    shares: list[float] = []
    idle.jobs.progressed.connect(lambda share, frames: shares.append(share))
    drop(idle, video)
    qtbot.waitUntil(lambda: finished(idle), timeout=20_000)
    assert "60" in idle.card.text.text()
    assert (tmp_path / "talk-unmasked.mp4").exists()
    assert shares and 0 < shares[0] <= 1


def test_cancelled_video_leaves_nothing(idle: Window, tmp_path: Path, qtbot: QtBot) -> None:
    drop(idle, make_video(tmp_path / "talk.mp4", 600))
    qtbot.waitUntil(lambda: idle.card.bar.maximum() == 1000, timeout=10_000)
    QTest.mouseClick(idle.card.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: finished(idle), timeout=10_000)
    assert "Cancelled" in idle.card.text.text()
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["talk.mp4"]
    assert not idle.card.open_folder.isVisible()


def test_closing_the_window_cancels(idle: Window, tmp_path: Path, qtbot: QtBot) -> None:
    drop(idle, make_video(tmp_path / "talk.mp4", 600))
    qtbot.waitUntil(lambda: idle.card.bar.maximum() == 1000, timeout=10_000)
    idle.close()
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["talk.mp4"]


def test_closing_the_window_waits_until_what_is_unfinished_is_removed(
    idle: Window, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "_CLOSE_S", 0.1)
    drop(idle, make_video(tmp_path / "talk.mp4", 600))
    qtbot.waitUntil(lambda: idle.card.bar.maximum() == 1000, timeout=10_000)
    process, at_work = FileUnmasker.process, threading.Event()

    def slowly(self: FileUnmasker, frame: Frame, state: object = None) -> FrameResult:
        at_work.set()
        threading.Event().wait(0.8)
        return process(self, frame, state)

    monkeypatch.setattr(FileUnmasker, "process", slowly)
    qtbot.waitUntil(at_work.is_set)
    idle.close()
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["talk.mp4"]


def test_a_file_that_fails_does_not_stop_the_others(
    idle: Window, photo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    broken, text = tmp_path / "broken.png", tmp_path / "notes.txt"
    broken.write_bytes(b"no picture")
    text.write_text("no video")
    drop(idle, broken, text, tmp_path, photo)
    qtbot.waitUntil(lambda: finished(idle), timeout=10_000)
    shown = idle.card.text.text()
    for path in (broken, text):
        assert str(path) in shown
    assert "is a folder" in shown
    assert photo.with_name("me-unmasked.png").exists()


def test_a_file_whose_result_can_have_no_name_does_not_stop_the_others(
    idle: Window, photo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    long = tmp_path / f"{'b' * 245}.png"  # the longest that there can be: nothing can be added
    Image.new("RGB", (64, 48), RED).save(long)
    drop(idle, long, photo)
    qtbot.waitUntil(lambda: finished(idle), timeout=10_000)
    said = idle.card.text.text()
    assert long.stem in said and "fault of this program" not in said
    assert photo.with_name("me-unmasked.png").exists()


def test_of_very_many_files_that_fail_the_first_few_are_named(
    idle: Window, tmp_path: Path, qtbot: QtBot
) -> None:
    texts = [tmp_path / f"notes{number}.txt" for number in range(200)]
    for text in texts:
        text.write_text("no video")
    drop(idle, *texts)
    qtbot.waitUntil(lambda: finished(idle), timeout=10_000)
    lines = idle.card.text.text().splitlines()
    assert all(text.name in line for text, line in zip(texts, lines[:5], strict=False))
    assert lines[5:] == ["and 195 more that failed"]


def test_files_dropped_while_others_are_at_work_take_nothing_away_from_their_results(
    idle: Window, photo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    ends: list[bool] = []
    idle.jobs.ended.connect(ends.append)
    drop(idle, broken)
    drop(idle, photo)
    qtbot.waitUntil(lambda: finished(idle) and not idle.jobs.busy)
    shown = idle.card.text.text()
    assert str(broken) in shown and "me-unmasked.png" in shown
    assert ends == [False]


def test_files_dropped_right_after_cancel_are_unmasked(
    idle: Window, photo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    drop(idle, make_video(tmp_path / "talk.mp4", 600))
    qtbot.waitUntil(lambda: idle.card.bar.maximum() == 1000, timeout=10_000)
    QTest.mouseClick(idle.card.cancel, Qt.MouseButton.LeftButton)
    drop(idle, photo)
    qtbot.waitUntil(lambda: finished(idle), timeout=10_000)
    assert "me-unmasked.png" in idle.card.text.text()
    assert not (tmp_path / "talk-unmasked.mp4").exists()


@pytest.mark.parametrize("name", ["me.heic", "me.HEIF", "me.avif"])
def test_photos_that_cannot_be_read_are_called_photos(
    idle: Window, tmp_path: Path, qtbot: QtBot, name: str
) -> None:
    (tmp_path / name).write_bytes(bytes(12))
    drop(idle, tmp_path / name)
    qtbot.waitUntil(lambda: finished(idle))
    assert "Save it as JPEG or PNG first." in idle.card.text.text()


def test_folder_and_result_can_be_opened(
    idle: Window, photo: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    drop(idle, photo)
    qtbot.waitUntil(lambda: finished(idle))
    QTest.mouseClick(idle.card.open_folder, Qt.MouseButton.LeftButton)
    QTest.mouseClick(idle.card.open_file, Qt.MouseButton.LeftButton)
    assert opened == [str(photo.parent), str(photo.with_name("me-unmasked.png"))]
    QTest.mouseClick(idle.card.close_card, Qt.MouseButton.LeftButton)
    assert not idle.card.isVisible()


def test_results_never_replace_anything(photo: Path) -> None:
    assert free_name(photo, ".png").name == "me-unmasked.png"
    photo.with_name("me-unmasked.png").touch()
    photo.with_name("me-unmasked-2.partial.png").touch()
    assert free_name(photo, ".png").name == "me-unmasked-3.png"


def test_files_can_be_chosen_with_a_key(
    idle: Window, photo: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda self: [str(photo)])
    QTest.keyClick(idle, "O", Qt.KeyboardModifier.ControlModifier)
    dialog = idle.findChild(QFileDialog)
    assert dialog is not None
    dialog.accepted.emit()
    dialog.reject()
    qtbot.waitUntil(lambda: finished(idle))
    assert photo.with_name("me-unmasked.png").exists()


def test_folder_for_recordings_can_be_chosen(
    idle: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda self: [str(tmp_path / "mine")])
    idle.panel.ensureWidgetVisible(idle.panel.folder)
    QTest.mouseClick(idle.panel.folder, Qt.MouseButton.LeftButton)
    dialog = idle.findChild(QFileDialog)
    assert dialog is not None
    dialog.accepted.emit()
    dialog.reject()
    assert idle.controller.folder == tmp_path / "mine"
    assert str(tmp_path / "mine") in idle.panel.folder_now.text()
