"""Ctrl-C is heard after the networks were closed: no library leaves a handler or a stack behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from realtime_unmask.inference.engine import ON_CPU
from tests.unit.inference.tiny import write_networks

SCRIPT = """
import signal, sys
from pathlib import Path
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.settings import Settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
for _ in range(2):
    engines = [load_engine(n, Settings(backend=sys.argv[1]), Path(sys.argv[2]))
               for n in ("map", "editor")]
    for engine in engines:
        engine.close()
    del engine, engines
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize("backend", ON_CPU)
def test_ctrl_c_is_heard_after_the_networks_were_closed(backend: str, tmp_path: Path) -> None:
    write_networks(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, backend, str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
