"""The program in a real window, under an X server of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("Xvfb") is None, reason="needs Xvfb (Debian: xvfb) for a real window"
)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Of a program that sees an X server with a screen of 2600 x 1700 px."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "2600x1700x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as told:
        number = told.readline().strip()
    hidden = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    yield {**clean, "DISPLAY": f":{number}", "PYTHONPATH": str(ROOT)}
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize("scale", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_demo_clip_is_unmasked_in_a_real_window(
    environment: dict[str, str], tmp_path: Path, scale: int
) -> None:
    picture = tmp_path / "window.png"
    tool = ROOT / "tools" / "make_window_picture.py"
    subprocess.run(
        [sys.executable, str(tool), "-o", str(picture), "--scale", str(scale), "--view",
         "side_by_side", "--paint", "0.5"],
        check=True, env=environment, timeout=120,
    )  # fmt: skip
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    assert width > 1100 * scale
    # The blue mask is in the left picture and not in the right one.
    blue = (pixels[:, :, 2] - pixels[:, :, 0]) > 60
    top = blue[: height * 3 // 4]
    middle = round(width * 0.39)
    assert top[:, :middle].sum() > 2000 * scale**2
    assert top[:, middle : 2 * middle].sum() < top[:, :middle].sum() / 10


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="needs xdotool to press keys")
def test_program_opens_a_window_takes_keys_and_ends_by_ctrl_c(
    environment: dict[str, str], tmp_path: Path
) -> None:
    mine = {**environment, "XDG_CONFIG_HOME": str(tmp_path / "settings")}
    program = subprocess.Popen(
        [sys.executable, "main.py", "live", "--source", "assets/demo.mp4"],
        cwd=ROOT, env=mine, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "Realtime Unmask"]
        found = subprocess.run(find, env=mine, capture_output=True, text=True, timeout=60)
        window = found.stdout.split()[0]
        time.sleep(1)
        press = ["xdotool", "windowfocus", "--sync", window, "key", "2", "key", "m", "key", "d"]
        subprocess.run(press, env=mine, check=True, timeout=30)
        time.sleep(1)
    finally:
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)
    assert (program.returncode, said) == (0, "")
    remembered = (tmp_path / "settings" / "realtime-unmask" / "window.json").read_text()
    for wanted in ('"view": "wipe"', '"mirror": true', '"details": true'):
        assert wanted in remembered
