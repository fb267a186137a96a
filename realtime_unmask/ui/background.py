"""Work that would hold up the window: done on one thread, in order; its end is told in the window.

work = Background("files")
work.run(lambda: read(path), done=show, failed=complain)
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

Done = Callable[[Any], None]
Failed = Callable[[Exception], None]


class Background(QObject):
    """One thread that does one thing after the other. Belongs to the window's thread.

    Args:
        name: the thread's.
    """

    _ended = pyqtSignal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Done, Failed] | None] = (
            queue.SimpleQueue()
        )
        self._closed = False
        self._pending = 0
        self._ended.connect(self._tell)  # queued, since it is emitted on the thread
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Is anything under way or waiting?"""
        return self._pending > 0

    def run(
        self,
        job: Callable[[], Any],
        done: Done = lambda value: None,
        failed: Failed = lambda error: None,
    ) -> None:
        """Do `job` on the thread; then `done(its value)`, or `failed(why)`, in the window."""
        if not self._closed:
            self._pending += 1
            self._jobs.put((job, done, failed))

    def close(self, timeout_s: float) -> bool:
        """End when all is done that was asked for; nothing is told any more. False: it is stuck."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done, failed = job
            tell: Callable[[], None]
            try:
                value = work()
            except Exception as error:  # noqa: BLE001  a thread's edge: told, not lost
                tell = _bound(failed, error)
            else:
                tell = _bound(done, value)
            if not self._closed:
                self._ended.emit(tell)

    def _tell(self, tell: Callable[[], None]) -> None:
        self._pending -= 1
        if not self._closed:
            tell()


def _bound(call: Callable[[Any], None], value: Any) -> Callable[[], None]:
    return lambda: call(value)
