"""What the others see while the camera gives nothing: its last picture, dimmed, and why."""

from __future__ import annotations

import cv2
import numpy as np

from realtime_unmask.types import UInt8

# Always these words: what exactly is the matter is said in the window, and may hold an address
# or a file's name that the others in a call must not read.
TEXT = ("No picture from the camera.", "Waiting for it.")
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DIMMED = 0.35
# Height of a line as a share of the picture's, and the widest that a line may be.
_LINE, _WIDEST = 0.09, 0.9


def waiting_card(image: UInt8) -> UInt8:
    """(H, W, 3) uint8 RGB: `image` dimmed, under the notice that the camera is waited for."""
    card: UInt8 = np.rint(image * np.float32(_DIMMED)).astype(np.uint8)
    height, width = card.shape[:2]
    at_one = max(cv2.getTextSize(line, _FONT, 1.0, 1)[0][0] for line in TEXT)
    scale = min(height * _LINE / 45, width * _WIDEST / at_one)
    thickness = max(1, round(scale * 2))
    step = round(45 * scale)
    top = (height - step * (len(TEXT) - 1)) // 2
    for number, line in enumerate(TEXT):
        (across, rise), _ = cv2.getTextSize(line, _FONT, scale, thickness)
        at = ((width - across) // 2, top + rise // 2 + number * step)
        cv2.putText(card, line, at, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
    return card
