"""What is said above the picture."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QAbstractButton, QApplication, QFrame, QLabel
from pytestqt.qtbot import QtBot

import realtime_unmask
from realtime_unmask.errors import (
    AssetError,
    EngineDamaged,
    FaceUnsuitable,
    MediaDamaged,
    MediaMissing,
    MediaUnsupported,
    OutputError,
    UnmaskError,
    WebPageError,
)
from realtime_unmask.ui import problems
from realtime_unmask.ui.app import Language
from realtime_unmask.ui.notices import NoticeBar, Said
from realtime_unmask.ui.strip import Strip
from realtime_unmask.ui.studio import Problem
from realtime_unmask.ui.window import Window


def _contrast(bar: NoticeBar) -> int:
    """Between a notice's letters and its ground: lightness, 0..255; 0 while it is not shown."""
    rows = [one for one in bar.findChildren(QFrame) if type(one) is QFrame and one.isVisible()]
    if not rows:
        return 0
    row = rows[0]
    text = next(one for one in row.findChildren(QLabel) if one.text())
    ground = row.palette().color(QPalette.ColorRole.Window)
    letters = text.palette().color(QPalette.ColorRole.WindowText)
    return abs(ground.lightness() - letters.lightness())


def test_a_notice_can_be_read_after_the_system_turned_dark(
    qapp: QApplication, qtbot: QtBot
) -> None:
    before = qapp.palette()
    bar = NoticeBar()
    qtbot.addWidget(bar)
    try:
        for ground in (QColor(239, 239, 239), QColor(45, 45, 45), QColor(239, 239, 239)):
            qapp.setPalette(QPalette(ground))
            bar.show_notices([Said("a", "The disk is full.", True)])
            bar.show()
            qtbot.wait(50)  # the change of colours is told by an event
            qtbot.waitUntil(lambda: _contrast(bar) > 120, timeout=1000)
    finally:
        qapp.setPalette(before)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Building for the GPU: editor, TensorRT 10, sm_86, fp16", "wird bereitet"),
        ("Getting the GPU ready failed (exit code 1); the CPU goes on.", "die CPU macht weiter"),
        ("The GPU cannot be got ready (No memory); the CPU goes on.", "die CPU macht weiter"),
        ("TensorRT is passed over: It cannot be kept in /x.", "geschrieben .*: TensorRT .* in /x"),
    ],
)
def test_a_gpu_that_was_given_up_is_not_said_to_come(german: None, given: str, words: str) -> None:
    assert re.search(words, problems.said("x", Problem("gpu", given)).text)


# Errors that say their kind themselves, as the last argument.
WITH_KIND = ("CameraError", "VirtualCameraError", "FaceUnsuitable")
ENGLISH = "The English words."
# Their own words say which file, which device, and why.
IN_DETAIL = (
    "source", "no_stream", "camera_failed", "engines", "engine_lost", "output_failed",
    "virtual_camera_refused", "no_microphone", "no_sound", "file_missing", "file_damaged",
    "file_unsupported", "not_written", "incomplete", "output_unfinished", "refused", "fault",
)  # fmt: skip
BY_NAME = (
    "opening", "stalled", "asleep", "loading", "late", "gpu", "quality", "choose_face",
    "sound_lost", "disk_full", "camera_busy", "camera_denied", "no_camera", "no_virtual_camera",
    "virtual_camera_gone", "no_vcam_package", "no_picture", "no_face", "several_faces",
    "small_face", "masked_face", "cut_face", "dark_face", "source_stuck", "engines_stuck",
)  # fmt: skip


@pytest.mark.parametrize("kind", BY_NAME + IN_DETAIL)
def test_each_kind_of_problem_is_said_in_german(german: None, kind: str) -> None:
    said = problems.said("x", Problem(kind, ENGLISH)).text
    assert not said.startswith((ENGLISH, "Im Einzelnen"))
    assert (f" Im Einzelnen: {ENGLISH}" in said) == (kind in IN_DETAIL)


