"""ONNX Runtime at work in the background."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from realtime_unmask.errors import EngineError
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.onnxruntime import OnnxRuntimeEngine
from realtime_unmask.settings import Settings

from .tiny import random_inputs


class Session:
    """Is at work until its gate is opened."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.at_work = True

    def run_async(self, names: list[str], inputs: Any, take: Any, _: None) -> None:
        def run() -> None:
            self.gate.wait(20)
            self.at_work = False
            take([], None, "")

        self.thread = threading.Thread(target=run)
        self.thread.start()


@pytest.fixture
def engine(folder: Path) -> Any:
    with load_engine("map", Settings(backend="onnxruntime", threads=2), folder) as engine:
        yield engine


def test_session_that_is_at_work_is_not_freed_after_ctrl_c(
    engine: OnnxRuntimeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process would end with a segmentation fault."""
    session = Session()
    engine._session = session
    engine.submit(random_inputs("map", 1))

    def interrupted(timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine._done, "wait", interrupted)
        engine.wait()
    threading.Timer(0.2, session.gate.set).start()
    engine.close()
    assert not session.at_work
    session.thread.join()


def test_batch_that_cannot_be_begun_does_not_hold_closing_up(engine: OnnxRuntimeEngine) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no memory")

    class Failing:
        run_async = fails

    engine._session = Failing()
    with pytest.raises(EngineError, match="no memory"):
        engine.submit(random_inputs("map", 1))
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
