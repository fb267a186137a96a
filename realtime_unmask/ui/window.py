"""The window: the parts in their places, and what they say to each other."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, QUrl
from PyQt6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent, QKeyEvent
from PyQt6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from realtime_unmask.ui.actions import Actions
from realtime_unmask.ui.badge import BadgeDialog
from realtime_unmask.ui.bar import Bar
from realtime_unmask.ui.controller import ON, Controller
from realtime_unmask.ui.details import Waterfall
from realtime_unmask.ui.file_card import FileCard
from realtime_unmask.ui.files import Done, FileJobs
from realtime_unmask.ui.hotkeys import HotkeySheet
from realtime_unmask.ui.icons import icon
from realtime_unmask.ui.notices import NoticeBar, Said
from realtime_unmask.ui.panel import Panel
from realtime_unmask.ui.preferences import Preferences
from realtime_unmask.ui.room import within_screen
from realtime_unmask.ui.start_page import StartPage
from realtime_unmask.ui.strip import Strip
from realtime_unmask.ui.viewport import View, Viewport
from realtime_unmask.ui.wiring import connect_actions

_CLOSE_S = 4.0  # for everything to end; what is still stuck then is left to the process's end


class Window(QMainWindow):
    """Everything that is seen. What it does is done by `controller` and `jobs`.

    Args:
        controller: the live picture; closed with the window.
        jobs: the dropped files; closed with the window.
    """

    def __init__(self, controller: Controller, jobs: FileJobs) -> None:
        super().__init__()
        self.controller, self.jobs = controller, jobs
        self.commands = Actions(self)
        self.viewport, self.start_page = Viewport(), StartPage()
        self.notices, self.bar = NoticeBar(), Bar(self.commands)
        self.strip, self.panel = Strip(), Panel()
        self.details, self.card = Waterfall(), FileCard()
        self.pages = QStackedWidget()
        self._sheet: HotkeySheet | None = None
        self._arrange()
        self._connect()
        connect_actions(self)
        self.setAcceptDrops(True)
        self.setWindowTitle("Realtime Unmask")
        self.setWindowIcon(icon("result", self.palette(), 64))
        self._show_preferences(controller.preferences)
        self._show_own_face()
        self._restore(controller.preferences)
        self._show_state(controller.state)
        self._show_outputs(controller.outputs)
        self._offer_sources()

    def _arrange(self) -> None:
        self.pages.addWidget(self.start_page)
        self.pages.addWidget(self.viewport)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.pages, 1)
        middle.addWidget(self.panel)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addLayout(middle, 1)
        for widget in (self.card, self.bar, self.details, self.strip):
            column.addWidget(widget)
        self.setCentralWidget(centre)
        self.details.setAccessibleName(self.tr("Time of each stage"))
        self._fit_panel()
        self._order_focus()

    def _fit_panel(self) -> None:
        inside, bar = self.panel.widget(), self.panel.verticalScrollBar()
        if inside is not None and bar is not None:
            width = max(inside.minimumSizeHint().width(), inside.sizeHint().width())
            self.panel.setFixedWidth(width + bar.sizeHint().width())

    def _order_focus(self) -> None:
        first = [self.bar.button("start"), self.bar.camera]
        last = [self.start_page.start, self.start_page.demo, self.start_page.open, self.viewport]
        for before, after in zip([*last, *first], [*last[1:], *first], strict=False):
            QWidget.setTabOrder(before, after)

    def _connect(self) -> None:
        controller, jobs = self.controller, self.jobs
        controller.state_changed.connect(self._show_state)
        controller.preferences_changed.connect(self._show_preferences)
        controller.sources_changed.connect(self._offer_sources)
        controller.picture.connect(self._show_picture)
        controller.figures.connect(self._show_figures)
        controller.notices_changed.connect(self._show_notices)
        controller.outputs_changed.connect(self._show_outputs)
        controller.connected.devices_changed.connect(self._offer_devices)
        controller.own_face.changed.connect(self._show_own_face)
        self.bar.camera.chosen.connect(controller.choose_source)
        self.bar.camera.opened.connect(controller.connected.look_for_cameras)
        for choice in (self.panel.microphone_device, self.panel.virtual_camera):
            choice.opened.connect(controller.connected.look_for_devices)
        self.panel.changed.connect(controller.change)
        self.panel.asked.connect(lambda name: self.ask(name))
        self.start_page.asked.connect(self.ask)
        self.notices.pressed.connect(self.ask)
        self.notices.closed.connect(controller.close_notice)
        self.viewport.picked.connect(controller.pick)
        jobs.began.connect(self.card.show_begin)
        jobs.progressed.connect(self.card.show_progress)
        jobs.done.connect(self._show_file)
        jobs.ended.connect(self.card.show_end)
        self.card.cancelled.connect(jobs.cancel)

    # What a person asks for, by name

    def ask(self, name: str) -> None:
        """Do what a button or a notice offers."""
        ways: dict[str, Any] = {
            "start": self.controller.start,
            "again": self.controller.start,
            "demo": self.controller.show_demo,
            "open": self.open_files,
            "badge": self.toggle_badge,
            "page": self.controller.switches.toggle_page,
            "folder": self.choose_folder,
            "own_face": self.controller.own_face.from_camera,
            "own_photo": self.choose_own_photo,
            "forget_face": self.controller.own_face.forget,
            "show_folder": self.show_folder,
        }
        ways[name]()

    def open_files(self) -> None:
        """Let the person choose photos and videos to unmask."""
        dialog = QFileDialog(self, self.tr("Unmask photos or videos"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._run_dialog(
            dialog, lambda: self.unmask_files([Path(f) for f in dialog.selectedFiles()])
        )

    def choose_folder(self) -> None:
        """Let the person choose where pictures and recordings go."""
        dialog = QFileDialog(self, self.tr("Folder for pictures and recordings"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._run_dialog(
            dialog, lambda: self.controller.change("folder", dialog.selectedFiles()[0])
        )

    def choose_own_photo(self) -> None:
        """Let the person choose a photo of their bare face."""
        dialog = QFileDialog(self, self.tr("A photo of your bare face, from the front"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._run_dialog(
            dialog, lambda: self.controller.own_face.from_photo(Path(dialog.selectedFiles()[0]))
        )

    def show_folder(self) -> None:
        """Show the folder with pictures and recordings."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.controller.folder)))

    def unmask_files(self, paths: list[Path]) -> None:
        """Unmask photos and videos in the background."""
        if paths:
            self.jobs.add(paths, self.controller.file_settings())

    def toggle_badge(self) -> None:
        """Put the badge on; or take it away after the person read why it is there."""
        if not self.controller.preferences.badge:
            self.controller.change("badge", True)
            return
        dialog = BadgeDialog(self)
        self._run_dialog(dialog, lambda: self.controller.change("badge", False))

    def _run_dialog(self, dialog: QDialog, accepted: Any) -> None:
        # Does not wait for the answer: the picture goes on, and a test can press the buttons.
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(accepted)
        dialog.open()

    def toggle_sheet(self) -> None:
        """Show all keys, or close that again."""
        if self._sheet is not None and self._sheet.isVisible():
            self._sheet.close()
            return
        self._sheet = HotkeySheet(self.commands, self)
        self._sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._sheet.finished.connect(self._forget_sheet)
        self._sheet.show()

    def _forget_sheet(self) -> None:
        self._sheet = None

    def set_full_screen(self, on: bool) -> None:
        """Only the picture, or everything again."""
        for widget in (self.bar, self.strip):
            widget.setVisible(not on)
        self.panel.setVisible(not on and self.controller.preferences.panel)
        self.details.setVisible(not on and self.controller.preferences.details)
        self.commands["full_screen"].setChecked(on)
        if on != self.isFullScreen():
            self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    # What is shown

    def _show_state(self, state: str) -> None:
        running = state == "running"
        self.bar.show_running(state in ON)
        self.commands["start"].setEnabled(state != "stopping")
        if not running:
            # A file is not tried again by itself, as cameras are.
            of_clip = {"ready": "ready_clip", "waiting": "problem"}
            clip = not self.controller.before_camera
            self.start_page.show_state(of_clip.get(state, state) if clip else state)
            self.strip.show_nothing()
            self.details.show_stages({})
            self.pages.setCurrentWidget(self.start_page)

    def _show_picture(self, picture: Any) -> None:
        self.viewport.show_pair(
            picture.before, picture.after, picture.painted, picture.faces, picture.chosen
        )
        self.pages.setCurrentWidget(self.viewport)

    def _show_figures(self, figures: Any) -> None:
        self.strip.show_figures(figures.fps, figures.age_ms, figures.drops, figures.backend)
        self.panel.show_backend(figures.reason)
        if self.details.isVisible():
            self.details.show_stages(figures.stages_ms)

    def _show_notices(self, notices: tuple[Said, ...]) -> None:
        # What passes by itself and does no harm must not push the picture around.
        quiet = [one for one in notices if one.passing and not one.grave]
        self.notices.show_notices([one for one in notices if one not in quiet])
        self.strip.show_note("  ".join(one.text for one in quiet))

    def _show_outputs(self, outputs: Any) -> None:
        self.bar.show_recording(outputs.recording_s)
        self.commands["virtual_camera"].setChecked(outputs.virtual_camera)
        self.commands["page"].setChecked(bool(outputs.page))
        self.panel.show_page(outputs.page)

    def _show_file(self, done: Done) -> None:
        self.card.show_done(done)
        if done.photo is not None and self.controller.state != "running":
            photo = done.photo
            self.viewport.show_pair(photo.frame.image, photo.output.image, photo.map, photo.faces)
            self.pages.setCurrentWidget(self.viewport)

    def _show_preferences(self, now: Preferences) -> None:
        self.panel.show_preferences(now)
        self.panel.show_folder(str(self.controller.folder))
        self.viewport.set_view(View(now.view))
        self.viewport.set_outlines(now.faces == "chosen")
        for name in ("mirror", "colour_match", "microphone", "badge", "panel", "details"):
            self.commands[name].setChecked(getattr(now, name))
        self.commands[f"view_{now.view}"].setChecked(True)
        if not self.isFullScreen():
            self.panel.setVisible(now.panel)
            self.details.setVisible(now.details)

    def _show_own_face(self) -> None:
        own_face = self.controller.own_face
        self.panel.show_own_face(own_face.now is not None, own_face.kept)

    def _offer_sources(self) -> None:
        self.bar.offer_cameras(self.controller.sources(), self.controller.source_key)
        self.panel.offer_resolutions(self.controller.resolutions())

    def _offer_devices(self) -> None:
        devices = self.controller.connected.devices
        self.panel.offer_microphones(list(devices.microphones))
        self.panel.offer_virtual_cameras(list(devices.virtual_cameras))
        self.panel.offer_backends(list(devices.backends))

    def retranslate(self) -> None:
        """Words in the language of now, everywhere."""
        self.commands.retranslate()
        for part in (
            self.viewport, self.start_page, self.bar, self.strip, self.panel, self.card,
            self.controller.sayings, self.notices,
        ):  # fmt: skip
            part.retranslate()
        self.details.setAccessibleName(self.tr("Time of each stage"))
        self._fit_panel()
        self._offer_sources()
        self._offer_devices()
        self._show_state(self.controller.state)

    # Qt's events

    def changeEvent(self, event: QEvent | None) -> None:
        """The language changed, or the window was minimised or shown again."""
        super().changeEvent(event)
        if event is None or not hasattr(self, "card"):
            return
        if event.type() == QEvent.Type.LanguageChange:
            QTimer.singleShot(0, self.retranslate)
        elif event.type() == QEvent.Type.WindowStateChange:
            self.controller.set_visible(self.isVisible() and not self.isMinimized())

    def showEvent(self, event: Any) -> None:
        """The window can be seen."""
        super().showEvent(event)
        self.controller.set_visible(not self.isMinimized())

    def hideEvent(self, event: Any) -> None:
        """The window cannot be seen any more."""
        super().hideEvent(event)
        self.controller.set_visible(False)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Esc leaves the full screen."""
        if event is not None and event.key() == Qt.Key.Key_Escape and self.isFullScreen():
            self.set_full_screen(False)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files are welcome."""
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None and any(u.isLocalFile() for u in data.urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Unmask the files that were dropped."""
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None:
            event.acceptProposedAction()
            self.unmask_files([Path(u.toLocalFile()) for u in data.urls() if u.isLocalFile()])

    def _restore(self, preferences: Preferences) -> None:
        wanted = QSize(max(1180, self.bar.width_with_words()), 760)
        self.resize(within_screen(self, wanted))
        if preferences.window:
            self.restoreGeometry(QByteArray(base64.b64decode(preferences.window)))

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Remember, and end everything."""
        if not self.isFullScreen():
            geometry = base64.b64encode(self.saveGeometry().data()).decode()
            self.controller.change("window", geometry)
        self.hide()  # at once; a recording may take a moment to be finished, or a file removed
        self.jobs.cancel()
        self.controller.close(_CLOSE_S)
        self.jobs.close(_CLOSE_S)
        super().closeEvent(event)
