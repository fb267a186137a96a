"""tools/bare_machine.sh: which Python it takes, what it installs, and what it asks for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_unmask.missing import INSTALL_LIBRARIES

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bare_machine.sh"
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libportaudio.so.2": "libportaudio2",
}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("tr") is None, reason="the script is for Linux"
)

PYTHON = """#!/bin/sh
# A Python as far as the script can tell: answers its questions, in their order.
case "$*" in
    *"(3, 11) <="*) exit 0 ;;
    *ensurepip*) [ -e "{root}/ensurepip" ] ;;
    *-venv*) echo python3.12-venv ;;
    *CDLL*) [ -e "{root}/libraries/$3" ] ;;
esac
"""
APT = """#!/bin/sh
echo "$*" >>"{root}/apt.log"
case "$*" in
    *" update"*) touch "{root}/lists" ;;
    *) [ -e "{root}/lists" ] || exit 100
       touch "{root}/ensurepip"; cp "{root}/python" "{root}/bin/python3" ;;
esac
"""


def test_an_installed_program_names_the_same_packages() -> None:
    named = INSTALL_LIBRARIES.removeprefix("sudo apt-get install ").split()
    assert sorted(named) == sorted(LIBRARIES.values())


class Machine:
    """A machine of stand-ins: a PATH with only what is put there."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin, self.libraries = root, root / "bin", root / "libraries"
        self.bin.mkdir()
        self.libraries.mkdir()
        self.lists = root / "lists"
        for name in ("sh", "tr", "uname", "cat", "env", "touch", "cp", "true"):
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.be("nobody")
        self._write(root / "python", PYTHON)

    def be(self, user: str) -> None:
        self._write(self.bin / "id", f"#!/bin/sh\necho {0 if user == 'root' else 1000}\n")

    def python(self, name: str, works: bool = True) -> None:
        self._write(self.bin / name, PYTHON if works else "#!/bin/sh\nexit 127\n")

    def complete(self) -> None:
        (self.root / "ensurepip").touch()
        for library in LIBRARIES:
            (self.libraries / library).touch()

    def apt(self) -> None:
        self._write(self.bin / "apt-get", APT)

    def sudo(self, allowed: bool) -> None:
        run = 'shift; exec "$@"' if allowed else "exit 1"
        self._write(self.bin / "sudo", f"#!/bin/sh\n{run}\n")

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), str(SCRIPT)], capture_output=True, text=True, check=False,
            env={"PATH": str(self.bin), **environment}, timeout=60,
        )  # fmt: skip

    def apt_calls(self) -> list[str]:
        log = self.root / "apt.log"
        return log.read_text().splitlines() if log.exists() else []

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text.replace("{root}", str(self.root)))
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_ready_machine_is_left_alone(machine: Machine) -> None:
    machine.python("python3.12")
    machine.complete()
    machine.be("root")
    machine.apt()
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3.12\n", "")
    assert machine.apt_calls() == []


def test_python_that_only_seems_to_be_there_is_passed_over(machine: Machine) -> None:
    machine.complete()
    machine.python("python3.12", works=False)
    machine.python("python3.11")
    assert machine.run().stdout == "python3.11\n"


def test_python_can_be_named(machine: Machine) -> None:
    machine.complete()
    machine.python("python3.12")
    machine.python("other")
    assert machine.run(PYTHON=str(machine.bin / "other")).stdout == f"{machine.bin / 'other'}\n"


def test_a_named_python_that_is_not_there_is_said_before_anything_is_installed(
    machine: Machine,
) -> None:
    machine.be("root")
    machine.apt()
    done = machine.run(PYTHON="/nowhere/python")
    assert (done.returncode, done.stdout) == (1, "")
    assert "none was found (/nowhere/python)" in done.stderr
    assert machine.apt_calls() == []


def test_missing_libraries_are_named_to_whoever_may_not_install(machine: Machine) -> None:
    machine.python("python3")
    machine.complete()
    machine.apt()
    machine.sudo(allowed=False)
    (machine.libraries / "libGL.so.1").unlink()
    done = machine.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "sudo apt-get install libgl1" in done.stderr
    assert machine.apt_calls() == []


def test_all_that_is_missing_is_named_without_apt(machine: Machine) -> None:
    machine.be("root")
    machine.python("python3")
    done = machine.run()
    assert done.returncode == 1
    for package in ("python3.12-venv", *LIBRARIES.values()):
        assert package in done.stderr


@pytest.mark.parametrize("way", ["root", "sudo"])
def test_bare_machine_is_made_ready_where_that_is_allowed(machine: Machine, way: str) -> None:
    machine.apt()
    if way == "root":
        machine.be("root")
    else:
        machine.sudo(allowed=True)
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, "python3\n")
    first, update, again = machine.apt_calls()
    assert "update" in update
    assert first == again
    for package in ("python3 ", "python3-venv", *LIBRARIES.values()):
        assert package in again


def test_package_lists_are_fetched_only_when_needed(machine: Machine) -> None:
    machine.apt()
    machine.be("root")
    machine.lists.touch()
    machine.python("python3")
    assert machine.run().returncode == 0
    assert len(machine.apt_calls()) == 1


def test_no_python_that_serves(machine: Machine) -> None:
    machine.python("python3", works=False)
    done = machine.run()
    assert done.returncode == 1
    assert "python3 python3-venv" in done.stderr


def test_python_that_stays_unfit_after_the_installation(machine: Machine) -> None:
    machine.be("root")
    machine.apt()
    machine.lists.touch()
    done = machine.run(PYTHON="python3.13")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 or 3.12 is needed" in done.stderr
