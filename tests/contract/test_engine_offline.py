"""Loading and running a network opens no socket: neither Python code nor native code does."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_unmask.inference.engine import ON_CPU
from tests.unit.inference.tiny import write_networks

_ROOT = Path(__file__).resolve().parents[2]

# Python's own sockets are seen by an audit hook. Those of a native library are not: for them a
# seccomp filter kills the process at the system call socket(2). AF_UNIX is let through: mediapipe's
# audio part looks for a sound server in this machine.
GUARD = """
import ctypes, os, platform, struct, sys

def guard(event, arguments):
    if event.startswith("socket."):
        os.write(2, f"{event} {arguments}\\n".encode())
        os._exit(3)

sys.addaudithook(guard)
number = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
if sys.platform == "linux" and number:
    code = b"".join((
        struct.pack("<HBBI", 0x20, 0, 0, 0),            # load the system call's number
        struct.pack("<HBBI", 0x15, 0, 3, number),       # socket?
        struct.pack("<HBBI", 0x20, 0, 0, 16),           # load its first argument
        struct.pack("<HBBI", 0x15, 1, 0, 1),            # of the family that stays in the machine?
        struct.pack("<HBBI", 0x06, 0, 0, 0x80000000),   # kill the process
        struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000),   # else let it through
    ))
    kept = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", 6, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)                          # no new privileges
    if libc.prctl(22, 2, program, 0, 0):                # the filter
        print("no filter:", os.strerror(ctypes.get_errno()))
"""

RUN = """
from pathlib import Path
import numpy as np
from realtime_unmask.inference.engine import load_engine, probe_backends
from realtime_unmask.settings import Settings

probe_backends()
with load_engine("map", Settings(backend=sys.argv[1]), Path(sys.argv[2])) as engine:
    print(engine.infer({"image": np.zeros((1, 3, 256, 256), np.float32)})["map"].shape)
"""


def run(
    code: str, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=_ROOT, capture_output=True, text=True,
        timeout=120, check=False, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("backend", ON_CPU)
def test_engine_opens_no_socket(tmp_path: Path, backend: str) -> None:
    done = run(GUARD + RUN, backend, str(write_networks(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert "(1, 1, 256, 256)" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot do without an environment")
def test_onnx_runtime_notes_nothing_about_this_machine(tmp_path: Path) -> None:
    """It would send that, but seconds later: the filter above hardly ever sees it."""
    # An empty environment: where it knows that it is tested, it keeps silent by itself.
    alone = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    code = "from realtime_unmask.inference import onnxruntime\nprint(onnxruntime.probe())"
    done = run(code, environment=alone)
    assert done.stdout == "CPU, fp32\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_guard_sees_a_socket_of_python() -> None:
    done = run(GUARD + "import socket; socket.socket()")
    assert done.returncode == 3
    assert "socket.__new__" in done.stderr


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the filter for native sockets is written for Linux on x86-64 and arm64",
)
def test_guard_sees_a_socket_of_native_code() -> None:
    done = run(GUARD + "libc.socket(2, 1, 0); print('opened')")
    if "no filter" in done.stdout:
        pytest.skip("this system does not let a process filter its own system calls")
    assert done.returncode < 0
    assert "opened" not in done.stdout
