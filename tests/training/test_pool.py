"""Work spread over processes: in order, and ended at once where its answers are not wanted."""

from __future__ import annotations

import multiprocessing
import operator
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

from training.evaluation import pool


def _slow(done: Path | None) -> None:
    if done is not None:
        time.sleep(8)
        done.touch()


def _make_slow() -> Callable[[Path | None], None]:
    return _slow


def test_pool_waits_for_no_job_whose_answer_is_not_wanted(tmp_path: Path) -> None:
    answers = pool.spread(_make_slow, [None, *(tmp_path / str(n) for n in range(3))], workers=2)
    next(answers)
    running = multiprocessing.active_children()
    assert running
    answers.close()  # type: ignore[attr-defined]  # as after Ctrl-C
    # Not active_children(): the executor's thread may have reaped one and not yet said so.
    assert len(wait([process.sentinel for process in running], timeout=0)) == len(running)
    assert not list(tmp_path.iterdir())


def test_pool_answers_in_order() -> None:
    make = partial(partial, operator.mul, 2)
    assert list(pool.spread(make, [3, 1, 2], workers=0)) == [6, 2, 4]
    assert list(pool.spread(make, [3, 1, 2], workers=2)) == [6, 2, 4]
