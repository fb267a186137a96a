"""quantise: engines/<network>.onnx -> engines/<network>.int8.onnx, most of it in 8 bits.

Post-training quantisation by nncf on samples of the training faces. Only convolutions are turned,
not the sums between them: the paint's light and colour travel along the residual paths, and one
rounding of those costs more than all others (docs/performance.md). Squeeze-and-excitation, the
dense layer, and the layers next to the picture stay as well. The editor's ranges leave out one
value in ten thousand at each end: rare ones would make all its steps coarser. The map does better
with all of them.
Nothing is written where the result falls behind the original on held-out faces.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_unmask.inference.manifest import Manifest, Network, read_network
from realtime_unmask.inference.openvino import configuration, open_core
from realtime_unmask.settings import Settings
from training import data
from training.editor_data import editor_maker
from training.map_data import map_sample
from training.shards import Faces

SEED = 11
CALIBRATION, CHECKED = 160, 64
# Names of weights begin so in the convolutions that are turned.
TURNED: dict[Network, tuple[str, ...]] = {
    "map": ("down", "middle.", "up3.", "up2.", "up1."),
    "editor": (
        "stem.1.", "down", "middle.", "up1.", "form.", "up0.refine.", "lines.", "refine.",
    ),
}
ATTENTION = ".attend."
# How nncf finds the range of what goes into a convolution.
RANGES: dict[Network, str] = {"map": "MEAN_MINMAX", "editor": "MEAN_QUANTILE"}
# What may be lost: dB in the hole; overlap of the map with the true one.
MOST_DB, MOST_IOU = 0.2, 0.005
MARKED = Settings().mask_threshold

Planes = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Loss:
    """Attributes:
    before, after: mean PSNR in the hole, dB, of the editor; mean overlap of the map, 0..1.
    """

    before: float
    after: float


def quantise(network: Network, faces: Faces, engines: Path) -> Loss:
    """Write the network in 8 bits beside the one in `engines`, and into the manifest.

    Raises:
        ValueError: it falls too far behind, or there is no face to say so; nothing was written.
        ModuleNotFoundError: nncf is not installed.
        EngineDamaged: the network or the manifest is missing or altered.
    """
    import onnx

    nncf, judges = _nncf(), data.validation_faces(faces)
    if not len(judges):
        raise ValueError("There are no held-out faces (split 'val') to judge with.")
    manifest = Manifest.load(engines)
    entry = manifest.entry(network)
    original = read_network(engines, entry)
    taught = samples(network, data.training_faces(faces), CALIBRATION, entry.prior_supported)
    reduced = _reduced(nncf, network, onnx.load_model_from_string(original), taught)
    held = samples(network, judges, CHECKED, entry.prior_supported)
    loss = Loss(score(network, original, held), score(network, reduced, held))
    check(network, loss)
    path = engines / f"{network}.int8.onnx"
    partial = path.with_suffix(".partial")
    partial.write_bytes(reduced)
    partial.replace(path)
    digest = hashlib.sha256(reduced).hexdigest()
    entry = replace(entry, int8=path.name, int8_sha256=digest)
    manifest.with_network(network, entry).save(engines)
    return loss


def check(network: Network, loss: Loss) -> None:
    """Raise ValueError where more was lost than may be."""
    allowed = MOST_IOU if network == "map" else MOST_DB
    # Written so that a figure that is no number does not pass.
    if not loss.before - loss.after <= allowed:
        raise ValueError(
            f"The '{network}' network in 8 bits falls from {loss.before:.4f} to {loss.after:.4f} "
            f"on held-out faces, by more than {allowed}: not written."
        )


def samples(network: Network, faces: Faces, count: int, prior: bool) -> list[Planes]:
    """What the network is trained on, with the truth; the same every time.

    Args:
        prior: whether the editor may be given a guess.
    """
    make = map_sample if network == "map" else editor_maker(faces)
    stream = data.Stream(faces, make, SEED)
    made = [stream.sample(number) for number in range(count)]
    if network == "editor" and not prior:
        for one in made:
            one["prior"][:] = 0
            one["prior_weight"][:] = 0
    return made


def inputs(network: Network, sample: Planes) -> Planes:
    """A batch of one, as the program hands it to the network."""
    if network == "map":
        return {"image": sample["image"][None]}
    image = sample["image"] * (1 - sample["map"])
    names = ("map", "prior", "prior_weight")
    return {"image": image[None], **{name: sample[name][None] for name in names}}


def score(network: Network, model: bytes, held: list[Planes]) -> float:
    """Mean PSNR in the hole, dB, or mean overlap of the map with the true one, by OpenVINO."""
    core = open_core()
    compiled = core.compile_model(
        core.read_model(model, b""), "CPU", configuration("fp32", threads=0)
    )
    values = []
    for sample in held:
        made = compiled(inputs(network, sample))
        known = sample["valid"][0] > 0
        if network == "map":
            marked, true = made["map"][0, 0] >= MARKED, sample["target"][0] >= 0.5
            if (true & known).any():
                both = (marked & true & known).sum() / ((marked | true) & known).sum()
                values.append(float(both))
        elif (inside := (sample["map"][0] > 0) & known).any():
            gap = (made["rgb"][0] - sample["target"])[:, inside] / 2  # of 1, as pixels are
            values.append(float(-10 * np.log10(max(float((gap**2).mean()), 1e-9))))
    return float(np.mean(values))


def _nncf() -> Any:
    open_core()  # first, since it keeps OpenVINO from asking a host for leave
    try:
        return import_module("nncf")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("quantise needs nncf. Install it: pip install nncf") from error


def _reduced(nncf: Any, network: Network, model: Any, taught: list[Planes]) -> bytes:
    kept = [node.name for node in model.graph.node if not _is_turned(network, node)]
    estimators = import_module("nncf.quantization.range_estimator").RangeEstimatorParametersSet
    made = nncf.quantize(
        model,
        nncf.Dataset([inputs(network, sample) for sample in taught]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(taught),
        ignored_scope=nncf.IgnoredScope(names=kept),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=getattr(estimators, RANGES[network])
        ),
    )
    written: bytes = made.SerializeToString()
    return written


def _is_turned(network: Network, node: Any) -> bool:
    if node.op_type != "Conv":
        return False
    weights = node.input[1]
    return weights.startswith(TURNED[network]) and ATTENTION not in weights
