"""Live sessions that leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_unmask.capture.scripted import ScriptedCamera
from realtime_unmask.capture.stream import SourceSpec
from realtime_unmask.pipeline.live import LiveSession
from tests.unit.pipeline.live_fakes import FakeUnmasker, Start, books_balance, live_threads


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts sessions; afterwards all are stopped, their books balance, no thread is left."""
    made: list[LiveSession] = []

    def begin(source: SourceSpec | None = None, make=FakeUnmasker, **more) -> LiveSession:  # type: ignore[no-untyped-def]
        session = LiveSession(source or ScriptedCamera(), make, **more)
        made.append(session)
        session.start()
        return session

    yield begin
    for session in made:
        assert session.stop() == ()
        assert books_balance(session)
    assert live_threads() == []
