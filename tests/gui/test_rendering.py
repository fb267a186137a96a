"""Where a picture lies, and which of its pixels are shown."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_unmask.ui.rendering import MAX_ZOOM, Rect, Zoom, pixels, place, tinted


@pytest.mark.parametrize(
    ("area", "target"),
    [
        (Rect(0, 0, 640, 360), Rect(0, 0, 640, 360)),
        (Rect(0, 0, 640, 480), Rect(0, 60, 640, 360)),
        (Rect(0, 0, 1000, 360), Rect(180, 0, 640, 360)),
        (Rect(300, 0, 320, 180), Rect(300, 0, 320, 180)),
    ],
)
def test_whole_picture_is_fitted_into_the_middle(area: Rect, target: Rect) -> None:
    placed = place(640, 360, area, Zoom())
    assert placed.source == Rect(0, 0, 640, 360)
    assert placed.target == target


def test_zoom_keeps_the_point_under_the_mouse() -> None:
    area, zoom = Rect(0, 0, 800, 600), Zoom()
    before = place(640, 480, area, zoom).to_picture(600, 200)
    zoom = zoom.by(2.5, before[0] / 640, before[1] / 480)
    assert place(640, 480, area, zoom).to_picture(600, 200) == pytest.approx(before)


def test_zoom_has_limits_and_shows_nothing_beside_the_picture() -> None:
    zoom = Zoom().by(1000, 0.0, 0.0)
    assert zoom.factor == MAX_ZOOM
    placed = place(640, 480, Rect(0, 0, 640, 480), zoom)
    assert (placed.left, placed.top) == (0, 0)
    assert zoom.by(0.001, 0.3, 0.3) == Zoom()


def test_zoomed_picture_reads_only_what_is_seen() -> None:
    placed = place(640, 480, Rect(0, 0, 640, 480), Zoom(4.0, 0.5, 0.5))
    assert placed.source == Rect(240, 180, 160, 120)
    assert placed.target == Rect(0, 0, 640, 480)


def test_pixels_are_bgr_at_the_screens_size_without_a_colour_shift() -> None:
    image = np.full((90, 160, 3), (200, 100, 50), np.uint8)
    shown = pixels(image, place(160, 90, Rect(0, 0, 480, 300), Zoom()))
    assert shown.shape == (270, 480, 4)
    assert (shown == (50, 100, 200, 255)).all()


def test_pixels_at_the_pictures_own_size_are_the_pictures() -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    shown = pixels(image, place(160, 90, Rect(0, 0, 160, 90), Zoom()))
    assert (shown[:, :, 2::-1] == image).all()


def test_tint_marks_what_was_painted_and_darkens_the_rest() -> None:
    image = np.full((10, 10, 3), 100, np.uint8)
    painted = np.zeros((10, 10), np.uint8)
    painted[6:] = 255
    shown = tinted(image, painted)
    assert (shown[:6] == 75).all()
    assert (shown[6:, :, 2] > 150).all()
    assert (image == 100).all()


@pytest.mark.parametrize("painted", [None, np.zeros((10, 10), np.uint8)])
def test_nothing_is_tinted_where_nothing_was_painted(painted: np.ndarray | None) -> None:
    assert (tinted(np.full((10, 10, 3), 100, np.uint8), painted) == 75).all()
