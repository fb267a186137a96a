"""Work spread over processes, each with its own networks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
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
    with (
        _one_thread_each(),
        ProcessPoolExecutor(count, context, initializer=_begin, initargs=(make,)) as pool,
    ):
        try:
            for number, result in enumerate(pool.map(_answer, jobs), 1):
                if number % 100 == 0 or number == len(jobs):
                    print(f"{number} of {len(jobs)}", file=sys.stderr, flush=True)
                yield result
        except BaseException:  # nobody waits for jobs of minutes whose answers are not wanted
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
                process.join()
            raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """numpy reads how many threads it may use when a process begins."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = make()


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its processes to end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(job: Any) -> Any:
    assert _worker is not None
    return _worker(job)
