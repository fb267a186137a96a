"""What is finished on a card looks as if the CPU had done it; torch on the CPU stands in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.errors import EngineLost
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.torch_graph import ALONE
from realtime_unmask.settings import Settings
from realtime_unmask.types import Alignment, Float32, Frame, FrameResult, UInt8
from realtime_unmask.unmask import card as cards
from realtime_unmask.unmask import card_trial
from realtime_unmask.unmask import unmasker as unmaskers
from realtime_unmask.unmask.card_steps import SkinMatch
from realtime_unmask.unmask.colour import carried
from realtime_unmask.unmask.compositor import Canvas, feather
from realtime_unmask.unmask.editor import Painted
from realtime_unmask.unmask.effort import Effort
from realtime_unmask.unmask.skin import match_skin
from realtime_unmask.unmask.unmasker import State, Unmasker

torch = pytest.importorskip("torch", reason="needs torch; run by make test-training")

S = 256
SETTINGS = Settings(backend="onnxruntime", precision="fp32")


@pytest.fixture(scope="module")
def card() -> cards.Card:
    return cards.Card("cpu", S)


@pytest.fixture(scope="module")
def clip() -> list[UInt8]:
    """Frames of the demo clip."""
    path: Path = resources.folder("assets") / "demo.mp4"
    with av.open(str(path)) as container:
        decoded = enumerate(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for at, frame in decoded if at < 40][::5]


def made_up(seed: int) -> tuple[UInt8, Float32, UInt8]:
    """A crop, paint that is tinted and tilted beside it, and a hole."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 215, (16, 16, 3)).astype(np.float32)
    real = cv2.resize(small, (S, S), interpolation=cv2.INTER_CUBIC)
    tilt = np.linspace(-12, 12, S, dtype=np.float32)[:, None, None]
    paint = real * np.float32(0.9) + rng.uniform(-15, 15, 3).astype(np.float32) + tilt
    hole = np.zeros((S, S), np.uint8)
    cv2.ellipse(hole, (120, 170), (62, 48), 8, 0, 360, 1, -1)
    return np.clip(real, 0, 255).astype(np.uint8), np.clip(paint, 0, 255), hole


def on_card(card: cards.Card, rgb: Float32) -> cards.CardPainted:
    sure = np.ones((S, S), np.float32)
    return cards.CardPainted(card, torch.from_numpy(rgb.transpose(2, 0, 1).copy()), sure)


def test_paint_in_a_black_and_white_picture_has_no_colour(card: cards.Card) -> None:
    crop, paint, hole = made_up(3)
    grey = np.repeat(crop.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    known = np.ones_like(hole)
    ours = on_card(card, paint).finished(grey, hole, known, None, None).picture().astype(int)
    theirs = Painted(paint, np.ones((S, S), np.float32)).finished(grey, hole, known, None, None)
    assert np.ptp(ours, axis=2)[hole > 0].max() <= 2
    assert np.abs(ours - theirs.picture())[hole > 0].max() <= 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("follows", [False, True])
def test_colour_and_steadiness_are_those_of_the_cpu(
    card: cards.Card, seed: int, follows: bool
) -> None:
    crop, paint, hole = made_up(seed)
    known = np.ones_like(hole)
    known[:, : 30 * seed] = 0
    before = np.roll(paint, 1, 1) + np.float32(4)
    sure = np.ones((S, S), np.float32)
    pairs = []
    for rgb, past in (
        (Painted(paint, sure), Painted(before, sure)),
        (on_card(card, paint), on_card(card, before)),
    ):
        done = rgb.finished(crop, hole, known, past if follows else None, hole)
        pairs.append(done.picture().astype(int))
    assert np.abs(pairs[0] - np.rint(paint)).mean() > 1  # there was something to do
    assert np.abs(pairs[0] - pairs[1]).max() <= 1
    assert np.abs(pairs[0] - pairs[1]).mean() < 0.01


def test_ashen_skin_is_warmed_as_by_the_cpu(card: cards.Card) -> None:
    hole = np.zeros((S, S), np.uint8)
    cv2.ellipse(hole, (128, 180), (60, 46), 0, 0, 360, 1, -1)
    rng = np.random.default_rng(0)
    crop = np.full((S, S, 3), (200, 150, 120), np.uint8)
    crop[cv2.dilate(hole, np.ones((15, 15), np.uint8)) > 0] = (170, 160, 150)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (S, S, 3)), (0, 0), 4)
    crop = np.clip(crop + grain, 0, 255).astype(np.uint8)
    paint = ((170, 160, 150) + grain + rng.normal(0, 2, grain.shape)).astype(np.float32)
    paint[cv2.erode(hole, np.ones((9, 9), np.uint8)) * (np.arange(S) >= 160) > 0] = (90, 150, 210)
    sure, known = np.ones((S, S), np.float32), np.ones_like(hole)
    theirs = Painted(paint, sure).finished(crop, hole, known, None, None).picture().astype(int)
    ours = on_card(card, paint).finished(crop, hole, known, None, None).picture().astype(int)
    warmed = theirs - carried(paint, crop, hole, known)
    assert warmed[195, 120, 0] > 10 and warmed[195, 120, 2] < -10  # there was something to do
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(ours - theirs).mean() < 0.01


