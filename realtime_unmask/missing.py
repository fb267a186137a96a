"""What this Python lacks, and how to install it.

Python 3.7 can read this: people start the program with older ones than it is written for.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

# As in pyproject.toml, which pip heeds and `python main.py` does not.
PYTHONS = ((3, 11), (3, 12))
# What tools/bare_machine.sh installs, which an installed program does not have beside it.
INSTALL_LIBRARIES = (
    "sudo apt-get install libegl1 libgles2 libgl1 libglib2.0-0 libportaudio2 libdbus-1-3 "
    "libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 "
    "libxcb-keysyms1 libxcb-render-util0 libxcb-randr0 libxcb-shape0 libxcb-xkb1"
)
# Modules that are called otherwise than what is installed for them.
_PACKAGES = {"cv2": "opencv-python", "PIL": "pillow"}
_MAKE = (
    "In the program's folder `make demo` installs all that is needed; "
    "then start it with `.venv/bin/python main.py ...`."
)


def words(error: BaseException) -> str:
    """Which package or library of the system is missing, and what to do; "" if none is."""
    if isinstance(error, (ImportError, OSError)) and "cannot open shared object" in str(error):
        return (
            f"A library of the system is missing ({error}). On Debian and Ubuntu "
            f"`{INSTALL_LIBRARIES}` installs all that are needed."
        )
    package = _package(error)
    if not package:
        return ""
    wrong = wrong_python()
    return wrong or f"The package {package} is missing in this Python ({_here()}). {advice()}"


def _package(error: BaseException) -> str:
    """The package that an import did not find; "" if it is a part of the program or of Python."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    module = error.name.partition(".")[0]
    own = module == "realtime_unmask" or module in getattr(sys, "stdlib_module_names", ())
    return "" if own else _PACKAGES.get(module, module)


def wrong_python() -> str:
    """What is said of a Python that the program is not written for; "" if it is."""
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[-1]:
        return ""
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    is_there = f"{sys.version_info[0]}.{sys.version_info[1]} ({_here()})"
    return f"This program needs Python {wanted}, and this is {is_there}. {_MAKE}"


def advice() -> str:
    """How to install what the program needs."""
    if sys.prefix == sys.base_prefix:  # the system's Python, which is not to be changed
        return f"{_MAKE} Or install it into an environment: `pip install -c constraints.txt .`."
    return (
        "Install what it lacks, in the program's folder: "
        f"`{_here()} -m pip install -c constraints.txt .`."
    )


def install_extra(extra: str) -> str:
    """The command that installs one of the program's extras into this very Python.

    The program is on no package index: where pip knows it, its name will do, else its folder.
    """
    import importlib.metadata as metadata

    try:
        metadata.version("realtime-unmask")
        program = "realtime-unmask"
    except metadata.PackageNotFoundError:
        program = str(Path(__file__).resolve().parent.parent)
    return f"{_here()} -m pip install '{program}[{extra}]'"


def _here() -> str:
    return shlex.quote(sys.executable or "python")
