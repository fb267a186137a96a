"""Take a picture of the live window while it unmasks the demo clip.

Run:  xvfb-run -a -s "-screen 0 2600x1700x24" python tools/make_window_picture.py
      (on a desktop without xvfb-run: python tools/make_window_picture.py)
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the picture is to show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "window.png")
    parser.add_argument("--view", default="wipe", help="result, wipe, map or side_by_side")
    parser.add_argument("--language", default="en", help="en or de")
    parser.add_argument("--scale", default="1", help="device pixels per pixel: 1, 1.25, 2")
    parser.add_argument("--letters", type=float, default=1.0, help="size of the letters: 1.25")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--details", action="store_true", help="with the stage waterfall")
    parser.add_argument("--wait", type=float, default=60.0, help="for a painted face, seconds")
    parser.add_argument("--paint", type=float, default=4.0, help="seconds after the first paint")
    return parser.parse_args()


def main() -> None:
    """Write the picture; exit code 1 if no face was painted in time."""
    wanted = read_arguments()
    os.environ["QT_SCALE_FACTOR"] = wanted.scale
    from PyQt6.QtGui import QColor, QPalette

    from realtime_unmask.ui.app import Language, make_application
    from realtime_unmask.ui.controller import Controller
    from realtime_unmask.ui.files import FileJobs
    from realtime_unmask.ui.live_studio import LiveStudio
    from realtime_unmask.ui.program import make_unmasker
    from realtime_unmask.ui.studio import DEMO, Picture
    from realtime_unmask.ui.window import Window

    application = make_application(["window"])
    Language(application).choose(wanted.language)
    if wanted.dark:
        application.setStyle("fusion")
        dark = QPalette(QColor(45, 45, 48))
        dark.setColor(QPalette.ColorRole.Highlight, QColor(60, 130, 220))
        application.setPalette(dark)
    font = application.font()
    font.setPointSizeF(font.pointSizeF() * wanted.letters)
    application.setFont(font)
    painted_at: list[float] = []

    def look(picture: Picture) -> None:
        if picture.painted is not None:
            painted_at.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(LiveStudio(), Path(folder) / "window.json", DEMO)
        controller.change("view", wanted.view)
        controller.change("details", wanted.details)
        controller.picture.connect(look)
        window = Window(controller, FileJobs(make_unmasker))
        window.show()
        controller.begin()
        end = time.monotonic() + wanted.wait
        # Some seconds of paint, so that the figures are those of a running program.
        while time.monotonic() < (painted_at[0] + wanted.paint if painted_at else end):
            application.processEvents()
            time.sleep(0.005)
        window.grab().save(str(wanted.output))
        window.close()
    if not painted_at:
        raise SystemExit("No face was painted in time.")
    print(f"{wanted.output}: {wanted.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