def ashen(case: str) -> tuple[Float32, UInt8, UInt8, UInt8]:
    """Paint, crop, hole and known, as skin.match_skin takes them."""
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (S, S, 3)), (0, 0), 4)
    crop = np.clip((200, 150, 120) + grain, 0, 255).astype(np.uint8)
    paint = ((190, 153, 130) + grain[::-1]).astype(np.float32)
    hole, known = np.zeros((S, S), np.uint8), np.ones((S, S), np.uint8)
    cv2.ellipse(hole, (127, 181), (61, 47), 0, 0, 360, 1, -1)
    if case == "to the crop's edge":
        hole[180:, 79:175] = 1
    elif case == "hardly seen":
        hole[95:200, 60:200] = 1
    elif case == "covered":
        hole[60:200, 60:200] = 1
    elif case == "beyond the picture":
        known[:, 126:] = 0
    elif case == "mixed light":
        crop[:, 137:] = np.clip((170, 160, 150) + grain, 0, 255).astype(np.uint8)[:, 137:]
    elif case == "in the dark":
        crop, paint = (crop // 16).astype(np.uint8), paint / 16
    elif case == "bright":
        crop, paint = cv2.add(crop, (60, 60, 60, 0)).astype(np.uint8), paint + 70
    elif case == "half in another light":
        paint[:, :128] *= 0.5
    elif case == "no number":
        paint[150, 100] = np.nan
    return paint, crop, hole, known


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("plain", True), ("to the crop's edge", True), ("hardly seen", True), ("covered", False),
        ("beyond the picture", True), ("mixed light", True), ("in the dark", True),
        ("bright", True), ("half in another light", True), ("no number", True),
    ],
)  # fmt: skip
def test_skin_is_matched_as_by_the_cpu(case: str, changes: bool) -> None:
    paint, crop, hole, known = ashen(case)
    theirs = match_skin(paint, crop, hole, known)
    colours = [torch.from_numpy(v.transpose(2, 0, 1).astype(np.float32)) for v in (paint, crop)]
    planes = [torch.from_numpy(v.astype(np.float32))[None, None] for v in (hole, known)]
    ours = SkinMatch(S, "cpu")(*colours, *planes).permute(1, 2, 0).numpy()
    assert np.allclose(ours, theirs.clip(0, 255), atol=1e-3, equal_nan=True)
    assert (np.nanmax(np.abs(theirs - paint)) > 0.3) == changes


def test_without_a_match_the_paint_stays(card: cards.Card) -> None:
    crop, paint, hole = made_up(5)
    done = on_card(card, paint).finished(crop, hole, None, None, None)
    assert np.abs(done.picture().astype(int) - np.rint(paint)).max() <= 1


def test_a_hole_without_surroundings_is_left_alone(card: cards.Card) -> None:
    crop, paint, hole = made_up(6)
    for holes in (np.ones_like(hole), np.zeros_like(hole)):
        done = on_card(card, paint).finished(crop, holes, np.ones_like(hole), None, None)
        assert np.abs(done.picture().astype(int) - np.rint(paint)).max() <= 1


