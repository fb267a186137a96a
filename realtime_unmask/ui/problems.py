"""What went wrong, with what to do next, in the words and language of the window."""

from __future__ import annotations

import sys

from PyQt6.QtCore import QCoreApplication, QLocale

from realtime_unmask import missing
from realtime_unmask.errors import (
    AssetError,
    EngineError,
    MediaDamaged,
    MediaError,
    MediaMissing,
    OutputError,
    UnmaskError,
    UsageError,
)
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.studio import Problem

V4L2LOOPBACK = (
    "sudo apt-get install v4l2loopback-dkms && "
    'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="Realtime Unmask"'
)
OPEN_VIDEO = "sudo usermod -aG video $USER"
_NOT_KEPT = " cannot be kept"  # of what is built for it, and has a line that says where
_GAVE_UP = "the CPU goes on."  # so ends what is said of a GPU that could not be got ready
# What an error is that does not say so itself: the first that fits.
_KINDS: tuple[tuple[type[UnmaskError], str], ...] = (
    (MediaMissing, "file_missing"),
    (MediaDamaged, "file_damaged"),
    (MediaError, "file_unsupported"),
    (OutputError, "not_written"),
    (EngineError, "engines"),
    (AssetError, "incomplete"),
    (UsageError, "refused"),
    (UnmaskError, "fault"),
)


translate = QCoreApplication.translate


def advice(kind: str) -> tuple[str, str, tuple[str, ...]]:
    """What can be done about a problem.

    Args:
        kind: that of a Problem, or of an error that has one.

    Returns:
        (a sentence, "" if the error's own says it all; commands to copy; names of buttons).
    """
    linux = sys.platform.startswith("linux")
    if kind == "no_virtual_camera":
        if linux:
            return (
                translate(
                    "problems",
                    "On Linux the kernel module v4l2loopback makes virtual cameras. Run this in "
                    "a terminal, then switch the virtual camera on again:",
                ),
                V4L2LOOPBACK,
                ("page",),
            )
        return (
            translate(
                "problems",
                "Install OBS Studio (its virtual camera is used), start that camera once in OBS "
                "and stop it there, then switch it on here again.",
            ),
            "",
            ("page",),
        )
    if kind == "no_vcam_package":
        return (
            translate(
                "problems",
                "Virtual cameras need an extra package. Install it, then start this program anew:",
            ),
            missing.install_extra("vcam"),
            ("page",),
        )
    if kind == "camera_denied":
        if linux:
            return (
                translate("problems", "Allow yourself the use of cameras, then log in anew:"),
                OPEN_VIDEO,
                ("again",),
            )
        return (
            translate(
                "problems", "Allow the camera in the system's privacy settings, then try again."
            ),
            "",
            ("again",),
        )
    if kind == "camera_busy":
        return (
            translate(
                "problems",
                "Close the other program that uses the camera, or choose another camera.",
            ),
            "",
            ("again",),
        )
    if kind in ("no_camera", "camera_failed", "no_stream"):
        return "", "", ("again", "demo")
    if kind == "no_sound":
        return translate("problems", "The recording has no sound."), "", ()
    if kind == "no_microphone":
        return (
            translate("problems", "To record without sound, switch “Record sound” off."),
            "",
            (),
        )
    if kind == "disk_full":
        return (
            translate(
                "problems",
                "Free some space, or choose another folder. What was recorded so far plays.",
            ),
            "",
            ("folder",),
        )
    return "", "", ()


def button_text(name: str) -> str:
    """What a notice's button says."""
    return {
        "again": translate("problems", "Try again"),
        "demo": translate("problems", "Show the demo clip"),
        "page": translate("problems", "Use a web page instead"),
        "folder": translate("problems", "Choose another folder"),
    }[name]


def _states() -> dict[str, str]:
    """What is the matter, for those kinds that need no more than their name to be said."""
    return {
        "opening": translate("problems", "Waiting for the first picture."),
        "stalled": translate("problems", "The picture has stalled: waiting for it."),
        "asleep": translate("problems", "The camera is released: nobody looks at its picture."),
        "loading": translate(
            "problems",
            "The networks are being loaded. Until they are ready, you see the camera’s picture.",
        ),
        "late": translate(
            "problems",
            "The networks take too long. Until they answer, you see the camera’s picture.",
        ),
        "gpu": translate(
            "problems", "A faster engine is being made ready; it takes over by itself."
        ),
        "gpu_failed": translate("problems", "The GPU could not be made ready; the CPU goes on."),
        "quality": translate("problems", "This computer is busy: some work is left out."),
        "choose_face": translate("problems", "Click a face to see it without its mask."),
        "sound_lost": translate(
            "problems", "The microphone gives no sound any more: the recording goes on without."
        ),
        "disk_full": translate("problems", "The disk is full."),
        "camera_busy": translate("problems", "The camera is used by another program."),
        "camera_denied": translate("problems", "This program may not use the camera."),
        "no_camera": translate("problems", "The camera is not there. Connect it: it is noticed."),
        "no_virtual_camera": translate("problems", "There is no virtual camera on this computer."),
        "virtual_camera_gone": translate("problems", "The virtual camera is gone."),
        "no_vcam_package": translate("problems", "A package for virtual cameras is missing."),
        "no_picture": translate(
            "problems", "There is no picture yet. Wait for it, then try again."
        ),
        "source_stuck": translate("problems", "The source does not answer; it was left behind."),
        "engines_stuck": translate(
            "problems", "The networks are still at work; they end by themselves."
        ),
        **_unsuitable_faces(),
        **_kinds_in_detail(),
    }


