"""What only a real card can show: parity in fp16, memory that stays flat, and its loss."""

from __future__ import annotations

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_unmask.errors import EngineLost, EngineUnavailable
from realtime_unmask.inference.engine import ON_CPU, load_engine
from realtime_unmask.inference.manifest import Network
from realtime_unmask.settings import Settings
from realtime_unmask.unmask.card import Card

from .conftest import inputs, skip_without_any

pytestmark = pytest.mark.gpu
skip_without_any()
ROOT = Path(__file__).resolve().parents[2]
MEMORY_LIMIT = 600 * 2**20
# Faces in the frames of a soak: most often one.
SIZES = (1, 1, 1, 2, 1, 1, 3, 1, 1, 4)


@pytest.mark.parametrize("network", ["map", "editor"])
def test_fp16_stays_with_the_reference_on_200_crops(
    on_gpu: Settings, network: Network, crops: NDArray[np.float32]
) -> None:
    pytest.importorskip("torch", reason="the reference needs torch")
    worst, means = 0.0, []
    with (
        load_engine(network, on_gpu) as engine,
        load_engine(network, Settings(backend="torch_cpu")) as reference,
    ):
        assert engine.spec.precision == "fp16"
        for begin in range(0, len(crops), 4):
            batch = inputs(network, crops[begin : begin + 4])
            ours, theirs = engine.infer(batch), reference.infer(batch)
            for name, wanted in theirs.items():
                levels = np.abs(ours[name] - wanted) * (127.5 if name == "rgb" else 255)
                worst = max(worst, float(levels.max()))
                means.append(float(levels.mean()))
    print(f"{on_gpu.backend} {network}: largest {worst:.3f}/255, mean {np.mean(means):.4f}/255")
    assert worst <= 2
    assert np.mean(means) <= 0.3


def test_auto_takes_the_card_and_gives_its_reasons(torch_on_gpu: Settings) -> None:
    with load_engine("editor", Settings()) as engine:
        assert engine.backend not in ON_CPU
        assert "the best of a timed run" in engine.reason


def soak(settings: Settings, frames: int) -> tuple[int, int]:
    """Growth of the card's reserved memory and of this process, bytes, after a warm-up."""
    import torch

    rng = np.random.default_rng(0)
    image = rng.random((4, 3, 256, 256), np.float32) * 2 - 1
    with load_engine("map", settings) as first, load_engine("editor", settings) as second:
        before = (0, 0)
        for number in range(frames + 500):
            if number == 500:
                before = (torch.cuda.memory_reserved(), _rss())
            batch = image[: SIZES[number % len(SIZES)]]
            first.infer(inputs("map", batch))
            second.infer(inputs("editor", batch))
        return torch.cuda.memory_reserved() - before[0], _rss() - before[1]


@pytest.mark.parametrize(
    "frames", [2_000, pytest.param(100_000, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_memory_stays_flat(torch_on_gpu: Settings, frames: int) -> None:
    import torch

    card, process = soak(torch_on_gpu, frames)
    reserved = torch.cuda.max_memory_reserved()
    print(f"{frames} frames: {reserved / 2**20:.0f} MB reserved, grew by {card} B, RSS {process} B")
    assert card == 0
    assert process < 5 * 2**20
    assert reserved <= MEMORY_LIMIT


def test_no_memory_when_it_is_loaded(torch_on_gpu: Settings) -> None:
    import torch

    torch.cuda.set_per_process_memory_fraction(1e-6)
    with pytest.raises(EngineUnavailable, match="no memory left"):
        load_engine("editor", torch_on_gpu)


def test_no_memory_left_in_mid_work(torch_on_gpu: Settings, crops: NDArray[np.float32]) -> None:
    """By name it is an error that says so; with auto the CPU does that very batch."""
    import torch

    with load_engine("editor", torch_on_gpu) as engine:
        engine.infer(inputs("editor", crops[:1]))
        torch.cuda.set_per_process_memory_fraction(1e-6)
        torch.cuda.empty_cache()
        with pytest.raises(EngineLost, match="no memory left"):
            engine.infer(inputs("editor", crops[:3]))
    torch.cuda.set_per_process_memory_fraction(1.0)
    with load_engine("editor", Settings()) as engine:
        if engine.backend != "torch":
            pytest.skip(f"auto took {engine.backend}, whose memory torch cannot limit")
        wanted = engine.infer(inputs("editor", crops[:3]))
        torch.cuda.set_per_process_memory_fraction(1e-6)
        torch.cuda.empty_cache()
        made = engine.infer(inputs("editor", crops[:2]))
        assert engine.backend in ON_CPU
        assert "The CPU goes on" in engine.reason
        assert np.abs(made["rgb"] - wanted["rgb"][:2]).mean() < 0.02


LOSE = """
import sys, numpy as np, torch
from realtime_unmask.errors import EngineLost
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.settings import Settings

image = np.zeros((1, 3, 256, 256), np.float32)
engine = load_engine("map", Settings(backend="torch"))
auto = load_engine("map", Settings())
idle = load_engine("editor", Settings(backend="torch"))
engine.infer({"image": image})
hole = np.zeros((1, 1, 256, 256), np.float32)
idle.infer({"image": image, "map": hole, "prior": image, "prior_weight": hole})
auto.infer({"image": image})
try:  # an index outside the table: the device asserts, and its context is lost for good
    torch.zeros(4, device="cuda")[torch.tensor([10**6], device="cuda")].cpu()
except RuntimeError:
    pass
try:
    engine.infer({"image": image})
except EngineLost as error:
    print("lost:", error)
engine.close()
idle.close()  # nobody told it
print("on:", auto.infer({"image": image})["map"].shape, auto.backend)
auto.close()
"""


def test_card_that_is_lost_ends_the_engine_and_the_cpu_goes_on(torch_on_gpu: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOSE], cwd=ROOT, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lost: The GPU stopped working" in done.stdout
    assert any(f"on: (1, 1, 256, 256) {name}" in done.stdout for name in ON_CPU)


def test_threads_may_make_their_engines_at_once(torch_on_gpu: Settings) -> None:
    """As where the engines of one worker are warmed while those of another one still run."""
    image = np.zeros((4, 3, 256, 256), np.float32)
    ready = Barrier(2)

    def work(network: Network) -> None:
        for _ in range(5):
            with load_engine(network, torch_on_gpu) as engine:
                ready.wait(60)
                for batch in (1, 2, 3, 4):
                    engine.infer(inputs(network, image[:batch]))
                if network == "editor":
                    Card("cuda", 256)

    with ThreadPoolExecutor(2) as pool:
        networks: tuple[Network, ...] = ("map", "editor")
        for done in [pool.submit(work, network) for network in networks]:
            done.result(300)


def test_fp32_is_not_tf32(torch_on_gpu: Settings, crops: NDArray[np.float32]) -> None:
    batch = inputs("editor", crops[:2])
    with (
        load_engine("editor", replace(torch_on_gpu, precision="fp32")) as engine,
        load_engine("editor", Settings(backend="torch_cpu")) as reference,
    ):
        gap = np.abs(engine.infer(batch)["rgb"] - reference.infer(batch)["rgb"]).max()
    assert gap < 1e-4


def _rss() -> int:
    """Resident memory now, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
