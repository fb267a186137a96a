"""Prepared faces made from the demo clip, for every training test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from realtime_unmask.types import UInt8
from tests.training.runs import beginning
from training import data
from training.prepare import prepare
from training.shards import Faces, load_shards

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo.mp4"


def of_demo() -> Iterator[tuple[int, UInt8]]:
    """Six frames of the demo clip, with their numbers; (H, W, 3) RGB."""
    with av.open(str(DEMO)) as container:
        for number, frame in enumerate(islice(container.decode(video=0), 60)):
            if number % 10 == 0:
                yield number, frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six pictures of one face."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, image in of_demo():
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"face_{number:02d}.png"), bgr)
    return folder


@pytest.fixture(scope="session")
def faces(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """The same, prepared; all of them serve for training and for validation."""
    out = tmp_path_factory.mktemp("prepared")
    prepare([pictures], out)
    made = load_shards(out)
    made.split[:] = "train"
    return made


@pytest.fixture(scope="module")
def judged(faces: Faces) -> Faces:
    """The demo's faces: two to judge, one of a source never trained on, the rest to learn from."""
    made = faces.where(np.ones(len(faces), bool))
    made.split = made.split.copy()
    made.set = np.array(["utk"] * len(made), dtype="<U12")
    made.origin = np.array(["34_1_2_2017.jpg"] * len(made), dtype="<U24")
    made.split[:2] = "val"
    made.set[2] = data.UNSEEN_SETS[0]
    return made


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Sums over threads may differ in their order; one thread gives one answer."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def face_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A perceptual network as it begins."""
    path = tmp_path_factory.mktemp("faces") / "last.safetensors"
    return beginning("perceptual", path)
