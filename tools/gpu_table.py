"""Prints the table of docs/gpu.md, as Markdown, for the card in this machine.

    python tools/gpu_table.py [--runs 2000]

"whole" is what the program waits for: copies to and from the card, the network and the
synchronisation, by the clock. "card" is what lies between two CUDA events in the engine's stream
(torch only): the copies into pinned memory too, for which the card waits. The last line times
whole frames and needs all that the program needs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from realtime_unmask import __version__, resources
from realtime_unmask.errors import EngineError
from realtime_unmask.inference import cuda
from realtime_unmask.inference.engine import ON_GPU, Engine, backend, load_engine, version
from realtime_unmask.inference.manifest import INPUTS, Network
from realtime_unmask.settings import Settings

WARM_UP = 50
Planes = dict[str, NDArray[np.float32]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="of each measurement")
    parser.add_argument("--backend", default="", help="only this one; a CPU's tries the tool out")
    arguments = parser.parse_args()
    print(machine())
    print()
    names = [arguments.backend] if arguments.backend else list(ON_GPU)
    usable = [name for name in names if works(name)]
    if not usable:
        return 1
    print("| backend | precision | faces | map + editor, whole, ms p50 / p99 | card, p50 / p99 |")
    print("|---|---|---|---|---|")
    for name in usable:
        for faces in (1, 4):
            print(networks(name, faces, arguments.runs), flush=True)
    print()
    for line in memory():
        print(line)
    for name in usable:
        print(frames(name, max(50, arguments.runs // 10)), flush=True)
    return 0


def machine() -> str:
    """Card, driver and versions, on one line."""
    card = cuda.card_or_none()
    where = f"{card.name} ({card.sm}), driver {card.driver}" if card else "no NVIDIA card"
    packages = [f"{name} {version(name)}" for name in (*ON_GPU, "cuda-bindings", "pycuda")]
    here = [text for text in packages if not text.endswith(" ")]
    numpy = f"numpy {metadata.version('numpy')}"
    return f"{where}; realtime-unmask {__version__}, {', '.join([*here, numpy])}"


def works(name: str) -> bool:
    """Does it run here? Else the reason is printed."""
    try:
        backend(name).probe()
        for network in INPUTS:
            load_engine(network, Settings(backend=name)).close()
    except EngineError as error:
        print(f"- {name}: {error}")
        return False
    return True


def networks(name: str, faces: int, runs: int) -> str:
    """One row: both networks in turn, as the program runs them."""
    settings = Settings(backend=name)
    with load_engine("map", settings) as first, load_engine("editor", settings) as second:
        planes = {network: batch(network, faces) for network in INPUTS}

        def pair() -> None:
            first.infer(planes["map"])
            second.infer(planes["editor"])

        whole = spread(timed(pair, runs))
        card = on_card([(first, planes["map"]), (second, planes["editor"])], runs)
        row = (name, second.spec.precision, faces, whole, card)
    return f"| {' | '.join(map(str, row))} |"


def batch(network: Network, faces: int) -> Planes:
    """Random inputs in the ranges that the networks know."""
    rng = np.random.default_rng(0)
    return {n: rng.random((faces, *s[1:]), np.float32) for n, s in INPUTS[network].items()}  # type: ignore[arg-type]


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each run, by the clock."""
    spent = []
    for _ in range(WARM_UP + runs):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1e3)
    return spent[WARM_UP:]


def on_card(engines: list[tuple[Engine, Planes]], runs: int) -> str:
    """Both networks between two events in their streams; torch only."""
    from realtime_unmask.inference.torch import CudaEngine

    if not all(isinstance(engine, CudaEngine) for engine, _ in engines):
        return "-"
    import torch

    spent = []
    for _ in range(runs):
        total = 0.0
        for engine, planes in engines:
            stream: Any = engine._stream  # type: ignore[attr-defined]
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record(stream)
            engine.submit(planes)
            end.record(stream)
            engine.wait()
            end.synchronize()
            total += begin.elapsed_time(end)
        spent.append(total)
    return spread(spent)


def memory() -> list[str]:
    """What torch took of the card in all of this, its context apart."""
    if "torch" not in sys.modules:
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    reserved = torch.cuda.max_memory_reserved() / 2**20
    return [f"torch.cuda.max_memory_reserved: {reserved:.0f} MB", ""]


def frames(name: str, runs: int) -> str:
    """Whole 720p frames of the demo clip, in and out."""
    missing = [m for m in ("mediapipe", "av") if importlib.util.find_spec(m) is None]
    if missing:
        return f"720p frame, {name}: not measured here, {' and '.join(missing)} missing"
    import cv2

    from realtime_unmask.capture.video import VideoSource
    from realtime_unmask.types import Frame
    from realtime_unmask.unmask.unmasker import State, Unmasker

    with VideoSource(resources.folder("assets") / "demo.mp4") as source:
        clip = [Frame(cv2.resize(frame.image, (1280, 720))) for frame in source]
    state, whole, between = State(), list[float](), list[float]()
    stages: dict[str, list[float]] = {}
    with Unmasker.default(Settings(backend=name)) as unmasker:
        where = unmasker.finished_on
        for number in range(WARM_UP + runs):
            began = time.perf_counter()
            result = unmasker.process(clip[number % len(clip)], state)
            shown = time.perf_counter()
            unmasker.catch_up(state)  # as the live worker does while it waits for the camera
            if number < WARM_UP:
                continue
            whole.append((shown - began) * 1e3)
            between.append((time.perf_counter() - shown) * 1e3)
            for stage, spent in result.timings.items():
                stages.setdefault(stage, []).append(spent / 1e6)
    parts = ", ".join(f"{stage} {np.median(spent):.2f}" for stage, spent in stages.items())
    return (
        f"720p frame in and out, {name}, finished on {where}: {spread(whole)} ms p50 / p99 "
        f"(p50 of {parts}); "
        f"beforehand, while the camera is waited for: {spread(between)} ms"
    )


def spread(spent: list[float]) -> str:
    """p50 / p99."""
    return " / ".join(f"{np.percentile(spent, share):.2f}" for share in (50, 99))


if __name__ == "__main__":
    sys.exit(main())
