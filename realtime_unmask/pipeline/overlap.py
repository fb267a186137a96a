"""Reading ahead and writing behind: the order is kept, nothing is dropped, faults come through.

    for item in ReadAhead(source):      a thread reads the next items meanwhile
        with WriteBehind(write): ...    a thread writes those that were put, in order
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from realtime_unmask.closing import Closing

T = TypeVar("T")
# Waits are cut into pieces, so that Ctrl-C is heard on every system.
_PIECE_S = 0.5


class _Belt(Generic[T]):
    """Room for a few items between two threads; whoever finds it full or empty waits."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self.fault: BaseException | None = None

    def put(self, item: T) -> bool:
        """False where it was stopped, and the item is not wanted any more."""
        with self._changed:
            while len(self._items) >= self._room and not self._stopped:
                self._changed.wait(_PIECE_S)
            if not self._stopped:
                self._items.append(item)
                self._changed.notify_all()
            return not self._stopped

    def items(self) -> Iterator[T]:
        """All items in their order, until it has ended or was stopped."""
        while True:
            with self._changed:
                while not (self._items or self._ended or self._stopped):
                    self._changed.wait(_PIECE_S)
                if self._stopped or not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # a large picture, before the next one is waited for

    def end(self, fault: BaseException | None = None) -> None:
        """No more items will be put."""
        with self._changed:
            self._ended, self.fault = True, self.fault or fault
            self._changed.notify_all()

    def stop(self) -> None:
        """No more items will be taken; those inside are let go."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()


class ReadAhead(Closing, Generic[T]):
    """Iterates over `items` in a thread of its own, up to `room` items ahead.

    An exception that `items` raises is raised here in its turn, after the items before it.
    """

    def __init__(self, items: Iterable[T], room: int) -> None:
        self._belt: _Belt[T] = _Belt(room)
        self._thread = threading.Thread(target=self._read, args=(items,), name="read ahead")
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        yield from self._belt.items()
        if self._belt.fault is not None:
            raise self._belt.fault

    def close(self) -> None:
        """Stop, after the item that is being read; safe to call again."""
        self._belt.stop()
        self._thread.join()

    def _read(self, items: Iterable[T]) -> None:
        fault: BaseException | None = None
        try:
            for item in items:
                if not self._belt.put(item):
                    return
                del item
        except BaseException as error:  # noqa: BLE001  the thread's edge: raised by the reader
            fault = error
        finally:
            self._belt.end(fault)


class WriteBehind(Closing, Generic[T]):
    """Calls `write` with each item in a thread of its own, up to `room` items behind.

    An exception that `write` raises ends the work, and is raised by the next call here.
    """

    def __init__(self, write: Callable[[T], None], room: int) -> None:
        self._write = write
        self._belt: _Belt[T] = _Belt(room)
        self._thread = threading.Thread(target=self._work, name="write behind")
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over one item; waits while there is no room."""
        if not self._belt.put(item):
            self._raise()

    def finish(self) -> None:
        """Wait until all is written."""
        self._belt.end()
        while self._thread.is_alive():
            self._thread.join(_PIECE_S)
        self._raise()

    def close(self) -> None:
        """Stop, after the item that is being written; safe to call again."""
        self._belt.stop()
        self._thread.join()

    def _raise(self) -> None:
        if self._belt.fault is not None:
            raise self._belt.fault

    def _work(self) -> None:
        try:
            for item in self._belt.items():
                self._write(item)
                del item
        except BaseException as error:  # noqa: BLE001  the thread's edge: raised by put or finish
            self._belt.end(error)
            self._belt.stop()
