"""Fixtures that several rooms share: a real face, and engines that need no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.faces.detector import Detector
from realtime_unmask.inference.spec import EngineSpec

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo.mp4"
Planes = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session")
def clip() -> list[NDArray[np.uint8]]:
    """The first twelve frames of the demo clip: one masked face, (720, 960, 3) uint8 RGB."""
    with av.open(str(DEMO)) as container:
        frames = [f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(12), strict=False)]  # noqa: E501
    for frame in frames:
        frame.flags.writeable = False
    return frames


@pytest.fixture(scope="session")
def portrait(clip: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One masked face, (720, 960, 3) uint8 RGB."""
    return clip[0]


@pytest.fixture(scope="session")
def detector() -> Iterator[Detector]:
    """One detector for all tests: it has no memory."""
    with Detector() as made:
        yield made


class FakeEngine:
    """An engine whose answer is a function of its inputs."""

    backend = "fake"
    spec = EngineSpec("editor", {}, {}, prior_supported=True)

    def __init__(self, answer: Callable[[Mapping[str, NDArray[np.float32]]], Planes]) -> None:
        self.answer = answer
        self.calls: list[Planes] = []
        self.under_way: Mapping[str, NDArray[np.float32]] | None = None
        self.closed = False

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        self.submit(inputs)
        return self.wait()

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        assert self.under_way is None
        self.calls.append({name: value.copy() for name, value in inputs.items()})
        self.under_way = inputs

    card = ""

    def wait_there(self, name: str) -> Planes:
        return self.wait()

    def wait(self) -> Planes:
        assert self.under_way is not None
        inputs, self.under_way = self.under_way, None
        return self.answer(inputs)

    def close(self) -> None:
        self.closed = True


def lower_face(size: int = 256) -> NDArray[np.float32]:
    """(size, size) float32: 1 where a mask that covers nose to chin would be."""
    y, x = np.mgrid[:size, :size] / size
    return (((x - 0.5) / 0.22) ** 2 + ((y - 0.68) / 0.19) ** 2 < 1).astype(np.float32)


@pytest.fixture
def map_engine() -> FakeEngine:
    """Says that every face wears a mask over its lower half."""

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        count = inputs["image"].shape[0]
        return {"map": np.repeat(lower_face()[None, None], count, 0)}

    return FakeEngine(answer)


@pytest.fixture
def bare_engine() -> FakeEngine:
    """Says that nobody wears a mask."""

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        return {"map": np.zeros_like(inputs["image"][:, :1])}

    return FakeEngine(answer)


@pytest.fixture
def blue_engine() -> FakeEngine:
    """Knows the demo's mask by its colour."""

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        image, zone = inputs["image"], lower_face()
        blue = ((image[:, 2] - image[:, 0]) * zone).sum((1, 2)) / zone.sum()
        return {"map": zone * (blue > 0.25).astype(np.float32)[:, None, None, None]}

    return FakeEngine(answer)


@pytest.fixture
def editor_engine() -> FakeEngine:
    """Paints a colour that is nowhere in the picture, and copies the rest."""

    def answer(inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        green = np.array([-1.0, 1.0, -1.0], np.float32)[None, :, None, None]
        hole = inputs["map"]
        return {
            "rgb": inputs["image"] * (1 - hole) + green * hole,
            "confidence": np.full_like(hole, 0.5),
        }

    return FakeEngine(answer)
