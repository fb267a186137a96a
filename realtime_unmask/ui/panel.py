"""The settings beside the picture. It shows what is in force and says what a person changes."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QLocale, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGroupBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from realtime_unmask.ui.fields import Amount, CalmSpinBox, Choice, Copyable, labelled
from realtime_unmask.ui.preferences import Preferences

Options = list[tuple[str, Any]]


class Panel(QScrollArea):
    """The settings, in six groups.

    Signals:
        changed(name, value): a person chose another value for that field of Preferences.
        asked(name): a person pressed the button or the switch of that action.
    """

    changed = pyqtSignal(str, object)
    asked = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._labels: dict[str, QLabel] = {}
        self._groups: dict[str, QGroupBox] = {}
        self._preferences = Preferences()
        self._own_face_known = False
        self._make_fields()
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._arrange()
        self.setWidget(inside)
        self.retranslate()
        self.show_preferences(self._preferences)

    def _make_fields(self) -> None:
        self.resolution = self._choice("resolution")
        self.mirror = self._switch("mirror")
        self.rotate = self._choice("rotate")
        self.faces = self._choice("faces")
        self.lost = self._choice("lost")
        self.strength = self._amount("strength", 0.0, 1.0, 0.05, lambda v: f"{v:.0%}")
        self.feather = self._amount("feather_px", 0.0, 3.0, 0.25, _decimal)
        self.colour_match = self._switch("colour_match")
        self.own_face, self.own_photo, self.forget_face = (
            self._button(name) for name in ("own_face", "own_photo", "forget_face")
        )
        self.own_face_now = _small_print()
        self.backend = self._choice("backend")
        self.backend_reason = _small_print()
        self.microphone = self._switch("microphone")
        self.microphone_device = self._choice("microphone_device")
        self.audio_offset = CalmSpinBox()
        self.audio_offset.setRange(-1000, 1000)
        self.audio_offset.setSingleStep(10)
        self.audio_offset.setSuffix(" ms")
        self.audio_offset.setKeyboardTracking(False)
        self.audio_offset.valueChanged.connect(lambda v: self.changed.emit("audio_offset_ms", v))
        self.virtual_camera = self._choice("virtual_camera")
        self.page = QCheckBox()
        self.page.clicked.connect(lambda: self.asked.emit("page"))
        self.page_address = Copyable()
        self.badge = QCheckBox()
        self.badge.clicked.connect(self._badge_clicked)
        self.badge_why = _small_print()
        self.folder = self._button("folder")
        self.folder_now = _small_print()
        self.language = self._choice("language")

    def _arrange(self) -> None:
        self._group("camera", self._field("resolution"), self.mirror, self._field("rotate"))
        self._group("faces", self._field("faces"), self._field("lost"))
        self._group(
            "painting", self._field("strength"), self._field("feather_px"), self.colour_match
        )
        self._group(
            "own_face", self.own_face_now, self.own_face, self.own_photo, self.forget_face
        )
        self._group(
            "out",
            self.badge,
            self.badge_why,
            self._field("virtual_camera"),
            self.page,
            self.page_address,
            self.microphone,
            self._field("microphone_device"),
            self._field("audio_offset_ms"),
            self.folder,
            self.folder_now,
        )
        self._group("program", self._field("backend"), self.backend_reason, self._field("language"))
        self._column.addStretch(1)

    def _group(self, name: str, *rows: QWidget) -> None:
        box = self._groups[name] = QGroupBox()
        column = QVBoxLayout(box)
        for row in rows:
            column.addWidget(row)
        self._column.addWidget(box)

    def _field(self, name: str) -> QWidget:
        widgets: dict[str, QWidget] = {
            "feather_px": self.feather,
            "audio_offset_ms": self.audio_offset,
        }
        label = self._labels[name] = QLabel()
        return labelled(label, widgets.get(name) or getattr(self, name))

    def _choice(self, name: str) -> Choice:
        choice = Choice()
        choice.chosen.connect(lambda value: self.changed.emit(name, value))
        return choice

    def _switch(self, name: str) -> QCheckBox:
        box = QCheckBox()
        box.clicked.connect(lambda on: self.changed.emit(name, on))
        return box

    def _button(self, name: str) -> QPushButton:
        button = QPushButton()
        button.clicked.connect(lambda: self.asked.emit(name))
        return button

    def _amount(self, name: str, low: float, high: float, step: float, words: Any) -> Amount:
        amount = Amount(low, high, step, words)
        amount.moved.connect(lambda value: self.changed.emit(name, value))
        return amount

    def _badge_clicked(self) -> None:
        # Shown as it is until it is known whether the person goes on after reading why it is there.
        self.badge.setChecked(self._preferences.badge)
        self.asked.emit("badge")

    # What is in force

    def show_preferences(self, now: Preferences) -> None:
        """Show `now`."""
        self._preferences = now
        for name in ("mirror", "colour_match", "microphone", "badge"):
            getattr(self, name).setChecked(getattr(now, name))
        for name in (
            "resolution", "rotate", "faces", "lost", "backend", "microphone_device",
            "virtual_camera", "language",
        ):  # fmt: skip
            getattr(self, name).show_value(getattr(now, name))
        self.strength.show_value(now.strength)
        self.feather.show_value(now.feather_px)
        self.audio_offset.blockSignals(True)
        self.audio_offset.setValue(now.audio_offset_ms)
        self.audio_offset.blockSignals(False)
        self.microphone_device.setEnabled(now.microphone)
        self.audio_offset.setEnabled(now.microphone)

    def offer_resolutions(self, options: Options) -> None:
        """The camera's formats, as (text, value)."""
        self.resolution.offer([(self.tr("Automatic"), ""), *options], self._preferences.resolution)
        self.resolution.setEnabled(bool(options))
        # The demo clip has none; what was chosen for the camera waits for it.
        self.resolution.setPlaceholderText("" if options else self.tr("Automatic"))

    def offer_microphones(self, options: Options) -> None:
        """The microphones, as (text, value)."""
        self.microphone_device.offer(
            [(self.tr("The system's choice"), ""), *options], self._preferences.microphone_device
        )

    def offer_virtual_cameras(self, options: Options) -> None:
        """The virtual cameras' devices, as (text, value)."""
        self.virtual_camera.offer(
            [(self.tr("The first free one"), ""), *options], self._preferences.virtual_camera
        )

    def offer_backends(self, names: list[str]) -> None:
        """What can run the networks here."""
        self.backend.offer(
            [(self.tr("Automatic") if n == "auto" else n, n) for n in names],
            self._preferences.backend,
        )

    def show_backend(self, reason: str) -> None:
        """What runs the networks, and why that."""
        self.backend_reason.setText(reason)
        self.backend_reason.setVisible(bool(reason))

    def show_own_face(self, known: bool, kept: bool) -> None:
        """Whether the wearer's bare face is known, and whether there is something to forget."""
        self._own_face_known = known
        self.own_face_now.setText(
            self.tr("The paint follows your face. It is kept on this computer.")
            if known
            else self.tr("Not known yet: mouth and chin are made up. Take your mask off once.")
        )
        self.forget_face.setEnabled(kept)

    def show_page(self, address: str) -> None:
        """The web page's address; "" while there is none."""
        self.page.setChecked(bool(address))
        self.page_address.show_text(address)
        self.page_address.setVisible(bool(address))

    def show_folder(self, folder: str) -> None:
        """Where pictures and recordings go."""
        self.folder_now.setText(folder)

    def retranslate(self) -> None:
        """Words in the language of now."""
        titles = {
            "camera": self.tr("Camera"),
            "faces": self.tr("Faces"),
            "painting": self.tr("Painting"),
            "own_face": self.tr("Your bare face"),
            "out": self.tr("Out of the window"),
            "program": self.tr("Program"),
        }
        for name, text in titles.items():
            self._groups[name].setTitle(text)
        labels = {
            "resolution": self.tr("Resolution"),
            "rotate": self.tr("Turn"),
            "faces": self.tr("Which faces"),
            "lost": self.tr("When a face is lost, show"),
            "strength": self.tr("Strength"),
            "feather_px": self.tr("Softness of the edge"),
            "microphone_device": self.tr("Microphone"),
            "audio_offset_ms": self.tr("Sound later by"),
            "virtual_camera": self.tr("Virtual camera"),
            "backend": self.tr("The networks run on"),
            "language": self.tr("Language"),
        }
        for name, text in labels.items():
            self._labels[name].setText(text)
            buddy = self._labels[name].buddy()
            if buddy is not None:
                buddy.setAccessibleName(text)
                proxy = buddy.focusProxy()
                if proxy is not None:
                    proxy.setAccessibleName(text)
        self.mirror.setText(self.tr("Mirror"))
        self.colour_match.setText(self.tr("Match colours"))
        self.microphone.setText(self.tr("Record sound"))
        self.page.setText(self.tr("Web page on this computer"))
        self.page_address.button.setText(self.tr("Copy"))
        self.page_address.line.setAccessibleName(self.tr("Address of the web page"))
        self.badge.setText(self.tr("“AI-reconstructed” badge"))
        self.badge_why.setText(self.tr("In recordings, pictures and the virtual camera."))
        self.folder.setText(self.tr("Folder for recordings…"))
        self.own_face.setText(self.tr("From the camera"))
        self.own_photo.setText(self.tr("From a photo…"))
        self.forget_face.setText(self.tr("Forget it"))
        self.show_own_face(self._own_face_known, self.forget_face.isEnabled())
        self._offer_fixed()

    def _offer_fixed(self) -> None:
        now = self._preferences
        self.rotate.offer([(f"{turn}°", turn) for turn in (0, 90, 180, 270)], now.rotate)
        self.faces.offer(
            [
                (self.tr("All"), "all"),
                (self.tr("The largest"), "largest"),
                (self.tr("The one I click"), "chosen"),
            ],
            now.faces,
        )
        self.lost.offer(
            [
                (self.tr("The masked picture"), "masked"),
                (self.tr("The last result"), "hold"),
                (self.tr("The face blurred"), "blur"),
            ],
            now.lost,
        )
        self.language.offer(
            [(self.tr("The system's"), "system"), ("English", "en"), ("Deutsch", "de")],
            now.language,
        )


def _decimal(value: float) -> str:
    return QLocale().toString(value, "f", 2)


def _small_print() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    policy = label.sizePolicy()  # its lines are as long as the panel is wide, not the other way
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    label.setSizePolicy(policy)
    font = label.font()
    font.setPointSizeF(font.pointSizeF() * 0.9)
    label.setFont(font)
    return label
