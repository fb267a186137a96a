"""The package cuda-bindings itself, which imports without any card."""

from __future__ import annotations

import inspect
import os
from types import ModuleType

import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference.cuda_memory import CudaPythonMemory, memory_package, open_memory

from . import fake_driver


@pytest.fixture
def driver() -> ModuleType:
    found: ModuleType = pytest.importorskip(
        "cuda.bindings.driver", reason="needs the package cuda-bindings"
    )
    return found


def test_stand_in_offers_nothing_that_cuda_python_lacks(driver: ModuleType) -> None:
    """So what runs on the stand-in calls nothing that is not there, with as many arguments."""
    offered = {n: f for n, f in vars(fake_driver.FakeDriver).items() if n.startswith("cu")}
    assert offered
    for name, function in offered.items():
        takes = len(inspect.signature(function).parameters) - 1  # self
        said = getattr(driver, name).__doc__.splitlines()[0]
        listed = said[said.index("(") + 1 : said.index(")")]
        assert takes == len(listed.split(",")), said


def test_names_of_the_stand_in_are_those_of_cuda_python(driver: ModuleType) -> None:
    for ours, theirs in (
        (fake_driver.Result, driver.CUresult),
        (fake_driver.CaptureMode, driver.CUstreamCaptureMode),
    ):
        for member in ours:
            assert int(getattr(theirs, member.name)) == member


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="there is a card here")
def test_a_driver_that_is_not_there_is_told_in_words(driver: ModuleType) -> None:
    assert memory_package() is CudaPythonMemory
    with pytest.raises(EngineUnavailable, match=r"The NVIDIA driver cannot be used \(.+\)\."):
        open_memory()