def kinds_in_the_code() -> Iterator[str]:
    """What errors and notices are made with in the program, where they say their kind."""
    for path in Path(realtime_unmask.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in (*WITH_KIND, "Notice", "Problem"):
                kind = node.args[-1 if name in WITH_KIND else 0]
                if isinstance(kind, ast.Constant):
                    yield kind.value


def test_the_package_for_virtual_cameras_is_installed_into_the_python_that_runs() -> None:
    command = problems.advice("no_vcam_package")[1]
    assert command.startswith(sys.executable) and "-m pip install '" in command
    assert command.endswith("[vcam]'")


def test_a_package_that_is_missing_is_no_fault_of_the_program(german: None) -> None:
    said = problems.sentence(ModuleNotFoundError("No module named 'cv2'", name="cv2"))
    assert "Fehler dieses Programms" not in said and not said.startswith("The package")
    assert "The package opencv-python is missing in this Python" in said


def test_the_window_has_words_for_each_kind_of_trouble() -> None:
    found = set(kinds_in_the_code())
    wanted = {"no_camera", "no_vcam_package", "dark_face", "engines_stuck", "loading"}
    assert wanted <= found <= {*BY_NAME, *IN_DETAIL}


def classes_of_errors(base: type[UnmaskError] = UnmaskError) -> Iterator[type[UnmaskError]]:
    yield base
    for one in base.__subclasses__():
        if one.__module__ == base.__module__:
            yield from classes_of_errors(one)


@pytest.mark.parametrize(
    "error", [one for one in classes_of_errors() if one.__name__ not in WITH_KIND]
)
def test_no_error_is_said_in_english_alone(german: None, error: type[UnmaskError]) -> None:
    for text in (problems.sentence(error(ENGLISH)), problems.said("x", error(ENGLISH)).text):
        assert not text.startswith((ENGLISH, "Im Einzelnen"))
        assert text.endswith(f" Im Einzelnen: {ENGLISH}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MediaMissing(ENGLISH), "Die Datei ist nicht da"),
        (MediaDamaged(ENGLISH), "Die Datei ist beschädigt"),
        (MediaUnsupported(ENGLISH), "Mit dieser Datei"),
        (OutputError(ENGLISH), "Eine Datei kann nicht geschrieben"),
        (WebPageError(ENGLISH), "Eine Ausgabe ist ausgefallen"),
        (EngineDamaged(ENGLISH), "Die Netze können"),
        (AssetError(ENGLISH), "Etwas, das dieses Programm braucht"),
        (KeyError(ENGLISH), "Ein Fehler dieses Programms"),
    ],
)
def test_errors_without_a_kind_are_said_in_german_with_their_own_words(
    german: None, error: Exception, words: str
) -> None:
    for text in (problems.sentence(error), problems.said("x", error).text):
        assert text.startswith(words) and ENGLISH in text


def test_why_no_face_was_remembered_is_said_in_german_alone(german: None) -> None:
    text = problems.said("own_face", FaceUnsuitable(ENGLISH, "dark_face")).text
    assert text.startswith("Das Gesicht im Bild ist zu dunkel") and ENGLISH not in text


def test_why_frames_were_dropped_is_said_in_german(german: None, qtbot: QtBot) -> None:
    strip = Strip()
    qtbot.addWidget(strip)
    causes = ("capture", "worker busy", "late", "stopped")
    strip.show_figures((30, 20), (1, 2), dict.fromkeys(causes, 3), "openvino")
    lines = strip.drops.toolTip().splitlines()
    assert len(lines) == 4
    assert not any(line.startswith(cause) for line, cause in zip(lines, causes, strict=True))


def test_what_is_said_already_changes_its_language(
    window: Window, qapp: QApplication, qtbot: QtBot
) -> None:
    language = Language(qapp)
    window.controller.say(problems.said("virtual_camera", Problem("no_vcam_package", "", True)))
    copy = [one.text() for one in window.notices.findChildren(QAbstractButton)]
    assert "missing" in window.notices.shown[0].text and "Copy" in copy
    try:
        language.choose("de")
        qtbot.waitUntil(lambda: "fehlt" in window.notices.shown[0].text)
        qtbot.waitUntil(
            lambda: "Kopieren" in [b.text() for b in window.notices.findChildren(QAbstractButton)]
        )
    finally:
        language.choose("en")
    qtbot.waitUntil(lambda: "missing" in window.notices.shown[0].text)
