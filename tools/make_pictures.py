"""Remake the README's pictures from the results of `realtime-unmask demo`.

Run:  python tools/make_pictures.py [FOLDER OF THE DEMO'S RESULTS]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIZE = (400, 300)
EVERY = 3  # of the clip's frames: 10 a second
SECONDS = 6


def frames(path: Path) -> list[NDArray[np.uint8]]:
    """Every EVERYth frame, small."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count = round(float(stream.average_rate or 30) * SECONDS)
        return [
            cv2.resize(frame.to_ndarray(format="rgb24"), SIZE, interpolation=cv2.INTER_AREA)
            for number, frame in enumerate(container.decode(stream))
            if number % EVERY == 0 and number < count
        ]


def main() -> None:
    """Write docs/demo.webp and docs/demo_before_after.png."""
    results = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "output"
    pairs = zip(frames(ROOT / "assets" / "demo.mp4"), frames(results / "demo.mp4"), strict=True)
    pictures = [Image.fromarray(np.hstack(pair)) for pair in pairs]
    pictures[0].save(
        ROOT / "docs" / "demo.webp", save_all=True, append_images=pictures[1:],
        duration=1000 * EVERY // 30, loop=0, quality=72, method=4,
    )  # fmt: skip
    shutil.copyfile(
        results / "demo_before_after.png", ROOT / "docs" / "demo_before_after.png"
    )
    for name in ("demo.webp", "demo_before_after.png"):
        print(f"docs/{name}: {(ROOT / 'docs' / name).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
