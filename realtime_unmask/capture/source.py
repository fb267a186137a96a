"""What every source of frames does."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from realtime_unmask.types import Frame


class Source(Protocol):
    """A sequence of frames, read once from the beginning to the end.

    Opened by its constructor, which raises a MediaError if there is nothing to read; a context
    manager. Belongs to one thread.
    """

    def __iter__(self) -> Iterator[Frame]:
        """The frames in the order in which they are to be shown, their `pts` rising.

        Raises:
            MediaDamaged: after the last frame that could be read, if the rest is missing.
        """
        ...

    def close(self) -> None:
        """Free everything; safe to call again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
