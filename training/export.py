"""export: a checkpoint -> engines/<network>.onnx, .safetensors (fp16) and its manifest entry."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from realtime_unmask.inference.networks import EditorNet, MapNet
from training import checkpoint

CROP = 256
OPSET = 18
# Largest difference between ONNX Runtime and torch that is shipped, in output units (0..1 or
# half of -1..1): 1/255.
PARITY = 1 / 255

_NETWORKS: dict[str, tuple[type[nn.Module], str]] = {
    "map": (MapNet, "map-1"),
    "editor": (EditorNet, "editor-1"),
}
_INPUTS = {
    "map": {"image": 3},
    "editor": {"image": 3, "map": 1, "prior": 3, "prior_weight": 1},
}
_OUTPUTS = {"map": {"map": 1}, "editor": {"rgb": 3, "confidence": 1}}


def export(network: str, run: Path, engines: Path, about: dict[str, Any]) -> float:
    """Write a run's averaged weights into `engines`.

    Args:
        network: "map" or "editor".
        run: the run's folder.
        engines: where manifest.json stands or will stand.
        about: metrics, data and prior_supported for the manifest.

    Returns:
        The largest difference between ONNX Runtime and torch.

    Raises:
        checkpoint.CheckpointError: no usable checkpoint.
        ValueError: the export differs from torch by more than PARITY; nothing was written.
    """
    kind, architecture = _NETWORKS[network]
    trained = kind()
    progress = checkpoint.load(
        run / "last.safetensors", architecture, {"average": trained}, {}
    )
    trained.eval()
    engines.mkdir(parents=True, exist_ok=True)
    target = engines / f"{network}.onnx"
    partial = engines / f"{network}.partial.onnx"
    _to_onnx(network, trained, partial)
    worst = parity(network, trained, partial)
    if not worst <= PARITY:
        partial.unlink()
        raise ValueError(f"{network}.onnx differs from torch by {worst:.5f}: not exported.")
    partial.replace(target)
    half = {name: value.half().contiguous() for name, value in trained.state_dict().items()
            if value.is_floating_point()}  # fmt: skip
    save_file(half, engines / f"{network}.safetensors", {"architecture": architecture})
    _enter(network, target, engines / "manifest.json", {**about, "steps": progress.step})
    return worst


def _to_onnx(network: str, trained: nn.Module, path: Path) -> None:
    inputs = tuple(torch.rand(2, c, CROP, CROP) for c in _INPUTS[network].values())
    batch = torch.export.Dim("N", min=1, max=64)
    torch.onnx.export(
        copy.deepcopy(trained), inputs, str(path), dynamo=True, external_data=False,
        opset_version=OPSET, input_names=list(_INPUTS[network]),
        output_names=list(_OUTPUTS[network]), dynamic_shapes=tuple({0: batch} for _ in inputs),
        optimize=True, verbose=False,
    )  # fmt: skip


def parity(network: str, trained: nn.Module, path: Path, rounds: int = 4) -> float:
    """Largest difference between the ONNX file and torch on random crops, batches of 1 to 4."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    worst = 0.0
    for count in range(1, rounds + 1):
        inputs = random_inputs(network, count, rng)
        with torch.no_grad():
            expected = trained(*(torch.from_numpy(v) for v in inputs.values()))
        expected = expected if isinstance(expected, tuple) else (expected,)
        for ours, theirs in zip(session.run(None, inputs), expected, strict=True):
            worst = max(worst, float(np.abs(ours - theirs.numpy()).max()))
    return worst


def random_inputs(
    network: str, count: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Smooth random pictures in the ranges that the networks are made for."""
    made = {}
    for name, channels in _INPUTS[network].items():
        small = rng.random((count, channels, 16, 16)).repeat(16, 2).repeat(16, 3)
        value = small * 2 - 1 if channels == 3 else small
        made[name] = value.astype(np.float32)
    return made


def _enter(network: str, path: Path, manifest: Path, about: dict[str, Any]) -> None:
    table = json.loads(manifest.read_text()) if manifest.exists() else {"networks": {}}
    table["networks"][network] = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "inputs": {n: [None, c, CROP, CROP] for n, c in _INPUTS[network].items()},
        "outputs": {n: [None, c, CROP, CROP] for n, c in _OUTPUTS[network].items()},
        "created": time.strftime("%Y-%m-%d"),
        **about,
    }
    manifest.write_text(json.dumps(table, indent=2) + "\n")
