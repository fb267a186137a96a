"""engines/manifest.json: which file each network is, its digest, and what it was made from.

Training's export writes it through this module, and the engines read it.

    {"networks": {"map": {"file": "map.onnx", "sha256": "...", "inputs": {...}, ...}}}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from realtime_unmask.errors import EngineDamaged
from realtime_unmask.inference.onnx_file import uses_external_data

NAME = "manifest.json"
CROP_SIZE = 256
# Far above the shipped networks; a larger file is refused before it is read.
MAX_BYTES = 64 * 2**20

Network = Literal["map", "editor"]
# A dimension of None is the batch, free to differ from call to call.
Shape = tuple[int | None, ...]

_ADVICE = "Install realtime-unmask again, or export the network again."

# What the rest of the program hands to each network and takes from it.
_RGB: Shape = (None, 3, CROP_SIZE, CROP_SIZE)
_PLANE: Shape = (None, 1, CROP_SIZE, CROP_SIZE)
INPUTS: Mapping[Network, Mapping[str, Shape]] = {
    "map": {"image": _RGB},
    "editor": {"image": _RGB, "map": _PLANE, "prior": _RGB, "prior_weight": _PLANE},
}
OUTPUTS: Mapping[Network, Mapping[str, Shape]] = {
    "map": {"map": _PLANE},
    "editor": {"rgb": _RGB, "confidence": _PLANE},
}
NORMALISATION = "RGB in [-1, 1], 0 where blank; maps, weights and confidence in [0, 1]"


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One network of the manifest.

    Attributes:
        file: the ONNX file's name, in the manifest's folder.
        sha256: its digest, 64 lower-case hex digits.
        inputs: name -> shape, in order; None is the batch. All are float32.
        outputs: likewise.
        crop_size: side of the aligned crop, px.
        normalisation: what the values mean, for people.
        prior_supported: whether the editor was trained to use `prior`; False for the map.
        precision: of the weights in the file.
        metrics: measured figures by name, for people.
        data: the sets that it was trained on.
        created: the day of the export, YYYY-MM-DD.
        opset: ONNX operator set; 0 where it was not noted.
        weights: the name of the safetensors file with the same weights, in the manifest's
            folder; empty where there is none.
        weights_sha256: its digest; empty where there is none.
        int8: the name of the same network in 8 bits, an ONNX file in the manifest's folder; empty
            where there is none.
        int8_sha256: its digest; empty where there is none.
    """

    file: str
    sha256: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    crop_size: int = CROP_SIZE
    normalisation: str = NORMALISATION
    prior_supported: bool = False
    precision: str = "fp32"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    created: str = ""
    opset: int = 0
    weights: str = ""
    weights_sha256: str = ""
    int8: str = ""
    int8_sha256: str = ""

    @classmethod
    def describe(cls, network: Network, path: Path, **about: Any) -> NetworkEntry:
        """The entry of a network that was just exported to `path`.

        Args:
            network: which of the two it is; gives inputs and outputs.
            path: the ONNX file; a safetensors file of the same name beside it is noted too.
            about: any of prior_supported, precision, metrics, data, created, opset.
        """
        weights = path.with_suffix(".safetensors")
        if weights.exists():
            about |= {"weights": weights.name, "weights_sha256": _sha256(weights.read_bytes())}
        digest = _sha256(path.read_bytes())
        return cls(path.name, digest, INPUTS[network], OUTPUTS[network], **about)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The networks of one folder, by name."""

    networks: Mapping[str, NetworkEntry]

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check `folder`/manifest.json. Keys that it does not know are passed over.

        Raises:
            EngineDamaged: it is missing, unreadable, or not of this form.
        """
        path = folder / NAME
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EngineDamaged(f"{path} cannot be read ({error.strerror}). {_ADVICE}") from error
        except (ValueError, RecursionError) as error:
            raise EngineDamaged(f"{path} is not valid JSON ({error}). {_ADVICE}") from error
        try:
            networks = {name: _entry(row) for name, row in _table(table, "networks").items()}
        except (TypeError, ValueError) as error:
            raise EngineDamaged(f"{path} is damaged: {error}. {_ADVICE}") from error
        return cls(networks)

    def save(self, folder: Path) -> None:
        """Write `folder`/manifest.json; at each moment the old or the new one is complete there.

        Raises:
            OSError: the folder cannot be written to.
        """
        partial = folder / "manifest.partial.json"
        table = {"networks": {name: asdict(entry) for name, entry in self.networks.items()}}
        partial.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / NAME)

    def with_network(self, name: Network, entry: NetworkEntry) -> Manifest:
        """A manifest in which `entry` stands under `name`."""
        return Manifest({**self.networks, name: entry})

    def entry(self, name: Network) -> NetworkEntry:
        """The entry of a network that this program can feed.

        Raises:
            EngineDamaged: there is none, or its inputs and outputs are not the agreed ones.
        """
        entry = self.networks.get(name)
        if entry is None:
            raise EngineDamaged(f"{NAME} names no '{name}' network. {_ADVICE}")
        for side, have, want in (
            ("inputs", entry.inputs, INPUTS[name]),
            ("outputs", entry.outputs, OUTPUTS[name]),
        ):
            if dict(have) != dict(want):
                raise EngineDamaged(
                    f"The {side} of the '{name}' network in {NAME} are {_words(have)}; this "
                    f"version of the program needs {_words(want)}. {_ADVICE}"
                )
        return entry


