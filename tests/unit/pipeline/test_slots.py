"""What stands between threads: order, bounds, and counts that add up."""

from __future__ import annotations

import threading

import pytest

from realtime_unmask.pipeline.slots import BoundedQueue, LatestSlot


def test_the_newest_item_wins_and_the_older_one_is_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for item in range(5):
        slot.put(item)
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.dropped == 4


def test_a_full_queue_drops_the_new_one_and_keeps_the_order() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    for item in range(5):
        queue.put(item)
    assert [queue.take(), queue.take(), queue.take(), queue.take()] == [0, 1, 2, None]
    assert queue.dropped == 2


def test_a_closed_slot_drops_what_it_holds_and_what_comes() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.close()
    slot.put(2)
    assert slot.take(0.01) is None
    assert slot.dropped == 2


def test_a_closed_queue_gives_what_it_holds() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    queue.put(1)
    queue.put(2)
    queue.close()
    queue.put(3)
    assert queue.take(0.0) == 1
    queue.abandon()
    assert queue.take(0.0) is None
    assert queue.dropped == 2


@pytest.mark.parametrize("edge", [LatestSlot[int](), BoundedQueue[int](2)], ids=["slot", "queue"])
def test_who_waits_is_woken(edge: LatestSlot[int] | BoundedQueue[int]) -> None:
    threading.Timer(0.05, edge.put, (7,)).start()
    assert edge.take(30.0) == 7
    threading.Timer(0.05, edge.close).start()
    assert edge.take(30.0) is None


def test_everything_that_is_put_is_taken_or_dropped() -> None:
    slot: LatestSlot[int] = LatestSlot()
    taken: list[int] = []

    def take() -> None:
        while (item := slot.take(0.2)) is not None:
            taken.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for item in range(5000):
        slot.put(item)
    taker.join()
    assert taken == sorted(set(taken)) and taken[-1] == 4999
    assert len(taken) + slot.dropped == 5000


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        BoundedQueue(0)
