"""The networks of a live session: one set takes over from another, also from one that fails."""

from __future__ import annotations

import threading

from realtime_unmask.capture.scripted import ScriptedCamera
from realtime_unmask.errors import EngineLost, EngineUnavailable
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame
from tests.unit.pipeline.live_fakes import (
    FakeUnmasker,
    ListSink,
    Start,
    kinds,
    wait_done,
    wait_until,
)


def test_a_worker_that_hangs_is_passed_over_until_it_answers(start: Start) -> None:
    gate = threading.Event()
    session = start(make=lambda s: FakeUnmasker(s, gate=gate))
    wait_until(lambda: "late" in kinds(session), "the notice")
    shown = session.stats().shown
    wait_until(lambda: session.stats().shown > shown + 10, "the camera's own picture goes on")
    frame = session.latest.take(1.0)
    assert frame is not None and frame.status == "late"
    gate.set()
    wait_done(session)
    assert "late" not in kinds(session)
    assert session.stats().drops["late"] == 1


def test_another_backend_takes_over_when_it_is_warm_and_no_frame_is_lost(start: Start) -> None:
    may_finish = threading.Event()
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        if settings.backend == "onnxruntime":
            may_finish.wait(10)
        made.append(FakeUnmasker(settings, backend=settings.backend))
        return made[-1]

    sink = ListSink()
    session = start(ScriptedCamera(fps=60), make)
    wait_done(session)
    session.attach("record", lambda first: sink, keep_all=True)
    session.update(backend="onnxruntime")
    wait_until(lambda: len(sink.frames) > 10, "the old one goes on")
    assert session.stats().backend == "auto"
    may_finish.set()
    wait_until(lambda: session.stats().backend == "onnxruntime", "the new one")
    wait_until(lambda: made[0].closed != "", "the old one is closed")
    assert made[0].closed == made[0].made  # in its own thread
    wait_until(lambda: len(made[1].states) > 2, "more than the warm-up")
    assert made[1].states[-1] is made[0].states[-1]  # with the memory of the sequence
    session.detach("record")
    assert session.stats().drops.get("worker busy", 0) <= 3  # scheduling, not the change


def test_a_backend_that_cannot_be_made_leaves_the_old_one_at_work(start: Start) -> None:
    def make(settings: Settings) -> FakeUnmasker:
        if settings.backend == "tensorrt":
            raise EngineUnavailable("There is no driver. Install it.")
        return FakeUnmasker(settings)

    session = start(make=make)
    wait_done(session)
    session.update(backend="tensorrt")
    wait_until(lambda: "engines" in kinds(session), "the notice")
    wait_done(session)
    assert session.stats().backend == "fake"


def test_a_remembered_backend_that_is_not_there_any_more_gives_way_to_the_cpu(
    start: Start,
) -> None:
    def make(settings: Settings) -> FakeUnmasker:
        if settings.backend == "tensorrt":
            raise EngineUnavailable("There is no driver. Install it.")
        return FakeUnmasker(settings, backend=settings.backend)

    session = start(make=make, settings=Settings(backend="tensorrt"))
    wait_done(session)
    assert session.stats().backend == "cpu"
    (notice,) = [n for n in session.notices() if n.kind == "engines"]
    assert "no driver" in notice.text and "CPU" in notice.text


def test_a_lost_device_goes_on_with_the_cpu(start: Start) -> None:
    broken = threading.Event()

    def fault(frame: Frame) -> None:
        if broken.is_set():
            raise EngineLost("The GPU ran out of memory.")

    def make(settings: Settings) -> FakeUnmasker:
        cpu = settings.backend == "cpu"
        return FakeUnmasker(
            settings, backend=settings.backend, fault=(lambda f: None) if cpu else fault
        )

    session = start(make=make)
    wait_done(session)
    broken.set()
    wait_until(lambda: session.stats().backend == "cpu", "the CPU")
    wait_done(session)
    (notice,) = [n for n in session.notices() if n.kind == "engine_lost"]
    assert "out of memory" in notice.text and "CPU" in notice.text
    session.update(threads=1)
    assert "engine_lost" not in kinds(session)
    session.update(strength=0.5)  # still in force with another backend than was asked for
    wait_until(lambda: session.settings.strength == 0.5, "the change")


def test_networks_that_cannot_be_loaded_leave_the_picture(start: Start) -> None:
    def make(settings: Settings) -> FakeUnmasker:
        raise EngineUnavailable("No backend works here.")

    session = start(make=make)
    wait_until(lambda: "engines" in kinds(session), "the notice")
    wait_until(lambda: session.stats().shown > 3, "pictures")
