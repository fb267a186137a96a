"""What each action does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt

from realtime_unmask.ui.controller import ON
from realtime_unmask.ui.preferences import VIEWS

if TYPE_CHECKING:
    from realtime_unmask.ui.window import Window

_ZOOM = 1.25
_STRENGTH, _FEATHER = 0.1, 0.25  # the step of a key


def connect_actions(window: Window) -> None:
    """Let every action of `window` do its work."""
    controller, panel, viewport = window.controller, window.panel, window.viewport
    actions = window.commands

    def toggle(name: str) -> None:
        controller.change(name, not getattr(controller.preferences, name))

    def step(name: str, by: float, top: float) -> None:
        value = getattr(controller.preferences, name) + by
        controller.change(name, round(min(top, max(0.0, value)), 2))

    def following(name: str) -> None:
        choice = getattr(panel, name)
        value = choice.after(getattr(controller.preferences, name))
        if value is not None and choice.isEnabled():
            controller.change(name, value)

    def next_camera() -> None:
        key = window.bar.camera.after(controller.source_key)
        if key is not None:
            controller.choose_source(key)

    for view in VIEWS:
        actions[f"view_{view}"].triggered.connect(
            lambda _, view=view: controller.change("view", view)
        )
    for name in ("mirror", "colour_match", "microphone", "panel", "details"):
        actions[name].triggered.connect(lambda _, name=name: toggle(name))
    ways = {
        "start": controller.toggle,
        "next_camera": next_camera,
        "next_resolution": lambda: following("resolution"),
        "rotate": lambda: following("rotate"),
        "open": window.open_files,
        "zoom_in": lambda: viewport.zoom_by(_ZOOM),
        "zoom_out": lambda: viewport.zoom_by(1 / _ZOOM),
        "zoom_reset": lambda: viewport.set_zoom(type(viewport.zoom)()),
        "full_screen": lambda: window.set_full_screen(not window.isFullScreen()),
        "next_faces": lambda: following("faces"),
        "next_lost": lambda: following("lost"),
        "stronger": lambda: step("strength", _STRENGTH, 1.0),
        "weaker": lambda: step("strength", -_STRENGTH, 1.0),
        "softer": lambda: step("feather_px", _FEATHER, 3.0),
        "harder": lambda: step("feather_px", -_FEATHER, 3.0),
        "next_backend": lambda: following("backend"),
        "own_face": controller.own_face.from_camera,
        "own_photo": window.choose_own_photo,
        "forget_face": controller.own_face.forget,
        "snapshot": controller.switches.snapshot,
        "record": controller.switches.toggle_recording,
        "virtual_camera": controller.switches.toggle_virtual_camera,
        "page": controller.switches.toggle_page,
        "badge": lambda: _badge(window),
        "help": window.toggle_sheet,
        "quit": window.close,
    }
    for name, way in ways.items():
        actions[name].triggered.connect(lambda _, way=way: way())
    for name in ("start", "record", "virtual_camera", "page", "full_screen"):
        # These show what is, not what was asked for: their work can fail, or take a while.
        actions[name].triggered.connect(lambda _, name=name: _as_it_is(window, name))
    window.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)


def _badge(window: Window) -> None:
    window.commands["badge"].setChecked(window.controller.preferences.badge)
    window.toggle_badge()


def _as_it_is(window: Window, name: str) -> None:
    controller = window.controller
    is_on = {
        "start": controller.state in ON,
        "record": controller.outputs.recording_s is not None,
        "virtual_camera": controller.outputs.virtual_camera,
        "page": bool(controller.outputs.page),
        "full_screen": window.isFullScreen(),
    }
    window.commands[name].setChecked(is_on[name])