def read_network(folder: Path, entry: NetworkEntry) -> bytes:
    """The ONNX file of `entry`, checked: bounded size, right digest, nothing outside itself.

    Raises:
        EngineDamaged: it is missing, too large, altered, or refers to other files.
    """
    path = folder / entry.file
    model = _read(path, entry.sha256)
    try:
        external = uses_external_data(model)
    except ValueError as error:
        raise EngineDamaged(f"{path} is not an ONNX network: {error}. {_ADVICE}") from error
    if external:
        raise EngineDamaged(
            f"{path} keeps weights in other files, which this program refuses. Export it as a "
            "single file."
        )
    return model


def read_weights(folder: Path, entry: NetworkEntry) -> bytes:
    """The safetensors file of `entry`, checked: bounded size, right digest.

    Raises:
        EngineDamaged: the entry names none, or it is missing, too large or altered.
    """
    if not entry.weights:
        raise EngineDamaged(f"{NAME} names no safetensors file for {entry.file}. {_ADVICE}")
    return _read(folder / entry.weights, entry.weights_sha256)


def _read(path: Path, sha256: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EngineDamaged(
                f"{path} is larger than {MAX_BYTES // 2**20} MB, which no network of this program "
                f"is. {_ADVICE}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise EngineDamaged(f"{path} cannot be read ({error.strerror}). {_ADVICE}") from error
    if _sha256(data) != sha256:
        raise EngineDamaged(
            f"{path} is not the file that {NAME} describes (its SHA-256 differs). {_ADVICE}"
        )
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entry(row: Any) -> NetworkEntry:
    if not isinstance(row, dict):
        raise TypeError("a network's entry is not a table")
    known = {key: row[key] for key in NetworkEntry.__dataclass_fields__ if key in row}
    missing = {"file", "sha256", "inputs", "outputs"} - known.keys()
    if missing:
        raise ValueError(f"a network's entry lacks {', '.join(sorted(missing))}")
    for key, kind in _KINDS.items():
        # bool is an int to isinstance; a size or an opset of `true` is still nonsense.
        if key in known and type(known[key]) is not kind:
            raise TypeError(f"'{key}' must be a {kind.__name__}, not {known[key]!r}")
    if not re.fullmatch(r"[0-9a-f]{64}", known["sha256"]):
        raise ValueError("'sha256' is not a SHA-256 digest")
    if not re.fullmatch(r"[\w-][\w.-]*\.onnx", known["file"]):
        raise ValueError(f"'{known['file']}' is not the bare name of an .onnx file")
    int8 = known.get("int8")
    if int8 and not re.fullmatch(r"[\w-][\w.-]*\.onnx", int8):
        raise ValueError(f"'{int8}' is not the bare name of an .onnx file")
    if int8 and not re.fullmatch(r"[0-9a-f]{64}", known.get("int8_sha256", "")):
        raise ValueError("'int8_sha256' is not a SHA-256 digest")
    weights = known.get("weights")
    if weights and not re.fullmatch(r"[\w-][\w.-]*\.safetensors", weights):
        raise ValueError(f"'{weights}' is not the bare name of a .safetensors file")
    if weights and not re.fullmatch(r"[0-9a-f]{64}", known.get("weights_sha256", "")):
        raise ValueError("'weights_sha256' is not a SHA-256 digest")
    for side in ("inputs", "outputs"):
        known[side] = {name: _shape(name, v) for name, v in _table(row, side).items()}
    known["data"] = tuple(known.get("data", ()))
    return NetworkEntry(**known)


_KINDS: dict[str, type] = {
    "file": str,
    "sha256": str,
    "crop_size": int,
    "normalisation": str,
    "prior_supported": bool,
    "precision": str,
    "metrics": dict,
    "data": list,
    "created": str,
    "opset": int,
    "weights": str,
    "weights_sha256": str,
    "int8": str,
    "int8_sha256": str,
}


def _table(table: Any, key: str) -> dict[str, Any]:
    value = table.get(key) if isinstance(table, dict) else None
    if not isinstance(value, dict) or not value:
        raise TypeError(f"'{key}' must be a table with at least one entry")
    return value


def _shape(name: str, value: Any) -> Shape:
    if not isinstance(value, list) or not value:
        raise TypeError(f"the shape of '{name}' must be a list of sizes")
    if not all(n is None or (type(n) is int and n > 0) for n in value):
        raise ValueError(f"the shape of '{name}' must be of positive numbers, null for the batch")
    return tuple(value)


def _words(tensors: Mapping[str, Shape]) -> str:
    return ", ".join(
        f"{name} ({', '.join('N' if n is None else str(n) for n in shape)})"
        for name, shape in tensors.items()
    )
