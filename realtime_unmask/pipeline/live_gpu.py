"""The thread that waits for a GPU to get ready, while the session works on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable

from realtime_unmask.inference.standby import Standby
from realtime_unmask.settings import Settings


class GpuSearch(threading.Thread):
    """Lets another process build and choose; see inference.standby.

    Args:
        settings: what to get ready for.
        say: takes sentences on what is being done, and at the end one on what stands in its way,
            or "".
        found: called once if a GPU serves better than the CPU.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None], found: Callable[[], None]
    ) -> None:
        super().__init__(name="live gpu", daemon=True)
        self._settings, self._say, self._found = settings, say, found
        self._lock = threading.Lock()
        self._stopped = False
        self._standby: Standby | None = None

    def run(self) -> None:
        """The thread's work."""
        try:
            with self._lock:
                if self._stopped:
                    return
                self._standby = Standby(self._settings)
        except OSError as error:  # no memory for another process, for instance
            self._say(f"The GPU cannot be got ready ({error.strerror}); the CPU goes on.")
            return
        with self._standby as standby:
            for line in standby.lines():
                self._say(line)
            if not self._stopped and standby.completed:
                self._say(standby.missed)
            if not self._stopped and standby.found:
                self._found()

    def stop(self) -> None:
        """End it, done or not; the thread ends soon after."""
        with self._lock:
            self._stopped = True
            standby = self._standby
        if standby is not None:
            standby.close()
