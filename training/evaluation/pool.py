"""Work spread over processes, each with its own networks."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import cv2

J = TypeVar("J")
R = TypeVar("R")

_worker: Callable[[Any], Any] | None = None


def spread(
    make: Callable[[], Callable[[J], R]], jobs: Sequence[J], workers: int | None = None
) -> Iterator[R]:
    """The answer to each job, in order.

    Args:
        make: called once in each process; what it returns answers one job. It must be picklable,
            and so must jobs and answers.
        workers: processes; None: one for each core. 0: none, all is done here.
    """
    count = (os.cpu_count() or 1) if workers is None else workers
    if count == 0 or len(jobs) < 2:
        answer = make()
        yield from (answer(job) for job in jobs)
        return
    # Not forked: the networks' threads would not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=(make,)) as pool:
        yield from pool.map(_answer, jobs, chunksize=2)


def _begin(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker
    cv2.setNumThreads(1)
    _worker = make()


def _answer(job: Any) -> Any:
    assert _worker is not None
    return _worker(job)
