"""A live session: the newest wins, the books balance, and nothing that fails stops the rest."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.capture.scripted import ScriptedCamera, Step
from realtime_unmask.errors import OutputError, UsageError
from realtime_unmask.pipeline.live import LiveSession
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult, Likeness
from realtime_unmask.unmask.unmasker import State
from tests.unit.pipeline.live_fakes import (
    FakeUnmasker,
    ListSink,
    Start,
    books_balance,
    grey,
    kinds,
    live_threads,
    wait_done,
    wait_until,
)


def test_the_cameras_picture_is_shown_until_the_networks_are_ready(start: Start) -> None:
    loaded = threading.Event()

    def slowly(settings: Settings) -> FakeUnmasker:
        loaded.wait(10)
        return FakeUnmasker(settings)

    session = start(make=slowly)
    first = session.latest.take(5.0)
    assert first is not None and first.status == "starting"
    assert first.shown.image is first.result.frame.image
    assert session.stats().backend == ""
    loaded.set()
    frame = wait_done(session)
    assert grey(frame.shown) == 255 - grey(frame.result.frame)
    assert (session.stats().backend, session.stats().reason) == ("fake", "it is a fake")


def test_a_slow_worker_gets_the_newest_frame_and_drops_are_counted(start: Start) -> None:
    session = start(make=lambda s: FakeUnmasker(s, seconds=0.05))
    wait_until(lambda: session.stats().drops.get("worker busy", 0) > 10, "drops")
    frame = wait_done(session)
    assert time.perf_counter_ns() - frame.captured_ns < 1e9  # the newest, not one of a long queue
    session.stop()
    assert books_balance(session)


def test_frames_never_change_their_order(start: Start) -> None:
    sink = ListSink()
    session = start(make=lambda s: FakeUnmasker(s, seconds=0.001 if s.threads else 0.003))
    wait_done(session)
    session.attach("record", lambda first: sink, keep_all=True)
    session.update(threads=1)
    wait_until(lambda: len(sink.frames) > 60, "sixty frames")
    session.detach("record")
    times = [frame.pts for frame in sink.frames]
    assert times == sorted(set(times)) and None not in times


def test_settings_change_between_two_frames(start: Start) -> None:
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        made.append(FakeUnmasker(settings))
        return made[-1]

    session = start(make=make)
    wait_done(session)
    session.update(strength=0.25, mirror=True)
    wait_until(lambda: made[-1].seen[-1].strength == 0.25, "the new strength")
    assert len(made) == 1
    with pytest.raises(UsageError, match="strength"):
        session.update(strength=7.0)
    with pytest.raises(UsageError, match="no setting nonsense"):
        session.update(nonsense=1)


def test_a_bare_face_is_followed_and_mirrored_with_the_picture(start: Start) -> None:
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        made.append(FakeUnmasker(settings))
        return made[-1]

    session = start(make=make)
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[:, 0] = 255
    mine = Likeness(crop, np.zeros((478, 3), np.float32), crop[..., 0])
    session.update(likeness=mine)
    wait_done(session)
    wait_until(lambda: made[-1].followed[-1] is mine, "the face")
    session.update(mirror=True)
    wait_until(lambda: made[-1].followed[-1] is not mine, "its mirror image")
    flipped = made[-1].followed[-1]
    assert flipped is not None and (flipped.crop == crop[:, ::-1]).all()
    session.update(threads=1)
    wait_until(lambda: len(made) > 1 and bool(made[1].followed), "another unmasker")
    session.update(likeness=None, mirror=False)
    wait_until(lambda: made[-1].followed[-1] is None, "nobody's face")


def test_the_picture_is_mirrored_and_turned_before_it_is_unmasked(start: Start) -> None:
    def paint(index: int, width: int, height: int) -> np.ndarray:  # type: ignore[type-arg]
        image = np.zeros((height, width, 3), np.uint8)
        image[0, 0] = 200  # upper left
        return image

    session = start(ScriptedCamera(paint=paint))
    session.update(mirror=True)
    wait_until(lambda: bool(wait_done(session).result.frame.image[0, -1, 0] == 200), "mirrored")
    session.update(mirror=False, rotate=90)
    wait_until(lambda: wait_done(session).shown.image.shape == (64, 48, 3), "turned")
    assert wait_done(session).result.frame.image[0, -1, 0] == 200


def test_another_picture_size_begins_another_sequence(start: Start) -> None:
    made: list[FakeUnmasker] = []

    def make(settings: Settings) -> FakeUnmasker:
        made.append(FakeUnmasker(settings))
        return made[-1]

    camera = ScriptedCamera([Step(frames=30), Step(frames=30, size=(32, 32), fps=float("nan"))])
    session = start(camera, make)
    wait_until(lambda: wait_done(session).shown.width == 32, "the new size")
    states = {id(state) for state in made[0].states[2:]}  # without the warm-up's
    assert len(states) == 2


def test_another_source_of_the_same_size_begins_another_sequence(start: Start) -> None:
    """Else the last picture of one camera might be held, or people followed, in the other one."""
    served: list[tuple[int, State]] = []

    class Watched(FakeUnmasker):
        def process(self, frame: Frame, state: State) -> FrameResult:
            served.append((grey(frame), state))
            return super().process(frame, state)

    def camera(level: int) -> ScriptedCamera:
        return ScriptedCamera(paint=lambda index, w, h: np.full((h, w, 3), level, np.uint8))

    def from_camera(level: int) -> set[State]:
        # Without the warm-up's two, each of which has its own.
        return {state for seen, state in served[2:] if seen == level}

    session = start(camera(10), Watched)
    wait_until(lambda: bool(from_camera(10)), "a picture of the first camera")
    session.choose_source(camera(200))
    wait_until(lambda: bool(from_camera(200)), "a picture of the second camera")
    assert len(from_camera(10)) == len(from_camera(200)) == 1
    assert not from_camera(10) & from_camera(200)


def test_a_stalled_camera_is_said_and_opened_again(start: Start) -> None:
    camera = ScriptedCamera([Step(frames=10, stall_s=3.2)])
    session = start(camera)
    wait_until(lambda: camera.given == 10, "ten frames")
    began = time.monotonic()
    wait_until(lambda: "stalled" in kinds(session), "the notice")
    assert time.monotonic() - began < 1.5
    wait_until(lambda: camera.opened >= 2, "another try")
    wait_until(lambda: camera.given > 12, "pictures again")
    wait_until(lambda: "stalled" not in kinds(session), "the notice goes away")


def test_an_unplugged_camera_comes_back_by_itself(start: Start) -> None:
    camera = ScriptedCamera([Step(frames=5, gone_s=1.0)])
    session = start(camera)
    wait_until(lambda: "no_camera" in kinds(session), "the notice")
    last = session.latest.take()  # the last picture is still there for the window
    assert last is None or last.shown.width == 64
    wait_until(lambda: camera.given > 10, "pictures again", 4.0)
    wait_until(lambda: kinds(session) == set(), "the notice goes away")
    assert camera.opened == camera.closed + 1


def test_another_source_takes_over_from_one_that_is_gone(start: Start) -> None:
    session = start(ScriptedCamera([Step(gone_s=60)]))
    wait_until(lambda: "no_camera" in kinds(session), "the notice")
    session.choose_source(ScriptedCamera(size=(80, 60)))
    assert wait_done(session).shown.width == 80


def test_after_a_long_pause_nothing_old_is_carried_along(start: Start) -> None:
    made: list[FakeUnmasker] = []
    efforts: list[int] = []

    class Watched(FakeUnmasker):
        def process(self, frame: Frame, state: State) -> FrameResult:
            efforts.append(state.effort.look_every)
            return super().process(frame, state)

    def make(settings: Settings) -> FakeUnmasker:
        made.append(Watched(settings))
        return made[-1]

    camera = ScriptedCamera([Step(frames=40, stall_s=0.5), Step(frames=40)])
    start(camera, make)
    wait_until(lambda: camera.given > 60, "frames after the pause")
    served = efforts[2:]  # without the warm-up's
    assert served[0] == 1  # the very first
    assert served.count(1) == 2 and set(served) - {1}


def test_a_failing_output_does_not_disturb_the_others(start: Start) -> None:
    good, bad = ListSink(), ListSink(full_after=5)
    session = start()
    wait_done(session)
    session.attach("page", lambda first: good)
    session.attach("record", lambda first: bad, keep_all=True)
    wait_until(lambda: "disk_full" in kinds(session), "the notice")
    (notice,) = [n for n in session.notices() if n.kind == "disk_full"]
    assert (notice.output, notice.grave) == ("record", True)
    assert bad.ended == "aborted"
    count = len(good.frames)
    wait_until(lambda: len(good.frames) > count + 10, "the other one goes on")
    assert set(session.stats().outputs) == {"page"}


def test_an_output_that_cannot_open_says_so_to_who_attached_it(start: Start) -> None:
    def fail(first: Frame) -> ListSink:
        raise OutputError("There is no such folder.")

    session = start()
    with pytest.raises(OutputError, match="no such folder"):
        session.attach("record", fail)
    assert session.stats().outputs == {}


def test_a_slow_recording_counts_what_it_cannot_take(start: Start) -> None:
    sink = ListSink(seconds=0.05)
    session = start()
    session.attach("record", lambda first: sink, keep_all=True)
    wait_until(lambda: session.stats().outputs["record"].dropped > 5, "drops")
    output = session._outputs._running["record"]
    session.detach("record")
    stats = output.stats
    assert stats.offered == stats.written + stats.dropped
    assert stats.written == len(sink.frames)
    assert sink.ended == "closed"


def test_a_badge_is_on_what_leaves_unless_it_is_switched_off(start: Start) -> None:
    sink = ListSink()
    camera = ScriptedCamera(paint=lambda i, w, h: np.zeros((h, w, 3), np.uint8), size=(320, 240))
    session = start(camera)
    wait_done(session)
    session.attach("page", lambda first: sink)
    wait_until(lambda: len(sink.frames) > 1, "frames")
    assert sink.frames[0].image.min() < 255  # the picture itself is plain white
    assert wait_done(session).shown.image.min() == 255
    session.update(badge=False)
    wait_until(lambda: bool(sink.frames[-1].image.min() == 255), "no badge")


def test_a_snapshot_is_a_picture_that_says_what_it_is(start: Start, tmp_path: Path) -> None:
    session = start()
    wait_done(session)
    first, second = session.snapshot(tmp_path / "new"), session.snapshot(tmp_path / "new")
    assert first != second
    assert b"AI-reconstructed" in first.read_bytes()


def test_the_camera_is_released_when_nobody_looks(start: Start) -> None:
    camera = ScriptedCamera()
    session = start(camera, idle_s=0.3)
    wait_done(session)
    session.set_visible(False)
    wait_until(lambda: session.stats().asleep, "sleep")
    wait_until(lambda: camera.closed == camera.opened, "the camera is released")
    assert kinds(session) == {"asleep"}
    given = camera.given
    time.sleep(0.3)
    assert camera.given == given
    session.set_visible(True)
    wait_until(lambda: camera.given > given, "it is back")


def test_an_output_keeps_the_camera_awake(start: Start) -> None:
    sink = ListSink()
    session = start(idle_s=0.2)
    session.attach("page", lambda first: sink)
    session.set_visible(False)
    time.sleep(0.6)
    assert not session.stats().asleep


def test_a_session_is_started_once(start: Start) -> None:
    session = start()
    with pytest.raises(UsageError):
        session.start()
    session.stop()
    session.stop()
    with pytest.raises(UsageError):
        session.attach("page", lambda first: ListSink())


@pytest.mark.parametrize(
    "stops", [50, pytest.param(1000, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_stop_comes_within_two_seconds_from_any_state(stops: int) -> None:
    rng = random.Random(11)
    for number in range(stops):
        script = rng.choice(
            [[], [Step(stall_s=60)], [Step(gone_s=60)], [Step(frames=2, stall_s=60)]]
        )
        slow = rng.choice([0.0, 0.01, 0.05])
        session = LiveSession(
            ScriptedCamera(script), lambda s, slow=slow: FakeUnmasker(s, seconds=slow)
        )
        session.start()
        if rng.random() < 0.3:
            session.update(backend="onnxruntime")
        time.sleep(rng.choice([0.0, 0.005, 0.03]))
        began = time.monotonic()
        assert session.stop() == (), f"stop {number}"
        assert time.monotonic() - began < 2
        assert books_balance(session)
    assert live_threads() == []


def test_a_read_that_cannot_be_interrupted_is_named_and_left_behind() -> None:
    camera = ScriptedCamera([Step(frames=2, blocked_s=4.0)])
    session = LiveSession(camera, FakeUnmasker)
    session.start()
    wait_until(lambda: camera.given == 2, "two frames")
    time.sleep(0.3)
    began = time.monotonic()
    (stuck,) = session.stop()
    assert time.monotonic() - began < 2.5
    assert stuck.kind == "source_stuck" and "source does not answer" in stuck.text
    wait_until(lambda: live_threads() == [], "it ends by itself")
