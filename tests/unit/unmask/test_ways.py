"""In a sequence faces are painted straight and in a mirror by turns, and the mean is shown."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult
from realtime_unmask.unmask.editor import Painted
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.unmasker import State, Unmasker
from tests.unit.conftest import FakeEngine, Planes, lower_face

Clip = list[NDArray[np.uint8]]
PLAIN = Settings(colour_match=False)


def one_sided(light: float = 0.8) -> FakeEngine:
    """Paints light that falls off from its left to its right, whatever it sees."""
    across = np.linspace(light, -light, 256, dtype=np.float32)

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        hole = inputs["map"]
        return {"rgb": inputs["image"] + hole * across, "confidence": hole.copy()}

    return FakeEngine(answer)


def live(image: NDArray[np.uint8], number: int, fps: int = 30) -> Frame:
    """As a camera gives it."""
    return Frame(image, None, 10**9 + round(number * 1e9 / fps), number)


def run(
    frames: list[Frame], map_engine: FakeEngine, editor: FakeEngine, effort: Effort = Effort()  # noqa: B008
) -> list[FrameResult]:
    state = State(effort)
    with Unmasker(map_engine, editor, PLAIN) as unmasker:
        return [unmasker.process(frame, state) for frame in frames]


def ways(editor: FakeEngine, portrait: NDArray[np.uint8]) -> list[str]:
    """How each batch that it got was painted; the face is one that is lit from one side."""
    told = []
    straight = editor.calls[0]["image"][0]
    for call in editor.calls:
        image = call["image"]
        same = np.abs(image[0] - straight).mean() < np.abs(image[0][..., ::-1] - straight).mean()
        told.append("both" if len(image) == 2 else "straight" if same else "mirror")
    return told


def test_live_takes_turns(clip: Clip, map_engine: FakeEngine) -> None:
    editor = one_sided()
    run([live(clip[0], number) for number in range(4)], map_engine, editor)
    assert ways(editor, clip[0]) == ["straight", "mirror", "straight", "mirror"]


def test_a_file_takes_turns_after_its_first_frame(clip: Clip, map_engine: FakeEngine) -> None:
    editor = one_sided()
    run([Frame(clip[0], Fraction(n, 30), 0, n) for n in range(4)], map_engine, editor)
    assert ways(editor, clip[0]) == ["both", "mirror", "straight", "mirror"]


def test_frames_far_apart_are_painted_each_by_itself(clip: Clip, map_engine: FakeEngine) -> None:
    """A file's both ways, for which there is time; live straight, or it would be later still."""
    of_file, of_camera = one_sided(), one_sided()
    run([Frame(clip[0], Fraction(n, 4), 0, n) for n in range(3)], map_engine, of_file)
    shown = run([live(clip[0], n, fps=4) for n in range(3)], map_engine, of_camera)
    assert ways(of_file, clip[0]) == ["both"] * 3
    assert ways(of_camera, clip[0]) == ["straight"] * 3
    left, right = sides(shown[-1])
    assert left - right > 30


def test_turns_are_taken_where_paint_is_held_in_between(
    clip: Clip, map_engine: FakeEngine
) -> None:
    editor = one_sided()
    run([live(clip[0], n) for n in range(6)], map_engine, editor, Effort(edit_every=2))
    told = ways(editor, clip[0])
    assert len(told) >= 3 and told == [("straight", "mirror")[n % 2] for n in range(len(told))]


def sides(result: FrameResult) -> tuple[float, float]:
    """How bright the paint is to the left and to the right of the middle."""
    row = result.reconstructions[0].crop[174, :, 0].astype(float)
    return row[96:112].mean(), row[144:160].mean()


@pytest.mark.parametrize("effort", [Effort(), Effort(edit_every=2)])
def test_what_is_shown_is_the_mean_of_both_ways(
    clip: Clip, map_engine: FakeEngine, effort: Effort
) -> None:
    shown = run([live(clip[0], n) for n in range(40)], map_engine, one_sided(0.1), effort)
    first, last = sides(shown[0]), sides(shown[-1])
    assert first[0] - first[1] > 4  # straight, alone
    # Once the filter over time has forgotten the first one.
    assert last == pytest.approx([sum(first) / 2] * 2, abs=1)


def test_where_both_ways_show_different_things_the_straight_one_stays(
    clip: Clip, map_engine: FakeEngine
) -> None:
    shown = run([live(clip[0], n) for n in range(6)], map_engine, one_sided())
    for result in shown[1:]:
        assert sides(result) == pytest.approx(sides(shown[0]), abs=1.5)


def test_nothing_of_the_other_side_of_a_cut_is_shown(clip: Clip, map_engine: FakeEngine) -> None:
    other = np.clip(clip[0].astype(int) + 60, 0, 255).astype(np.uint8)
    frames = [live(clip[0], 0), live(clip[0], 1), live(other, 2)]
    shown = run(frames, map_engine, one_sided())
    for number in (0, 2):
        left, right = sides(shown[number])
        assert left - right > 30


def test_only_what_both_painted_is_mixed() -> None:
    both = lower_face().astype(np.uint8)
    one, other = (
        Painted(np.full((256, 256, 3), level, np.float32), np.full((256, 256), sure, np.float32))
        for level, sure in ((100, 0.2), (106, 0.6))
    )
    for way in ("straight", "mirror"):
        mean = one.joined(other, both, way)
        assert isinstance(mean, Painted)
        assert mean.rgb[both > 0] == pytest.approx(103) and (mean.rgb[both == 0] == 100).all()
        assert mean.confidence == pytest.approx(0.4)
    assert (one.rgb == 100).all()
    assert one.joined(other, np.zeros_like(both), "straight") is one
