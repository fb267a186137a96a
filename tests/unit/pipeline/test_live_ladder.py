"""The live worker goes down the quality ladder when it is slow, and says so."""

from __future__ import annotations

from realtime_unmask.capture.scripted import ScriptedCamera
from realtime_unmask.pipeline.ladder import RUNGS
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.settings import Settings
from tests.unit.pipeline.live_fakes import FakeUnmasker, live_threads, wait_until


def test_a_slow_computer_sheds_work_and_is_told_when_it_is_over() -> None:
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        slow = 0 if settings.threads else 0.2  # slower than the slowest camera
        made.append(FakeUnmasker(settings, seconds=slow))
        return made[-1]

    session = LiveSession(ScriptedCamera(), make)
    session.start()
    try:
        wait_until(lambda: "quality" in {n.kind for n in session.notices()}, "the first step down")
        (notice,) = (n for n in session.notices() if n.kind == "quality")
        assert notice.text.startswith("This computer is busy") and not notice.grave
        # How long maps are held depends on the frames' distance as well: see test_ladder.py.
        wait_until(
            lambda: made[0].states[-1].effort.look_every == RUNGS[1].look_every,
            "less work in a frame",
        )
        # Other networks, which are fast: the notice of the slow ones does not stay.
        session.update(threads=1)
        wait_until(lambda: "quality" not in {n.kind for n in session.notices()}, "no more notice")
    finally:
        assert session.stop() == ()
    assert live_threads() == []
