"""Where the files that ship with the program are: engines/ and assets/.

They stand at the top of a checkout, and inside the package in an installed wheel.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from realtime_unmask.errors import AssetError

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder(name: str) -> Path:
    """The folder `name` ("engines" or "assets").

    Raises:
        AssetError: this installation has no such folder.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise AssetError(
        f"The folder '{name}' is missing beside {_PACKAGE}: the installation is incomplete. "
        "Install realtime-unmask again."
    )


def child_environment() -> dict[str, str]:
    """The environment for another Python process: it finds this package, wherever it is started.

    And it imports nothing from the current folder, in which anything may lie.
    """
    search = [str(_PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, search))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def verified(path: Path, sha256: str) -> bytes:
    """The content of `path`, after its digest was compared.

    Raises:
        AssetError: the file is missing, unreadable, or not the one that was shipped.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path} cannot be read ({error.strerror}). Install realtime-unmask again."
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise AssetError(
            f"{path} is not the file that was shipped (its SHA-256 differs). "
            "Install realtime-unmask again."
        )
    return data