def test_paint_from_elsewhere_is_not_followed(card: cards.Card) -> None:
    crop, paint, hole = made_up(7)
    past = Painted(paint + 3, np.ones((S, S), np.float32))
    ours = on_card(card, paint).finished(crop, hole, None, past, hole)
    assert np.abs(ours.picture().astype(int) - np.rint(paint)).max() <= 1
    theirs = past.finished(crop, hole, None, on_card(card, paint), hole)
    assert np.array_equal(theirs.picture(), past.picture())


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.6, 0.05, -200.0], [-0.05, 0.6, -60.0]],  # in the middle of the frame
        [[0.5, 0.0, -10.0], [0.0, 0.5, 40.0]],  # over its edge
        [[2.6, 0.2, -900.0], [-0.2, 2.6, -500.0]],  # finer than the frame
        [[0.09, 0.0, 62.4], [0.0, 0.09, 137.6]],  # all of it
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_a_frame_is_blended_as_by_the_cpu(
    card: cards.Card, matrix: list[list[float]], given: bool
) -> None:
    _, paint, hole = made_up(8)
    coarse = np.random.default_rng(9).integers(0, 256, (45, 80, 3)).astype(np.uint8)
    frame = cv2.resize(coarse, (1280, 720)).astype(np.uint8)
    frame.flags.writeable = False  # as frames are
    alignment, alpha = Alignment(np.array(matrix), S), feather(hole, 2.0)
    weight = np.full(frame.shape[:2], 0.5, np.float32) if given else None
    done = []
    for made in (Painted(paint, alpha), on_card(card, paint)):
        canvas = Canvas(frame)
        made.put(canvas, alpha, alignment, weight)
        result = canvas.result()
        assert result is not None
        done.append(result)
    (theirs, shown), (ours, marked) = done
    assert (shown > 0).sum() > 300
    assert np.abs(ours.astype(int) - theirs)[shown > 0].mean() < 0.5
    # At the support's edge a pixel may fall to either side of a rounded place.
    assert (np.abs(ours.astype(int) - theirs).max(2) > 3).sum() <= 0.004 * (shown > 0).sum()
    assert ((shown > 0) != (marked > 0)).sum() <= 0.004 * (shown > 0).sum()
    assert np.array_equal(ours[marked == 0], frame[marked == 0])


