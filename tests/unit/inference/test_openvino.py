"""OpenVINO while it is loaded."""

from __future__ import annotations

import signal
import sys
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


def test_ctrl_c_while_openvino_is_loaded_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openvino.py").write_text(DEAF)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            openvino.open_core.__wrapped__()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        sys.modules.pop("openvino", None)
