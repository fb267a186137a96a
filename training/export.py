"""export: a checkpoint -> engines/<network>.onnx, .safetensors (fp16) and its manifest entry.

The networks that only the training needs become training/weights/<name>.safetensors.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from realtime_unmask.inference import manifest, onnxruntime
from realtime_unmask.inference.manifest import (
    CROP_SIZE,
    INPUTS,
    OUTPUTS,
    Manifest,
    Network,
    NetworkEntry,
)
from realtime_unmask.inference.networks import EditorNet, MapNet
from training import checkpoint
from training.discriminators import ADVERSARIES
from training.face_networks import Design, architecture, load_face_network

OPSET = 18
# Where the face networks of the project's own figures are.
WEIGHTS = Path(__file__).with_name("weights")
# Largest difference between ONNX Runtime and torch that is shipped, in output units (0..1 or
# half of -1..1): 1/255.
PARITY = 1 / 255

Planes = dict[str, NDArray[np.float32]]

_NETWORKS: dict[str, tuple[type[nn.Module], str]] = {
    "map": (MapNet, "map-2"),
    "editor": (EditorNet, "editor-4"),
}


def export(
    network: Network,
    run: Path,
    engines: Path,
    about: dict[str, Any],
    calm: float = 0.0,
    crops: Sequence[Planes] = (),
) -> float:
    """Write a run's averaged weights into `engines`.

    Args:
        network: "map" or "editor".
        run: the run's folder.
        engines: where manifest.json stands or will stand.
        about: metrics, data and prior_supported, for the manifest.
        calm: share of the weights of before the discriminators that is mixed in, 0..1: softer, with
            fewer false edges ("network interpolation", Wang et al. 2018).
        crops: inputs by name, batches, on which both have to agree besides the random ones.

    Returns:
        The largest difference between ONNX Runtime and torch.

    Raises:
        checkpoint.CheckpointError: no usable checkpoint.
        EngineDamaged: `engines` has a manifest that cannot be read.
        ValueError: `calm` is no share, or the export differs from torch by more than PARITY.
            In all of these cases nothing was written.
    """
    trained, steps = _averaged(network, run, calm)
    about = {"created": time.strftime("%Y-%m-%d"), "opset": OPSET, **about}
    about["metrics"] = {"steps": steps, **about.get("metrics", {})}
    listed = (engines / manifest.NAME).exists()
    before = Manifest.load(engines) if listed else Manifest({})
    engines.mkdir(parents=True, exist_ok=True)
    # Beside the old ones until all is made: files without their manifest cannot be used.
    with TemporaryDirectory(dir=engines, prefix="partial.") as folder:
        made = Path(folder) / f"{network}.onnx"
        _to_onnx(network, trained, made)
        worst = parity(network, trained, made, crops)
        if not worst <= PARITY:
            raise ValueError(f"{network}.onnx differs from torch by {worst:.5f}: not exported.")
        _save_half(trained, _NETWORKS[network][1], made.with_suffix(".safetensors"))
        entry = NetworkEntry.describe(network, made, **about)
        for path in (made, made.with_suffix(".safetensors")):
            path.replace(engines / path.name)
        before.with_network(network, entry).save(engines)
    return worst


def export_face_network(design: Design, run: Path, weights: Path = WEIGHTS) -> Path:
    """Write a face network's averaged weights, in fp16; the file.

    Raises:
        checkpoint.CheckpointError: no usable checkpoint.
    """
    network = load_face_network(_chosen(run), design)
    path = weights / f"{design}.safetensors"
    _save_half(network, architecture(design), path)
    return path


def export_discriminators(run: Path, weights: Path = WEIGHTS) -> Path:
    """Write the discriminators of an editor's run, in fp16, for `train editor --judges`; the file.

    Raises:
        checkpoint.CheckpointError: no usable checkpoint, or they never joined.
    """
    path = weights / "discriminators.safetensors"
    checkpoint.excerpt(run / "last.safetensors", path, _NETWORKS["editor"][1], ADVERSARIES)
    return path


def _chosen(run: Path) -> Path:
    best = run / "best.safetensors"
    return best if best.exists() else run / "last.safetensors"


def _save_half(network: nn.Module, form: str, path: Path) -> None:
    half = {name: value.half().contiguous() for name, value in network.state_dict().items()
            if value.is_floating_point()}  # fmt: skip
    checkpoint.write_tensors(path, half, {"architecture": form})


def _averaged(network: Network, run: Path, calm: float) -> tuple[nn.Module, int]:
    """A run's best weights, or its last ones, and the step that they are of."""
    if calm and network != "editor":
        raise ValueError("--calm is for the editor: no other network meets discriminators.")
    if not 0 <= calm <= 1:
        raise ValueError(f"--calm is a share from 0 to 1, not {calm:g}.")
    kind, form = _NETWORKS[network]
    trained = kind()
    progress = checkpoint.load_weights(_chosen(run), form, trained)
    if calm:
        calmer = kind()
        checkpoint.load_weights(run / "before_adversarial.safetensors", form, calmer)
        others = calmer.state_dict()
        for name, value in trained.state_dict().items():
            if value.is_floating_point():
                value.lerp_(others[name], calm)
    return trained.eval(), progress.step


def _to_onnx(network: Network, trained: nn.Module, path: Path) -> None:
    made = random_inputs(network, 2, np.random.default_rng(0))
    inputs = tuple(torch.from_numpy(value) for value in made.values())
    batch = torch.export.Dim("N", min=1, max=64)
    with warnings.catch_warnings(action="ignore"):  # torch's, of its own insides
        torch.onnx.export(
            copy.deepcopy(trained), inputs, str(path), dynamo=True, external_data=False,
            opset_version=OPSET, input_names=list(INPUTS[network]),
            output_names=list(OUTPUTS[network]), dynamic_shapes=tuple({0: batch} for _ in inputs),
            optimize=True, verbose=False,
        )  # fmt: skip


def parity(
    network: Network, trained: nn.Module, path: Path, crops: Sequence[Planes] = (), rounds: int = 4
) -> float:
    """Largest difference between the ONNX file and torch on random crops, batches of 1 to 4.

    And on those that are given. NaN where either answers with what is no number.
    """
    runtime = onnxruntime.package()
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    gaps = []
    for inputs in chain(
        (random_inputs(network, count, rng) for count in range(1, rounds + 1)), crops
    ):
        with torch.no_grad():
            expected = trained(*(torch.from_numpy(inputs[name]) for name in INPUTS[network]))
        expected = expected if isinstance(expected, tuple) else (expected,)
        for ours, theirs in zip(session.run(None, inputs), expected, strict=True):
            gaps.append(np.abs(ours - theirs.numpy()).max())
    return float(np.max(gaps))  # unlike max(), NaN if any is


def random_inputs(network: Network, count: int, rng: np.random.Generator) -> Planes:
    """Smooth random pictures in the ranges that the networks are made for."""
    made = {}
    for name, shape in INPUTS[network].items():
        channels = 3 if shape[1] == 3 else 1
        small = rng.random((count, channels, CROP_SIZE // 16, CROP_SIZE // 16))
        value = small.repeat(16, 2).repeat(16, 3)
        value = value * 2 - 1 if channels == 3 else value
        made[name] = value.astype(np.float32)
    return made