class LeftThere:
    """An editor whose paint stays on the "card"."""

    card = "cpu"

    def __init__(self) -> None:
        self._engine = load_engine("editor", SETTINGS)
        self.spec, self.backend, self.reason = self._engine.spec, "stand-in", ""
        self.lost = False

    def submit(self, inputs: dict[str, Float32]) -> None:
        self._engine.submit(inputs)

    def wait(self) -> dict[str, Float32]:
        return self._engine.wait()

    def wait_there(self, name: str) -> dict[str, object]:
        made = self._engine.wait()
        return dict(made) if self.lost else {**made, name: torch.from_numpy(made[name])}

    def close(self) -> None:
        self._engine.close()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The card is taken without a trial."""
    monkeypatch.setattr(
        unmaskers, "finishing_on_card",
        lambda engine, size: cards.Card(engine.card, size) if engine.card else None,
    )  # fmt: skip
    yield


def run(
    unmasker: Unmasker, clip: list[UInt8], frames_per_second: int, state: State | None = None
) -> list[FrameResult]:
    state = state or State()
    return [
        unmasker.process(Frame(image, Fraction(number, frames_per_second), 0, number), state)
        for number, image in enumerate(clip)
    ]


def with_a_bib(clip: list[UInt8]) -> list[UInt8]:
    """The demo's mask made so long that it reaches out of the face's crop."""
    long = [image.copy() for image in clip]
    for image in long:
        image[390:660, 340:640] = cv2.resize(image[390:497, 340:640], (300, 270))
        image.flags.writeable = False
    return long


# In turns, and where frames are far apart both ways.
@pytest.mark.parametrize("frames_per_second", [25, 6])
def test_a_video_looks_the_same(
    always: None, clip: list[UInt8], frames_per_second: int
) -> None:
    with Unmasker.default(SETTINGS) as unmasker:
        theirs = run(unmasker, clip, frames_per_second)
    with Unmasker(load_engine("map", SETTINGS), LeftThere(), SETTINGS) as unmasker:  # type: ignore[arg-type]
        ours = run(unmasker, clip, frames_per_second)
    for one, other in zip(theirs, ours, strict=True):
        assert one.map is not None and other.map is not None
        apart = np.abs(one.output.image.astype(int) - other.output.image)
        assert apart[one.map > 0].mean() < 0.6
        assert np.array_equal(other.output.image[other.map == 0], other.frame.image[other.map == 0])
        a, b = one.reconstructions[0], other.reconstructions[0]
        assert np.abs(a.crop.astype(int) - b.crop).mean() < 0.2
        assert np.array_equal(a.confidence, b.confidence)


def test_a_long_mask_looks_the_same(always: None, clip: list[UInt8]) -> None:
    """Its wider crop's paint lies under the usual one's."""
    long, shown = with_a_bib(clip[:4]), []
    for editor in (load_engine("editor", SETTINGS), LeftThere()):
        with Unmasker(load_engine("map", SETTINGS), editor, SETTINGS) as unmasker:  # type: ignore[arg-type]
            state = State()
            shown.append(run(unmasker, long, 25, state))
            assert all(memory.outer is not None for memory in state.faces.values())
    for one, other in zip(*shown, strict=True):
        assert one.map is not None
        apart = np.abs(one.output.image.astype(int) - other.output.image)
        assert apart[one.map > 0].mean() < 0.6


def test_a_card_that_is_lost_leaves_the_rest_to_the_cpu(always: None, clip: list[UInt8]) -> None:
    editor = LeftThere()
    with Unmasker(load_engine("map", SETTINGS), editor, SETTINGS) as unmasker:  # type: ignore[arg-type]
        state = State()
        for number, image in enumerate(clip[:4]):
            editor.lost = number >= 2
            result = unmasker.process(Frame(image, Fraction(number, 6), number, number), state)
            assert result.map is not None


def test_the_trial_finds_the_same_pixels_and_asks_for_less_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = LeftThere()
    try:
        monkeypatch.setattr(card_trial, "CLEARLY", 1e9)
        assert card_trial.finishing_on_card(engine, S) is not None  # type: ignore[arg-type]
        monkeypatch.setattr(card_trial, "CLEARLY", 0.0)
        assert card_trial.finishing_on_card(engine, S) is None  # type: ignore[arg-type]
        monkeypatch.setattr(card_trial, "CLEARLY", 1e9)
        monkeypatch.setattr(
            cards.Card, "blended", lambda self, rgb, alpha, at, under, _: (under, under[..., 0])
        )
        assert card_trial.finishing_on_card(engine, S) is None  # type: ignore[arg-type]

        def breaks(*_: object) -> None:
            raise RuntimeError("CUDA error: no kernel image is available")

        monkeypatch.setattr(cards.Card, "finish", breaks)
        assert card_trial.finishing_on_card(engine, S) is None  # type: ignore[arg-type]
        assert "no kernel image is available" in caplog.text
    finally:
        engine.close()


def test_the_trial_finds_paint_where_there_should_be_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blended = cards.Card.blended

    def everywhere(self: cards.Card, *arguments: object) -> tuple[UInt8, UInt8]:
        part, weight = blended(self, *arguments)  # type: ignore[arg-type]
        return np.where(weight[..., None] > 0, part, 255 - part), weight

    monkeypatch.setattr(card_trial, "CLEARLY", 1e9)
    monkeypatch.setattr(cards.Card, "blended", everywhere)
    engine = LeftThere()
    try:
        assert card_trial.finishing_on_card(engine, S) is None  # type: ignore[arg-type]
    finally:
        engine.close()


def test_an_engine_without_a_card_is_not_tried() -> None:
    with load_engine("editor", SETTINGS) as engine:
        assert card_trial.finishing_on_card(engine, S) is None
        assert replace(engine.spec).name == "editor"


def test_what_is_recorded_waits_for_nothing_and_copies_nothing(
    card: cards.Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CUDA graph can hold neither; a card is not needed to see which operations there are."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: set[str] = set()

    class Listen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.add(func.name())
            if func.name() == "aten::index.Tensor":  # how many are true, a card would have to say
                assert not any(at is not None and at.dtype == torch.bool for at in args[1])
            return func(*args, **(kwargs or {}))

    moved = torch.Tensor.to

    def to(self: Any, *where: object, **kwargs: object) -> Any:
        assert all(isinstance(one, torch.dtype) for one in where), "to another device"
        return moved(self, *where, **kwargs)

    for name in ("cpu", "numpy", "tolist"):
        monkeypatch.setattr(torch.Tensor, name, None)
    monkeypatch.setattr(torch.Tensor, "to", to)
    with Listen():
        card._steps()
    monkeypatch.undo()
    waits = {"aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::item"}
    made_of_numbers = {"aten::lift_fresh", "aten::scalar_tensor", "aten::tensor"}
    assert len(seen) > 20
    assert not seen & (waits | made_of_numbers)
    with Listen():  # as it would be seen
        torch.where(torch.ones(2) > 0, torch.ones(2), 0.0)
    assert seen & made_of_numbers or any(name.startswith("aten::where.Scalar") for name in seen)


class FakeGraph:
    """Replays what was computed while it was recorded."""

    def replay(self) -> None: ...


def test_the_card_records_while_no_other_thread_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before torch records it waits for the whole card, which spoils another one's recording."""
    card, alone = cards.Card("cpu", S), []
    crop, paint, hole = made_up(10)

    def recording(graph: FakeGraph, **how: object) -> AbstractContextManager[None]:
        alone.append(ALONE.locked())
        return nullcontext()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(card, "_cuda", True)
    for _ in range(2):
        on_card(card, paint).finished(crop, hole, None, None, None)
    assert alone == [True]
    assert not ALONE.locked()


