"""A stand-in for the networks, told by colours what to find, and a way to run commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask.cli import run
from realtime_unmask.errors import MediaUnsupported
from realtime_unmask.pipeline.live_values import AtOnce
from realtime_unmask.settings import Settings
from realtime_unmask.types import (
    Alignment,
    Face,
    Frame,
    FrameResult,
    Likeness,
    MaskMap,
    Reconstruction,
)

FACE = (255, 0, 255)  # each pixel of this colour is a face
MASK = (0, 255, 255)  # pixels of this colour are a mask
BLURRED = (1, 2, 3)  # a bare face with a pixel of this colour is blurred
PAINT = (10, 20, 30)


class FakeUnmasker(AtOnce):
    """Finds FACE and MASK pixels and paints over the latter, or over a given map."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.fault = fault
        self.calls = 0
        self.closed = False

    def __enter__(self) -> FakeUnmasker:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def enrol(self, image: np.ndarray) -> Likeness:
        if not (image == FACE).all(axis=2).any():
            raise MediaUnsupported("The picture shows no face.")
        blurred = bool((image == BLURRED).all(axis=2).any())
        return Likeness(image, np.zeros((478, 3), np.float32), image[..., 0], blurred)

    def process(
        self, frame: Frame, state: object = None, *, given_map: np.ndarray | None = None
    ) -> FrameResult:
        self.calls += 1
        if self.fault is not None and self.calls > 1:
            raise self.fault
        found = np.argwhere((frame.image == FACE).all(axis=2))
        face = Face(0, np.zeros(4, np.float32), np.zeros((478, 3), np.float32))
        faces = (face,) * len(found)
        masked = (frame.image == MASK).all(axis=2) if given_map is None else given_map > 0
        if not faces or not masked.any():
            return FrameResult(frame, frame, None, faces)
        painted = frame.image.copy()
        painted[masked] = PAINT
        plain = np.zeros((4, 4), np.float32)
        one = Reconstruction(
            0,
            np.zeros((4, 4, 3), np.uint8),
            MaskMap(plain, 0.5),
            np.full((4, 4), masked.mean(), np.float32),
            Alignment(np.eye(2, 3), 4),
            plain,
        )
        shown = np.where(masked, 255, 0).astype(np.uint8)
        return FrameResult(frame, replace(frame, image=painted), shown, faces, (one,))


@dataclass
class Opened:
    """The unmaskers that a command opened, and how."""

    settings: list[Settings] = field(default_factory=list)
    unmaskers: list[FakeUnmasker] = field(default_factory=list)
    fault: BaseException | None = None


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Commands open FakeUnmaskers; set `fault` to have their second picture raise it."""
    record = Opened()

    def open_unmasker(settings: Settings) -> FakeUnmasker:
        record.settings.append(settings)
        record.unmaskers.append(FakeUnmasker(record.fault))
        return record.unmaskers[-1]

    for command in ("image", "video", "doctor", "demo"):
        monkeypatch.setattr(f"realtime_unmask.cli.{command}.open_unmasker", open_unmasker)
    return record


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened) -> Opened:
    """An empty folder is the current one, and commands open FakeUnmaskers."""
    monkeypatch.chdir(tmp_path)
    return opened


@dataclass
class Ran:
    """What a command left behind: exit code, lines of standard output and standard error."""

    code: int
    out: list[str]
    err: list[str]


Command = Callable[..., Ran]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the program with these arguments."""

    def ran(*arguments: object) -> Ran:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out.splitlines(), captured.err.splitlines())

    return ran
