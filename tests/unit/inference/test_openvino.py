"""OpenVINO while it is loaded, and as it is shared by threads."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from realtime_unmask.inference import openvino

# As its C++ does: an exception raised by a signal meanwhile is lost.
DEAF = """
import signal
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    pass
class Core:
    available_devices = ["CPU"]
"""
SLOW = """
import time
made = []
class Core:
    available_devices = ["CPU"]
    def __init__(self):
        made.append(self)
        time.sleep(0.3)
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a package in openvino's place, and nothing was opened yet."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(openvino, "_core", cache(openvino._core.__wrapped__))
    yield tmp_path / "openvino.py"
    sys.modules.pop("openvino", None)


def test_ctrl_c_while_openvino_is_loaded_is_heard(other: Path) -> None:
    other.write_text(DEAF)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            openvino.open_core()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_two_threads_that_open_it_at_once_share_one_core(other: Path) -> None:
    """A live session and the wearer's bare face, say; two cores end in a segmentation fault."""
    other.write_text(SLOW)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: openvino.open_core(), range(2))
    assert first is second
    assert len(sys.modules["openvino"].made) == 1
