"""Where something is not installed, people are told what, and what to do; never a traceback."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from realtime_unmask import __main__ as entry
from realtime_unmask import missing
from realtime_unmask.errors import AssetError, own_fault

from .conftest import Command

ROOT = Path(__file__).resolve().parents[3]


def lacks(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named '{module}'", name=module)


def test_a_python_without_the_packages_is_told_what_to_do() -> None:
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-S", str(ROOT / "main.py"), "image", "me.jpg", "-o", "x"],
        capture_output=True, text=True, check=False, env=bare, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith("error: The package typer is missing in this Python (")
    assert "`make demo`" in ran.stderr and ".venv/bin/python main.py" in ran.stderr


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("mediapipe.tasks", "mediapipe"), ("cv2", "opencv-python"), ("PIL", "pillow"),
        ("numpy", "numpy"), ("platformdirs", "platformdirs"), ("av", "av"),
        ("PyQt6.QtCore", "PyQt6"),
    ],
)  # fmt: skip
def test_a_package_that_is_missing_is_no_fault_of_the_program(
    command: Command, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    def halted() -> None:
        raise lacks(module)

    monkeypatch.setattr("realtime_unmask.capture.devices.cameras", halted)
    ran = command("devices")
    assert (ran.code, len(ran.err)) == (1, 1)
    assert ran.err[0].startswith(f"error: The package {package} is missing in this Python (")
    assert "install" in ran.err[0] and "report" not in ran.err[0]
    said = own_fault(lacks(module))
    assert isinstance(said, AssetError) and f"The package {package} is missing" in str(said)


@pytest.mark.parametrize("module", ["realtime_unmask.cli.gone", "_bz2"])
def test_what_no_package_brings_is_not_called_one(module: str) -> None:
    assert missing.words(lacks(module)) == ""


def test_an_environment_is_told_to_install_into_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/somewhere/.venv")
    monkeypatch.setattr(sys, "executable", "/some where/python")
    assert "`'/some where/python' -m pip install -c constraints.txt .`" in missing.advice()
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert "make demo" in missing.advice()


@pytest.mark.parametrize("offered", [((4, 0),), ((3, 0), (3, 1))], ids=["older", "newer"])
def test_another_python_is_told_which_is_needed(
    monkeypatch: pytest.MonkeyPatch, offered: tuple[tuple[int, int], ...]
) -> None:
    monkeypatch.setattr(missing, "PYTHONS", offered)
    # A newer one may have all that is needed; it is asked when something is not there.
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "realtime_unmask.cli")
    with pytest.raises(SystemExit) as ended:
        entry.main()
    wanted = " or ".join(f"{major}.{minor}" for major, minor in offered)
    assert str(ended.value).startswith(f"error: This program needs Python {wanted}, and this is 3.")
    assert "make demo" in str(ended.value)


def test_the_pythons_named_are_those_that_pip_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = SpecifierSet(project["requires-python"])
    assert [(3, n) for n in range(30) if allowed.contains(f"3.{n}.1")] == list(missing.PYTHONS)


def test_old_pythons_can_read_what_tells_them() -> None:
    package = ROOT / "realtime_unmask"
    for path in (package / "__init__.py", package / "__main__.py", package / "missing.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    main = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"), feature_version=(3, 4))
    assert not any(isinstance(line, ast.ImportFrom) for line in main.body)  # Python 2 is met too


def test_an_extra_is_installed_into_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/here/bin/python")
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.0")
    install = "/here/bin/python -m pip install"
    assert missing.install_extra("vcam") == f"{install} 'realtime-unmask[vcam]'"

    def unknown(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", unknown)
    assert missing.install_extra("vcam") == f"{install} '{ROOT}[vcam]'"
