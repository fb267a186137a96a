"""The outputs of a live session: what goes wrong late is told all the same, of the right one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from realtime_unmask.errors import OutputError, UnmaskError
from realtime_unmask.pipeline.live_outputs import Outputs
from realtime_unmask.pipeline.live_values import LiveFrame
from realtime_unmask.types import Frame, FrameResult
from tests.unit.pipeline.live_fakes import ListSink, live_threads, wait_until


@pytest.fixture
def outputs() -> Iterator[Outputs]:
    """Outputs without a session; afterwards no thread is left."""
    made = Outputs(lambda: False, lambda: "")
    yield made
    assert made.end(time.monotonic() + 5) == []
    wait_until(lambda: live_threads() == [], "all threads end")


def _frame() -> LiveFrame:
    frame = Frame(np.zeros((4, 4, 3), np.uint8))
    return LiveFrame(FrameResult(frame, frame, None), frame, "done", 0)


def test_an_output_whose_first_picture_comes_late_and_fails_is_told(outputs: Outputs) -> None:
    def fail(first: Frame) -> ListSink:
        raise OutputError("There is no such folder.")

    output = outputs.add("record", fail, keep_all=True)
    output.wait_opened(0.01)  # no picture came in that time
    outputs.put(_frame())
    wait_until(lambda: bool(outputs.notices()), "the notice")
    (notice,) = outputs.notices()
    assert (notice.output, notice.text) == ("record", "There is no such folder.")
    assert outputs.stats() == {}


def test_what_has_failed_before_it_is_detached_is_not_taken_for_finished(outputs: Outputs) -> None:
    outputs.add("record", lambda first: ListSink(full_after=1), keep_all=True).wait_opened(0.01)
    for _ in range(2):
        outputs.put(_frame())
    wait_until(lambda: bool(outputs.notices()), "the notice")
    with pytest.raises(OutputError, match="disk is full"):
        outputs.remove("record", 5.0)
    assert outputs.notices() == ()
    outputs.remove("record", 5.0)  # it was told


class _Held(ListSink):
    """Ends only when it is let go, and then badly."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def close(self) -> None:
        self.go.wait(10)
        raise OutputError("The disk is full.")


def _leave_behind(outputs: Outputs) -> _Held:
    held = _Held()
    outputs.add("record", lambda first: held, keep_all=True)
    outputs.put(_frame())
    wait_until(lambda: len(held.frames) == 1, "the first picture")
    with pytest.raises(UnmaskError, match="not finished yet"):
        outputs.remove("record", 0.01)
    return held


def test_an_older_output_that_fails_leaves_the_newer_of_its_name_alone(outputs: Outputs) -> None:
    held, newer = _leave_behind(outputs), ListSink()
    outputs.add("record", lambda first: newer, keep_all=True).wait_opened(0.01)
    held.go.set()
    wait_until(lambda: held.ended == "aborted", "the end of the older one")
    outputs.put(_frame())
    wait_until(lambda: len(newer.frames) == 1, "a picture for the newer one")
    outputs.remove("record", 5.0)
    assert newer.ended == "closed"


def test_what_was_not_finished_when_it_was_detached_is_named_at_the_end(outputs: Outputs) -> None:
    held = _leave_behind(outputs)
    assert outputs.end(time.monotonic() + 0.01) == ["record"]
    held.go.set()
