"""The picture: what is seen of it, and what mouse and keys do with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QWheelEvent
from PyQt6.QtTest import QTest
from pytestqt.qtbot import QtBot

from realtime_unmask.ui.rendering import Zoom
from realtime_unmask.ui.viewport import View, Viewport

from .stand_ins import GREEN, RED, pair


@pytest.fixture
def viewport(qtbot: QtBot) -> Iterator[Viewport]:
    """640 x 480 px, showing the pair of 320 x 240."""
    made = Viewport()
    made.resize(640, 480)
    made.show()
    qtbot.waitExposed(made)
    shown = pair()
    made.show_pair(shown.before, shown.after, shown.painted, shown.faces)
    yield made
    made.close()
    made.deleteLater()


def colour(viewport: Viewport, x: int, y: int) -> tuple[int, int, int]:
    pixel = QColor(viewport.grab().toImage().pixel(x, y))
    return pixel.red(), pixel.green(), pixel.blue()


def test_result_is_shown_in_its_own_colours(viewport: Viewport) -> None:
    assert {colour(viewport, x, y) for x in (5, 630) for y in (5, 470)} == {GREEN}


def test_wipe_shows_before_on_the_left_and_after_on_the_right(viewport: Viewport) -> None:
    viewport.set_view(View.WIPE)
    assert colour(viewport, 200, 100) == RED
    assert colour(viewport, 440, 100) == GREEN
    viewport.set_wipe(0.25)
    assert colour(viewport, 200, 100) == GREEN


def test_side_by_side_shows_both(viewport: Viewport) -> None:
    viewport.resize(1280, 480)
    viewport.set_view(View.SIDE_BY_SIDE)
    assert colour(viewport, 200, 240) == RED
    assert colour(viewport, 1000, 240) == GREEN


def test_side_by_side_stacks_where_that_is_larger(viewport: Viewport) -> None:
    viewport.resize(400, 640)
    viewport.set_view(View.SIDE_BY_SIDE)
    assert colour(viewport, 200, 200) == RED
    assert colour(viewport, 200, 500) == GREEN


def test_map_marks_the_painted_half_of_the_masked_picture(viewport: Viewport) -> None:
    viewport.set_view(View.MAP)
    red, _, blue = colour(viewport, 320, 100)
    assert red > 3 * blue
    red, _, blue = colour(viewport, 320, 400)
    assert blue > red


def test_mouse_moves_the_wipe(viewport: Viewport, qtbot: QtBot) -> None:
    viewport.set_view(View.WIPE)
    moved: list[float] = []
    viewport.wiped.connect(moved.append)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(325, 200))
    QTest.mouseMove(viewport, QPoint(480, 200))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(480, 200))
    assert viewport.wipe == pytest.approx(0.75, abs=0.01)
    assert moved


def test_arrow_keys_move_the_wipe(viewport: Viewport) -> None:
    viewport.set_view(View.WIPE)
    QTest.keyClick(viewport, Qt.Key.Key_Left)
    assert viewport.wipe < 0.5
    for _ in range(2):
        QTest.keyClick(viewport, Qt.Key.Key_Right)
    assert viewport.wipe > 0.5


def test_wipe_stays_within_the_picture(viewport: Viewport) -> None:
    viewport.set_wipe(7)
    assert viewport.wipe == 1.0
    viewport.set_wipe(-7)
    assert viewport.wipe == 0.0


def test_click_is_told_in_the_pictures_pixels(viewport: Viewport) -> None:
    picked: list[tuple[float, float]] = []
    viewport.picked.connect(lambda x, y: picked.append((x, y)))
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(100, 300))
    assert picked == [(pytest.approx(50, abs=1), pytest.approx(150, abs=1))]


def test_click_beside_the_picture_picks_nothing(viewport: Viewport) -> None:
    viewport.resize(1200, 480)
    picked: list[float] = []
    viewport.picked.connect(lambda x, y: picked.append(x))
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(20, 300))
    assert picked == []


def wheel(viewport: Viewport, x: int, y: int, steps: int) -> None:
    where = QPointF(x, y)
    viewport.wheelEvent(
        QWheelEvent(
            where, where, QPoint(), QPoint(0, 120 * steps), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )
    )  # fmt: skip


def test_wheel_comes_closer_to_what_is_under_the_mouse(viewport: Viewport) -> None:
    wheel(viewport, 10, 10, 20)
    assert viewport.zoom.factor == pytest.approx(8)
    assert viewport.zoom.x < 0.1
    wheel(viewport, 10, 10, -40)
    assert viewport.zoom == Zoom()


def test_drag_moves_a_zoomed_picture_and_picks_nothing(viewport: Viewport) -> None:
    picked: list[float] = []
    viewport.picked.connect(lambda x, y: picked.append(x))
    viewport.zoom_by(4)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(300, 200))
    QTest.mouseMove(viewport, QPoint(400, 240))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(400, 240))
    assert viewport.zoom.x < 0.5 and viewport.zoom.y < 0.5
    assert picked == []


def test_faces_are_outlined_while_one_can_be_chosen(viewport: Viewport) -> None:
    assert colour(viewport, 240, 240) == GREEN  # the left edge of the face's box
    viewport.set_outlines(True)
    assert colour(viewport, 240, 240) != GREEN


def test_nothing_is_drawn_without_a_picture(viewport: Viewport) -> None:
    viewport.clear()
    for view in View:
        viewport.set_view(view)
        assert max(colour(viewport, 320, 240)) < 40


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3)])
def test_odd_sizes_are_no_problem(viewport: Viewport, size: tuple[int, int]) -> None:
    thin = np.zeros((size[1], size[0], 3), np.uint8)
    for view in View:
        viewport.set_view(view)
        viewport.show_pair(thin, thin, None)
        viewport.grab()
