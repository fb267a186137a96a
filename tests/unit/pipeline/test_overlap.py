"""Reading ahead and writing behind keep the order, the bound and the faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from realtime_unmask.pipeline.overlap import ReadAhead, WriteBehind

ROOM = 3


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def until(condition: object, limit_s: float = 5.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def test_items_come_in_their_order() -> None:
    with ReadAhead(range(200), ROOM) as reading:
        assert list(reading) == list(range(200))


def test_no_more_is_read_ahead_than_there_is_room_for() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    with ReadAhead(items(), ROOM) as reading:
        until(lambda: len(read) == ROOM + 1)  # the last one waits in the thread's hand
        time.sleep(0.05)
        assert len(read) == ROOM + 1
        assert list(reading) == list(range(50))


def test_a_fault_in_reading_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the rest is broken")

    got: list[int] = []
    with ReadAhead(items(), ROOM) as reading, pytest.raises(ValueError, match="broken"):
        for item in reading:
            got.append(item)
    assert got == list(range(5))


def test_reading_can_be_left_in_the_middle() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    with ReadAhead(endless(), ROOM) as reading:
        assert next(iter(reading)) == 0


def test_all_is_written_in_order_before_finish_returns() -> None:
    written: list[int] = []
    with WriteBehind(written.append, ROOM) as writing:
        for number in range(100):
            writing.put(number)
        writing.finish()
        assert written == list(range(100))


def test_a_full_belt_makes_the_producer_wait() -> None:
    gate, written = threading.Event(), list[int]()

    def write(item: int) -> None:
        gate.wait(5)
        written.append(item)

    with WriteBehind(write, ROOM) as writing:
        putting = threading.Thread(target=lambda: [writing.put(n) for n in range(10)])
        putting.start()
        time.sleep(0.05)
        assert putting.is_alive() and not written
        gate.set()
        putting.join(5)
        writing.finish()
    assert written == list(range(10))


def test_a_fault_in_writing_is_raised_by_put_or_finish() -> None:
    def write(item: int) -> None:
        raise OSError(f"no room for {item}")

    with WriteBehind(write, ROOM) as writing, pytest.raises(OSError, match="no room for 0"):
        for number in range(100):
            writing.put(number)
    with WriteBehind(write, ROOM) as writing:
        writing.put(7)
        with pytest.raises(OSError, match="no room for 7"):
            writing.finish()


def test_giving_up_writes_no_more() -> None:
    gate, written = threading.Event(), list[int]()

    def write(item: int) -> None:
        written.append(item)
        gate.wait(5)

    writing = WriteBehind(write, ROOM)
    for number in range(3):
        writing.put(number)
    until(lambda: written == [0])
    closing = threading.Thread(target=writing.close)
    closing.start()
    time.sleep(0.05)
    gate.set()
    closing.join(5)
    assert written == [0]
