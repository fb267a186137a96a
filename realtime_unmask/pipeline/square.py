"""Live pictures with square pixels: window, snapshot and outputs know of no others.

A file says how wide its pixels are meant to be; a window, a PNG, a call and a web page cannot.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from realtime_unmask.types import Frame


def squared(frame: Frame) -> Frame:
    """`frame` in the shape in which it is meant to be seen; itself if its pixels are square.

    It is enlarged in one direction, so that no detail is lost.
    """
    aspect = frame.pixel_aspect
    if aspect == 1.0:
        return frame
    size = (
        round(frame.width * max(aspect, 1.0)),
        round(frame.height / min(aspect, 1.0)),
    )
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_LINEAR)
    return replace(frame, image=image.astype(np.uint8, copy=False), pixel_aspect=1.0)
