"""The only virtual camera of this machine, and the clock that it goes by."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.unit.sinks.virtual_camera_fakes import Clock, FakeDevice


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeDevice]]:
    """The only virtual camera of this machine."""
    package = pytest.importorskip("pyvirtualcam", reason="needs the extra vcam")
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {})
    package.register_backend("fake", FakeDevice)
    for name, value in {"name": "Fake", "refuses": "", "fails": "", "closed": 0}.items():
        monkeypatch.setattr(FakeDevice, name, value)
    monkeypatch.setattr(FakeDevice, "sent", [])
    yield FakeDevice
    gc.collect()  # pyvirtualcam closes what is forgotten


@pytest.fixture
def clock() -> Clock:
    return Clock()
