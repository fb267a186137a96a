"""A GPU, or a skip; and 200 crops of real pictures that need nothing but OpenCV."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference.engine import ON_GPU, backend
from realtime_unmask.inference.manifest import Network
from realtime_unmask.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets" / "demo.mp4"
FACES = ROOT.parent / "shared" / "data" / "faces"
CROPS = 200
# Frame px -> crop px, for the face of the demo clip.
PLACE = np.array([[0.525, 0.0, -135.0], [0.0, 0.525, -33.0]])
Planes = dict[str, NDArray[np.float32]]


def skip_without_any() -> None:
    """Skip a module where no GPU backend works; said once, not for each test."""
    reasons = working()
    if all(reasons.values()):
        pytest.skip(" ".join(dict.fromkeys(reasons.values())), allow_module_level=True)


def working() -> dict[str, str]:
    """GPU backends that work here, and why the others do not."""
    reasons = {}
    for name in ON_GPU:
        try:
            backend(name).probe()
            reasons[name] = ""
        except EngineUnavailable as error:
            reasons[name] = str(error)
    return reasons


@pytest.fixture(params=ON_GPU)
def on_gpu(request: pytest.FixtureRequest) -> Settings:
    """Settings of each GPU backend; those that do not work here are skipped, with the reason."""
    name: str = request.param
    reason = working()[name]
    if reason:
        pytest.skip(reason)
    return Settings(backend=name)


@pytest.fixture
def torch_on_gpu() -> Iterator[Settings]:
    """Settings of the torch backend; its memory is counted from here."""
    reason = working()["torch"]
    if reason:
        pytest.skip(reason)
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield Settings(backend="torch")
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.fixture(scope="session")
def crops() -> NDArray[np.float32]:
    """(200, 3, 256, 256) float32 RGB in [-1, 1]: many people, or the demo clip's frames."""
    images = list(_faces() if FACES.is_dir() else _frames())[:CROPS]
    assert len(images) == CROPS
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1


def inputs(network: Network, image: NDArray[np.float32]) -> Planes:
    """What the program gives the network for these crops; the lower face is to be painted."""
    if network == "map":
        return {"image": image}
    hole = np.zeros_like(image[:, :1])
    hole[:, :, 130:230, 60:200] = 1
    return {
        "image": image * (1 - hole),
        "map": hole,
        "prior": np.zeros_like(image),
        "prior_weight": np.zeros_like(hole),
    }


def _faces() -> Iterator[NDArray[np.uint8]]:
    archives = sorted(FACES.glob("*.tar"))
    each = -(-CROPS // len(archives))
    for path in archives:
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile()]
            for member in members[:: max(1, len(members) // each)][:each]:
                file = archive.extractfile(member)
                assert file is not None
                data = np.frombuffer(io.BytesIO(file.read()).getvalue(), np.uint8)
                picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
                yield cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)


def _frames() -> Iterator[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(DEMO))
    while True:
        good, frame = video.read()
        if not good:
            return
        yield cv2.cvtColor(cv2.warpAffine(frame, PLACE, (256, 256)), cv2.COLOR_BGR2RGB)
