"""A live session whose parts do what nobody foresaw."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, ScriptedSource
from realtime_unmask.pipeline.live_values import LiveFrame, LiveOptions
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Face, Frame, FrameResult, MaskMap, Reconstruction
from realtime_unmask.unmask.unmasker import State
from tests.unit.pipeline.live_fakes import FakeUnmasker, Start, wait_until


class Surprising(ScriptedCamera):
    """Fails twice with what is no UnmaskError: when it is opened, and in a read."""

    def open(self) -> ScriptedSource:
        source = super().open()
        if self.opened == 1:
            raise OSError(24, "Too many open files")
        if self.opened == 2:
            source.read = self._fail  # type: ignore[method-assign]
        return source

    def _fail(self, timeout_s: float) -> Frame | None:
        raise PermissionError(13, "Permission denied")


def test_an_unforeseen_fault_of_a_source_is_said_and_it_is_opened_again(start: Start) -> None:
    camera = Surprising()
    session = start(camera)
    wait_until(lambda: bool(session.notices()), "the notice")
    wait_until(lambda: session.stats().shown > 3, "pictures")
    assert camera.opened == 3
    assert session.notices() == ()


class Slow(ScriptedCamera):
    """Takes a while to open."""

    def open(self) -> ScriptedSource:
        self.opening.set()
        self.go.wait(10)
        return super().open()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.opening, self.go = threading.Event(), threading.Event()


def test_another_source_can_be_chosen_while_one_is_being_opened(start: Start) -> None:
    slow, other = Slow(), ScriptedCamera()
    session = start(slow)
    assert slow.opening.wait(10)
    chosen = threading.Thread(target=session.choose_source, args=(other,))
    chosen.start()
    chosen.join(5)
    waited = chosen.is_alive()
    slow.go.set()
    chosen.join(5)
    assert not waited
    wait_until(lambda: other.given > 3, "pictures of the other one")
    assert (slow.given, slow.closed) == (0, 1)


class OneFace(FakeUnmasker):
    """Finds number 3 in the corner of each picture."""

    def process(self, frame: Frame, state: State) -> FrameResult:
        result = super().process(frame, state)
        corner = Face(3, np.array([0, 0, 20, 20], np.float32), np.zeros((478, 3), np.float32))
        return replace(result, faces=(corner,))


def test_a_click_on_the_last_picture_of_the_camera_before_chooses_nobody_in_the_new_one(
    start: Start,
) -> None:
    gate = threading.Event()
    gate.set()
    session = start(ScriptedCamera(), lambda settings: OneFace(settings, gate=gate))
    wait_until(lambda: session.choose_face(5, 5) == 3, "a picture with a face")
    turn = session._engines.turn
    before = turn.sequence
    gate.clear()  # the first picture of the new camera is at work, and not shown yet
    session.choose_source(ScriptedCamera())
    wait_until(lambda: turn.sequence.kind[0] != before.kind[0], "a picture of the new camera")
    picked, choice = session.choose_face(5, 5), turn.sequence.state.choice
    gate.set()
    assert (picked, choice.track_id) == (None, None)
    wait_until(lambda: session.choose_face(5, 5) == 3, "a picture of the new camera, shown")


def test_networks_that_hung_go_on_with_a_memory_that_nobody_else_has(start: Start) -> None:
    gate = threading.Event()
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        made.append(FakeUnmasker(settings, gate=gate))
        return made[-1]

    session = start(ScriptedCamera(), make)
    wait_until(lambda: any(n.kind == "late" for n in session.notices()), "the notice")
    warm = len(made[0].states)
    gate.set()
    wait_until(lambda: len(made[0].states) > warm + 1, "the next frame")
    held, after = made[0].states[warm : warm + 2]
    assert held is not after


class Hanging(FakeUnmasker):
    """Paints one face over in each frame, and from the tenth on hangs until `gate` is set."""

    def process(self, frame: Frame, state: State) -> FrameResult:
        if len(self.states) >= 10 and self.gate is not None:
            self.gate.wait(20)
        self.states.append(state)
        box = np.array([10, 8, 40, 40], np.float32)
        face = Face(1, box, np.zeros((478, 3), np.float32))
        none = np.zeros((4, 4), np.float32)
        made = Reconstruction(
            1, np.zeros((4, 4, 3), np.uint8), MaskMap(none, 0.0), none,
            Alignment(np.eye(3)[:2], 4), none,
        )  # fmt: skip
        output = replace(frame, image=255 - frame.image)
        return FrameResult(frame, output, None, (face,), (made,))


@pytest.mark.parametrize("lost", ["masked", "hold", "blur"])
def test_faces_that_were_painted_are_lost_while_the_networks_are_late(
    start: Start, lost: str
) -> None:
    gate = threading.Event()
    session = start(
        ScriptedCamera(),
        lambda settings: Hanging(settings, gate=gate if settings.backend == "auto" else None),
        options=LiveOptions(lost=lost),
    )
    late: list[LiveFrame] = []

    def look() -> bool:
        frame = session.latest.take(1.0)
        if frame is not None and frame.status == "late":
            late.append(frame)
        return bool(late)

    wait_until(look, "a frame without networks")
    gate.set()
    came, shown = late[0].result.frame.image, late[0].shown.image
    assert (shown is came) == (lost == "masked")  # the pictures are of one colour: blur keeps it
    assert np.array_equal(came, shown) == (lost != "hold")


def test_networks_that_fail_on_the_cpu_as_well_are_not_built_for_ever(start: Start) -> None:
    made: list[Settings] = []

    def fault(frame: Frame) -> None:
        if frame.captured_ns:
            raise ZeroDivisionError("by a picture")

    def make(settings: Settings) -> FakeUnmasker:
        made.append(settings)
        return FakeUnmasker(settings, fault=fault)

    session = start(ScriptedCamera(), make)
    wait_until(
        lambda: any("shown as it is" in n.text for n in session.notices()), "the last notice"
    )
    time.sleep(0.2)
    assert [one.backend for one in made] == ["auto", "cpu"]