@pytest.mark.parametrize("step", ["taken", "finish", "blended", "picture"])
@pytest.mark.parametrize("ahead", [False, True], ids=["one by one", "the next frame begun"])
def test_a_card_that_is_lost_with_the_paint_on_it_costs_no_frame(
    always: None, clip: list[UInt8], monkeypatch: pytest.MonkeyPatch, step: str, ahead: bool
) -> None:
    """The frame is painted again, and finished on the CPU like all that follow."""
    real, calls = getattr(cards.Card, step), {"left": 3}

    def breaks(self: cards.Card, *given: object, **more: object) -> object:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise EngineLost("The GPU stopped working.")
        return real(self, *given, **more)

    monkeypatch.setattr(cards.Card, step, breaks)
    with Unmasker(load_engine("map", SETTINGS), LeftThere(), SETTINGS) as unmasker:  # type: ignore[arg-type]
        assert unmasker.finished_on == "cpu" and unmasker._card is not None
        state, results, begun = State(Effort(edit_every=2)), [], None
        for number, image in enumerate(clip):
            now = unmasker.begin(Frame(image, Fraction(number, 30), number * 33_000_000), state)
            if begun is not None:
                results.append(unmasker.finish(begun))
            begun = now
            if not ahead:
                results.append(unmasker.finish(begun))
                begun = None
        if begun is not None:
            results.append(unmasker.finish(begun))
        assert unmasker._card is None
    assert len(results) == len(clip)
    assert all(result.map is not None for result in results)


def test_faults_of_the_editor_itself_are_not_tried_again(
    always: None, clip: list[UInt8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is for its engine to do, or not, where the backend was asked for by name."""
    editor, calls = LeftThere(), []

    def breaks(name: str) -> dict[str, object]:
        calls.append(name)
        editor.wait()
        raise EngineLost("The GPU stopped working.")

    monkeypatch.setattr(editor, "wait_there", breaks)
    with Unmasker(load_engine("map", SETTINGS), editor, SETTINGS) as unmasker:  # type: ignore[arg-type]
        with pytest.raises(EngineLost, match="stopped working"):
            unmasker.process(Frame(clip[0], Fraction(0), 0, 0), State())
    assert calls == ["rgb"]


def test_a_card_that_is_lost_and_no_cpu_that_takes_over_is_an_error(
    always: None, clip: list[UInt8], monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = LeftThere()

    def breaks(*_: object) -> None:
        monkeypatch.setattr(editor, "submit", breaks)
        raise EngineLost("The GPU stopped working.")

    monkeypatch.setattr(cards.Card, "finish", breaks)
    with Unmasker(load_engine("map", SETTINGS), editor, SETTINGS) as unmasker:  # type: ignore[arg-type]
        with pytest.raises(EngineLost, match="stopped working"):
            unmasker.process(Frame(clip[0], Fraction(0), 0, 0), State())
