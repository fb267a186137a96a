"""Looking for a card: what the driver says, and what is said where there is none."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference import cuda

VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2025
GCC version:  gcc version 12.3.0
"""


class Driver:
    """Stands for libcuda: fills what it is given the address of."""

    def __init__(self, cards: int = 1, error: int = 0) -> None:
        self.cards, self.error = cards, error

    def cuInit(self, flags: int) -> int:
        return self.error

    def cuDeviceGetCount(self, number: Any) -> int:
        number._obj.value = self.cards
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        name.value = b"NVIDIA GeForce RTX 4090"
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        value._obj.value = {75: 8, 76: 9}[attribute]
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:
        memory._obj.value = 24 * 2**30
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 13010
        return 0


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A Linux machine with a card and a driver, whatever the tests run on."""
    cuda.card.cache_clear()
    (tmp_path / "nvidia0").touch()
    (tmp_path / "version").write_text(VERSION)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cuda, "_DEVICE_FILES", (str(tmp_path / "nvidia0"),))
    monkeypatch.setattr(cuda, "_DRIVER_FILE", tmp_path / "version")
    monkeypatch.setattr(ctypes, "CDLL", lambda file: Driver())
    yield tmp_path
    cuda.card.cache_clear()


def test_card_and_driver_are_told() -> None:
    card = cuda.card()
    assert card == cuda.Card(
        "NVIDIA GeForce RTX 4090", (8, 9), 24 * 2**30, "580.95.05 CUDA 13.1"
    )
    assert card.sm == "sm_89"
    assert cuda.card_or_none() == card


def test_system_that_does_not_tell_the_drivers_version(machine: Path) -> None:
    (machine / "version").unlink()
    assert cuda.card().driver == "CUDA 13.1"


def test_no_card_is_known_without_loading_a_library(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", None)
    (machine / "nvidia0").unlink()
    with pytest.raises(EngineUnavailable, match="no NVIDIA card here, or its driver is not loaded"):
        cuda.card()
    assert cuda.card_or_none() is None


def test_driver_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(file: str) -> None:
        raise OSError(f"{file}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(EngineUnavailable, match=r"libcuda.so.1 cannot be loaded.*container"):
        cuda.card()


def test_driver_that_finds_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda file: Driver(cards=0))
    with pytest.raises(EngineUnavailable, match="finds no card"):
        cuda.card()


def test_card_that_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CUDA_VISIBLE_DEVICES="" the driver itself says that there is none."""
    monkeypatch.setattr(ctypes, "CDLL", lambda file: Driver(error=100))
    with pytest.raises(EngineUnavailable, match=r"finds no card.*CUDA_VISIBLE_DEVICES"):
        cuda.card()


def test_driver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda file: Driver(error=999))
    with pytest.raises(EngineUnavailable, match="cuInit gives error 999"):
        cuda.card()


def test_system_without_nvidia(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EngineUnavailable, match="no NVIDIA driver for this system"):
        cuda.card()
