"""Ctrl-C where it must wait: inside libraries that lose it, or go on by themselves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_kept() -> Iterator[None]:
    """In the block Ctrl-C is not heard; it is at the block's end."""
    ours = signal.getsignal(signal.SIGINT) is not None  # else it is that of a program around Python
    if not ours or threading.current_thread() is not threading.main_thread():
        yield  # other threads never hear it
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)
