"""What the tests of the plan cache share: keys, a plan, and what can happen to its file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from realtime_unmask.inference.plans import Key, PlanCache

ROOT = Path(__file__).resolve().parents[3]
KEY = Key("tensorrt", {"network": "map", "card": "sm_86"})
OTHER = Key("tensorrt", {"network": "map", "card": "sm_89"})
PLAN = bytes(range(256)) * 40
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and limits")


class Builder:
    """Counts how often it was asked."""

    def __init__(self, data: bytes = PLAN) -> None:
        self.data = data
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.data


def plan_file(cache: PlanCache, key: Key = KEY) -> Path:
    assert cache.folder is not None
    return cache.folder / f"{key.name}.plan"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