def _unsuitable_faces() -> dict[str, str]:
    """Why the paint cannot follow the face in a picture."""
    return {
        "no_face": translate(
            "problems", "The picture shows no face. Take one from the front, in good light."
        ),
        "several_faces": translate(
            "problems", "The picture shows several faces. Cut out the one that is meant."
        ),
        "small_face": translate(
            "problems", "The face in the picture is too small. Come closer, or take a larger one."
        ),
        "masked_face": translate(
            "problems",
            "The face in the picture wears a mask, or stands on its head. Take an upright one "
            "without a mask.",
        ),
        "cut_face": translate(
            "problems", "The picture cuts the face in it. Take one that shows all of it."
        ),
        "dark_face": translate(
            "problems", "The face in the picture is too dark. Take one in good light."
        ),
    }


def _kinds_in_detail() -> dict[str, str]:
    """Of those kinds whose own words say what the name cannot: which file, and why."""
    return {
        "source": translate("problems", "This source cannot be shown."),
        "no_stream": translate("problems", "No picture comes from this address."),
        "camera_failed": translate("problems", "The camera does not work."),
        "no_microphone": translate("problems", "Sound cannot be recorded."),
        "no_sound": translate("problems", "The microphone cannot be used."),
        "engines": translate("problems", "The networks cannot be run as was chosen."),
        "engine_lost": translate("problems", "What ran the networks is gone; the CPU goes on."),
        "output_failed": translate("problems", "An output has failed and is off."),
        "virtual_camera_refused": translate("problems", "The virtual camera cannot be used."),
        "file_missing": translate("problems", "The file is not there, or may not be read."),
        "file_damaged": translate("problems", "The file is damaged, or ends too soon."),
        "file_unsupported": translate("problems", "This program cannot use that file."),
        "not_written": translate("problems", "A file cannot be written or deleted."),
        "incomplete": translate("problems", "Something that this program needs is missing."),
        "output_unfinished": translate("problems", "An output is not finished yet."),
        "refused": translate("problems", "This cannot be done."),
        "fault": translate("problems", "There is a fault in this program."),
    }


def _text(kind: str, given: str) -> str:
    """`given` in English; in other languages the words for `kind`, where there are any.

    What comes from below is in English, and says more than the kind: names and numbers. Where
    it takes those to do anything about it, they follow.
    """
    if kind == "gpu":
        kind = "gpu_failed" if given.endswith(_GAVE_UP) else kind
        kind = "not_written" if _NOT_KEPT in given else kind
    words = _states().get(kind, "")
    english = QLocale().language() in (QLocale.Language.English, QLocale.Language.C)
    if given and (english or not words):
        return given
    if given and kind in _kinds_in_detail():
        more = translate("problems", "{words} In detail: {given}")
        return more.format(words=words, given=given)
    return words


def sentence(error: Exception) -> str:
    """What `error` says to a person, in the language of now."""
    return _text(_kind(error), _own_words(error))


def _kind(error: Exception) -> str:
    found = "incomplete" if missing.words(error) else str(getattr(error, "kind", ""))
    return found or next((kind for one, kind in _KINDS if isinstance(error, one)), "")


def _own_words(error: Exception) -> str:
    if isinstance(error, UnmaskError):
        return str(error)
    if lacking := missing.words(error):
        return lacking
    return translate("problems", "A fault of this program ({detail}). Please report it.").format(
        detail=f"{type(error).__name__}: {error}".rstrip(": ")
    )


def said(key: str, matter: Exception | Problem, *, passing: bool = False) -> Said:
    """The notice on `matter`, with what to do next.

    Args:
        key: what it is about.
        passing: it goes away by itself.
    """
    if not isinstance(matter, Problem):
        # Not kept itself: an error holds on to all that was under way where it was raised.
        matter = Problem(_kind(matter), _own_words(matter), True)
    kind, given, grave = matter.kind, matter.text, matter.grave
    text = _text(kind, given)
    more, commands, buttons = advice(kind)
    if kind == "disk_full" and text == given != _states()[kind]:
        more = ""  # its own words are more than the kind's, and end with that
    return Said(
        key,
        f"{text} {more}".strip(),
        grave,
        commands,
        tuple((name, button_text(name)) for name in buttons),
        passing,
        matter,
    )
