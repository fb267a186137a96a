"""What stands between two threads: a bound, a policy, and a count of what was dropped.

    captured frames -> LatestSlot -> worker          the newest wins
    finished frames -> BoundedQueue -> recording     the order is kept; full: the newest is dropped
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Edge(Protocol[T]):
    """The way from one thread to another. All methods may be called from any thread."""

    def put(self, item: T) -> None:
        """Hand over one item; returns at once."""
        ...

    def take(self, timeout_s: float) -> T | None:
        """The next item; None if none came in that time, or the edge is closed and empty."""
        ...

    def close(self) -> None:
        """Take no more; whoever waits is woken. Safe to call again."""
        ...

    @property
    def dropped(self) -> int:
        """How many items were put and will never be taken."""
        ...

    @property
    def waiting(self) -> int:
        """How many items are inside."""
        ...


class LatestSlot(Generic[T]):
    """Room for one item; a newer one takes the place of one that was not taken yet.

    When it is closed, what is inside is dropped.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._dropped = 0

    def put(self, item: T) -> None:
        """See Edge; after close() the item is dropped."""
        with self._changed:
            if self._closed:
                self._dropped += 1
                return
            self._dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self, timeout_s: float = 0.0) -> T | None:
        """See Edge."""
        with self._changed:
            if self._item is None and timeout_s > 0:
                self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """See Edge."""
        with self._changed:
            self._closed = True
            self._dropped += self._item is not None
            self._item = None
            self._changed.notify_all()

    @property
    def dropped(self) -> int:
        """See Edge."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """See Edge."""
        return int(self._item is not None)


class BoundedQueue(Generic[T]):
    """Room for some items, taken in the order in which they came; full: the new one is dropped.

    After close() what is inside can still be taken.

    Args:
        capacity: how many items it holds, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"A queue holds at least 1 item, not {capacity}.")
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._closed = False
        self._dropped = 0

    def put(self, item: T) -> None:
        """See Edge; after close() the item is dropped."""
        with self._changed:
            if self._closed or len(self._items) >= self._capacity:
                self._dropped += 1
                return
            self._items.append(item)
            self._changed.notify()

    def take(self, timeout_s: float = 0.0) -> T | None:
        """See Edge."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                left = until - time.monotonic()
                if self._closed or left <= 0:
                    return None
                self._changed.wait(left)
            return self._items.popleft()

    def close(self) -> None:
        """See Edge."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close, and drop what is inside."""
        with self._changed:
            self._dropped += len(self._items)
            self._items.clear()
            self._closed = True
            self._changed.notify_all()

    @property
    def dropped(self) -> int:
        """See Edge."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """See Edge."""
        return len(self._items)
