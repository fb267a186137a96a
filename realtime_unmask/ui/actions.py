"""All that the window can do, each with its key: one table, from which the sheet is made too."""

from __future__ import annotations

from collections.abc import Iterator

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QActionGroup, QKeySequence
from PyQt6.QtWidgets import QWidget

# By section, in the order of the sheet: name -> keys. The first key is the one that is shown.
KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "camera": {
        "start": ("S",),
        "next_camera": ("C",),
        "next_resolution": ("Z",),
        "mirror": ("M",),
        "rotate": ("T",),
        "open": ("Ctrl+O",),
    },
    "view": {
        "view_result": ("1",),
        "view_wipe": ("2",),
        "view_map": ("3",),
        "view_side_by_side": ("4",),
        "zoom_in": ("+", "="),
        "zoom_out": ("-",),
        "zoom_reset": ("0",),
        "full_screen": ("F", "F11"),
    },
    "painting": {
        "next_faces": ("A",),
        "next_lost": ("L",),
        "stronger": ("]",),
        "weaker": ("[",),
        "softer": ("'",),
        "harder": (";",),
        "colour_match": ("K",),
        "own_face": ("U",),
        "own_photo": ("I",),
        "forget_face": ("Ctrl+U",),
        "next_backend": ("E",),
    },
    "out": {
        "snapshot": ("P",),
        "record": ("R",),
        "microphone": ("N",),
        "virtual_camera": ("V",),
        "page": ("W",),
        "badge": ("B",),
    },
    "program": {
        "panel": ("G",),
        "details": ("D",),
        "help": ("?", "F1"),
        "quit": ("Ctrl+Q",),
    },
}
_CHECKABLE = frozenset(
    "start mirror view_result view_wipe view_map view_side_by_side full_screen colour_match "
    "record microphone virtual_camera page badge panel details".split()
)


class Actions(QObject):
    """The window's QActions by name; `owner` is where their keys work."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._made: dict[str, QAction] = {}
        views = QActionGroup(self)
        for section in KEYS.values():
            for name, keys in section.items():
                action = QAction(owner)
                action.setObjectName(name)
                action.setShortcuts([QKeySequence(key) for key in keys])
                action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
                action.setCheckable(name in _CHECKABLE)
                action.setAutoRepeat(name in ("stronger", "weaker", "softer", "harder"))
                if name.startswith("view_"):
                    views.addAction(action)
                owner.addAction(action)
                self._made[name] = action
        self.retranslate()

    def __getitem__(self, name: str) -> QAction:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def retranslate(self) -> None:
        """Words in the language of now; each tool tip ends with the key."""
        for name, text in self._texts().items():
            action = self._made[name]
            action.setText(text)
            key = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{text} ({key})")

    def sections(self) -> dict[str, str]:
        """The heading of each section of KEYS."""
        return {
            "camera": self.tr("Camera"),
            "view": self.tr("View"),
            "painting": self.tr("Painting"),
            "out": self.tr("Out of the window"),
            "program": self.tr("Program"),
        }

    def _texts(self) -> dict[str, str]:
        return {
            "start": self.tr("Start or stop the camera"),
            "next_camera": self.tr("Next camera"),
            "next_resolution": self.tr("Next resolution"),
            "mirror": self.tr("Mirror"),
            "rotate": self.tr("Turn by a quarter"),
            "open": self.tr("Unmask a photo or a video…"),
            "view_result": self.tr("Result"),
            "view_wipe": self.tr("Before | after"),
            "view_map": self.tr("What is painted"),
            "view_side_by_side": self.tr("Side by side"),
            "zoom_in": self.tr("Closer"),
            "zoom_out": self.tr("Farther"),
            "zoom_reset": self.tr("Whole picture"),
            "full_screen": self.tr("Full screen"),
            "next_faces": self.tr("Which faces: next choice"),
            "next_lost": self.tr("When a face is lost: next choice"),
            "stronger": self.tr("Stronger paint"),
            "weaker": self.tr("Weaker paint"),
            "softer": self.tr("Softer edge"),
            "harder": self.tr("Harder edge"),
            "colour_match": self.tr("Match colours"),
            "own_face": self.tr("Remember my bare face, as the camera shows it"),
            "own_photo": self.tr("Remember my bare face from a photo…"),
            "forget_face": self.tr("Forget my face"),
            "next_backend": self.tr("Next backend"),
            "snapshot": self.tr("Take a picture"),
            "record": self.tr("Record"),
            "microphone": self.tr("Record sound"),
            "virtual_camera": self.tr("Virtual camera"),
            "page": self.tr("Web page on this computer"),
            "badge": self.tr("“AI-reconstructed” badge"),
            "panel": self.tr("Settings"),
            "details": self.tr("Details"),
            "help": self.tr("Keys"),
            "quit": self.tr("Quit"),
        }
