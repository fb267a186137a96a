"""The start that is measured: a process of its own, which ends with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from realtime_unmask.bench import start
from realtime_unmask.settings import Settings
start._CHILD = "import sys, time; print('begun', file=sys.stderr, flush=True); time.sleep(60)"
try:
    start.launch(Settings())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is no signal")
def test_ctrl_c_ends_it_without_a_word() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        assert program.stderr is not None
        assert program.stderr.readline() == "begun\n"
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all that is in front
        assert program.wait(30) == 130
        assert program.stderr.read() == ""  # the child has closed it too
