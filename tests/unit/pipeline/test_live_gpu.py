"""A session starts on the CPU, and the GPU takes over between two frames when it is ready."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from realtime_unmask.capture.scripted import ScriptedCamera
from realtime_unmask.inference import standby
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.pipeline.live_gpu import GpuSearch
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult

CHOSEN = "print(json.dumps({'chosen': {'map': %r, 'editor': %r}}), flush=True)"


class FakeUnmasker(AtOnce):
    """Does nothing, on the backend that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backend = "a GPU" if settings.backend == "auto" else settings.backend
        self.reason = "a test"
        self.did: list[str] = []

    def warm(self) -> None:
        self.did.append("warmed")

    def process(self, frame: Frame, state: object = None) -> FrameResult:
        self.did.append("a frame")
        return FrameResult(frame, frame, None)

    def close(self) -> None: ...


@dataclass
class Process:
    """What the other process does, and whether the session may look for a GPU."""

    monkeypatch: pytest.MonkeyPatch
    made: list[str] = field(default_factory=list)
    unmaskers: list[FakeUnmasker] = field(default_factory=list)

    def make(self, settings: Settings) -> FakeUnmasker:
        self.made.append(settings.backend)
        self.unmaskers.append(FakeUnmasker(settings))
        return self.unmaskers[-1]

    def does(self, code: str) -> None:
        whole = f"import json, sys, time\n{code}"
        self.monkeypatch.setattr(standby, "_COMMAND", (sys.executable, "-c", whole))


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    made = Process(monkeypatch)
    monkeypatch.setattr(standby, "may_gain", lambda settings: settings.backend == "auto")
    return made


@pytest.fixture
def session(process: Process) -> Iterator[LiveSession]:
    with LiveSession(ScriptedCamera(fps=60), process.make) as session:
        yield session


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_cpu_first_and_then_the_gpu(process: Process, session: LiveSession) -> None:
    process.does(CHOSEN % ("openvino", "torch"))
    session.start()
    wait_until(lambda: session.stats().backend == "a GPU")
    assert process.made == ["cpu", "auto"]


def test_gpu_is_warm_before_it_takes_over(process: Process, session: LiveSession) -> None:
    process.does(CHOSEN % ("openvino", "torch"))
    session.start()
    wait_until(lambda: session.stats().backend == "a GPU")
    for unmasker in process.unmaskers:
        assert unmasker.did[0] == "warmed"
        assert unmasker.did.count("warmed") == 1


def test_what_is_being_done_is_told_until_it_is_done(
    process: Process, session: LiveSession
) -> None:
    process.does(
        "print(json.dumps({'say': 'Building for the GPU'}), flush=True)\ntime.sleep(600)"
    )
    session.start()
    wait_until(lambda: [n.text for n in session.notices() if n.kind == "gpu"] != [])
    assert [n.text for n in session.notices() if n.kind == "gpu"] == ["Building for the GPU"]
    wait_until(lambda: session.stats().backend == "cpu")
    began = time.monotonic()
    session.stop()
    assert time.monotonic() - began < 30, "the other process is not waited for"
    wait_until(lambda: "live gpu" not in {thread.name for thread in threading.enumerate()})


def test_cpu_stays_where_it_serves_best(process: Process, session: LiveSession) -> None:
    process.does(CHOSEN % ("openvino", "openvino"))
    session.start()
    wait_until(lambda: session.stats().backend == "cpu")
    wait_until(lambda: "live gpu" not in {thread.name for thread in threading.enumerate()})
    assert process.made == ["cpu"]
    assert not [n for n in session.notices() if n.kind == "gpu"]


def test_what_stands_in_the_way_of_a_faster_engine_stays_said(
    process: Process, session: LiveSession
) -> None:
    missed = "TensorRT is passed over: What is built for it cannot be kept."
    process.does(
        f"print(json.dumps({{'missed': {missed!r}}}), flush=True)\n"
        + "print(json.dumps({'say': 'Trying'}), flush=True)\n"
        + CHOSEN % ("openvino", "openvino")
    )
    session.start()
    wait_until(lambda: session.stats().backend == "cpu")
    wait_until(lambda: "live gpu" not in {thread.name for thread in threading.enumerate()})
    assert [n.text for n in session.notices() if n.kind == "gpu"] == [missed]


def test_search_that_fails_is_told_and_the_cpu_goes_on(
    process: Process, session: LiveSession
) -> None:
    process.does("sys.exit(1)")
    session.start()
    wait_until(lambda: any("failed" in n.text for n in session.notices() if n.kind == "gpu"))
    wait_until(lambda: session.stats().backend == "cpu")


def test_backend_that_was_chosen_meanwhile_stays(
    process: Process, session: LiveSession
) -> None:
    process.does("time.sleep(0.5)\n" + CHOSEN % ("torch", "torch"))
    session.start()
    session.update(backend="onnxruntime")
    wait_until(lambda: "live gpu" not in {thread.name for thread in threading.enumerate()})
    wait_until(lambda: session.stats().backend == "onnxruntime")
    assert "auto" not in process.made


def test_machine_without_a_gpu_starts_no_process(
    process: Process, session: LiveSession
) -> None:
    process.monkeypatch.setattr(standby, "may_gain", lambda settings: False)
    process.monkeypatch.setattr(standby, "_COMMAND", ("/no/such/program",))
    session.start()
    wait_until(lambda: process.made == ["auto"])
    assert not [n for n in session.notices() if n.kind == "gpu"]


def test_process_that_cannot_be_started(process: Process) -> None:
    process.monkeypatch.setattr(standby, "_COMMAND", ("/no/such/program",))
    said: list[str] = []
    search = GpuSearch(Settings(), said.append, lambda: said.append("found"))
    search.start()
    search.join(60)
    assert said == [
        "The GPU cannot be got ready (No such file or directory); the CPU goes on."
    ]
    search.stop()
