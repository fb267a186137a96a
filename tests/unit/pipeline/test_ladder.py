"""The ladder sheds work in a fixed order, and gives it back when there is time again."""

from __future__ import annotations

from realtime_unmask.pipeline.ladder import RUNGS, Ladder

STEP = 1 / 30


def climb(ladder: Ladder, seconds: float, frames: int) -> list[int]:
    """The rungs that it went to."""
    went = []
    for _ in range(frames):
        if ladder.took(seconds, STEP):
            went.append(ladder.rung)
    return went


def test_enough_time_stays_at_the_top() -> None:
    ladder = Ladder()
    assert climb(ladder, 0.8 * STEP, 1000) == []
    assert ladder.effort == RUNGS[0] and ladder.notice() is None


def test_late_frames_go_down_rung_by_rung_and_no_further_than_the_last() -> None:
    ladder = Ladder()
    assert climb(ladder, 1.5 * STEP, 300) == list(range(1, len(RUNGS)))
    assert ladder.effort == RUNGS[-1]


def test_the_first_step_down_comes_within_half_a_second() -> None:
    ladder = Ladder()
    assert climb(ladder, 1.2 * STEP, 15) == [1]


def test_one_slow_frame_is_no_reason() -> None:
    ladder = Ladder()
    for _ in range(30):
        assert climb(ladder, 0.7 * STEP, 20) == []
        assert climb(ladder, 3 * STEP, 1) == []
    assert ladder.rung == 0


def test_late_frames_that_are_made_up_for_are_no_reason() -> None:
    """The work of a frame goes up and down around the time there is, and no frame is lost."""
    ladder = Ladder()
    for _ in range(500):
        assert climb(ladder, 1.4 * STEP, 1) == climb(ladder, 0.55 * STEP, 1) == []
    assert ladder.rung == 0


def test_work_that_just_fits_stays() -> None:
    ladder = Ladder()
    assert climb(ladder, 0.99 * STEP, 1000) == []


def test_a_frame_that_is_lost_now_and_then_leads_down_in_time() -> None:
    ladder = Ladder()
    assert climb(ladder, 1.04 * STEP, 150) == []
    assert climb(ladder, 1.04 * STEP, 150) == [1]


def test_time_to_spare_leads_back_up_to_the_top() -> None:
    ladder = Ladder()
    climb(ladder, 1.5 * STEP, 300)
    assert climb(ladder, 0.3 * STEP, 2000) == list(range(len(RUNGS) - 2, -1, -1))


def test_it_rests_where_work_and_time_agree() -> None:
    """A rung above that is too slow is tried, but ever more rarely."""
    ladder, cost = Ladder(), (1.15, 1.05, 0.75, 0.5)
    rungs = []
    for _ in range(12_000):
        ladder.took(cost[ladder.rung] * STEP, STEP)
        rungs.append(ladder.rung)
    late = rungs[3000:]
    assert set(late) == {1, 2} and late.count(1) < 0.05 * len(late)


def test_a_slow_beginning_is_made_up_for() -> None:
    """A rung saves little: waiting for much time to spare would mean to wait for ever."""
    ladder = Ladder()
    climb(ladder, 1.5 * STEP, 60)
    assert ladder.rung > 0
    climb(ladder, 0.85 * STEP, 600)
    assert ladder.rung == 0


def test_each_rung_does_less_than_the_one_above() -> None:
    for above, below in zip(RUNGS, RUNGS[1:], strict=False):
        pairs = [
            (above.look_every, below.look_every),
            (above.map_every, below.map_every),
            (above.edit_every, below.edit_every),
        ]
        assert all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def test_the_notice_says_what_is_left_out() -> None:
    ladder = Ladder()
    notices = {0: ladder.notice()}
    for _ in range(300):
        if ladder.took(2 * STEP, STEP):
            notices[ladder.rung] = ladder.notice()
    assert "mask" in (notices[1] or "")
    assert "paint" in (notices[2] or "")


def test_a_slower_camera_leaves_more_time() -> None:
    ladder = Ladder()
    assert not any(ladder.took(0.04, 1 / 15) for _ in range(500))
    assert any(ladder.took(0.04, 1 / 30) for _ in range(20))
