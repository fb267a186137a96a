"""What every sink of frames does."""

from __future__ import annotations

from typing import Protocol

from realtime_unmask.types import Frame


class Sink(Protocol):
    """Takes frames one by one. Opened by its constructor; belongs to one thread.

    Exactly one of close() and abort() ends it; either is safe to call again.
    """

    def write(self, frame: Frame) -> None:
        """Take one frame; all are of one size, their `pts` rise.

        Raises:
            ValueError: the frame has another size than announced, or its `pts` does not rise.
            OutputError: it cannot be written. What was written before is kept; the sink has ended.
        """
        ...

    def close(self) -> None:
        """Finish: everything written is complete, checked and under its final name.

        Raises:
            OutputError: it cannot be finished; the message says what is left.
        """
        ...

    def abort(self) -> None:
        """Give up: nothing of this sink remains, except what an OutputError announced."""
        ...
