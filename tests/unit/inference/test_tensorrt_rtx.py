"""The package tensorrt-rtx itself, which builds without any card."""

from __future__ import annotations

import inspect
import os
import re
from enum import Enum
from itertools import accumulate
from pathlib import Path
from typing import cast

import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference.cuda_memory import CudaMemory
from realtime_unmask.inference.engine import NetworkFiles
from realtime_unmask.inference.manifest import INPUTS, OUTPUTS, Network
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.tensorrt import TensorRtEngine
from realtime_unmask.inference.tensorrt_build import RTX, build_plan

from . import fake_gpu
from .tiny import map_model, write_network


@pytest.fixture
def real_rtx() -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the package tensorrt-rtx")


@pytest.mark.parametrize("sm", ["sm_86", "sm_89", "sm_120"])
@pytest.mark.parametrize("network", ["map", "editor"])
def test_rtx_builds_the_shipped_networks_for_cards_that_are_not_here(
    real_rtx: None, network: Network, sm: str
) -> None:
    files = NetworkFiles.read(network)
    spec = EngineSpec(network, INPUTS[network], OUTPUTS[network], precision="fp16")
    plan = build_plan(RTX, spec, files, sm)
    assert len(plan) > 0.3 * len(files.onnx)
    for name in (*INPUTS[network], *OUTPUTS[network]):
        assert name.encode() in plan


def test_rtx_names_the_cards_that_it_knows(real_rtx: None) -> None:
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"], precision="fp16")
    with pytest.raises(EngineUnavailable, match=r"does not build for sm_35; it knows sm_75, sm_80"):
        build_plan(RTX, spec, NetworkFiles.read("map"), "sm_35")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (fake_gpu.Builder, "Builder"),
        (fake_gpu.BuilderConfig, "IBuilderConfig"),
        (fake_gpu.Profile, "IOptimizationProfile"),
        (fake_gpu.Network, "INetworkDefinition"),
        (fake_gpu.Parser, "OnnxParser"),
        (fake_gpu.Runtime, "Runtime"),
        (fake_gpu.Engine, "ICudaEngine"),
        (fake_gpu.RuntimeConfig, "IRuntimeConfig"),
        (fake_gpu.RuntimeCache, "IRuntimeCache"),
        (fake_gpu.Context, "IExecutionContext"),
    ],
)
def test_stand_in_offers_nothing_that_rtx_lacks(
    real_rtx: None, ours: type, theirs: str
) -> None:
    """So what runs on the stand-in calls nothing that is not there, with as many arguments."""
    real = getattr(RTX.module(), theirs)
    for name, offered in vars(ours).items():
        if name.startswith("_"):
            continue
        assert hasattr(real, name), name
        if inspect.isfunction(offered):
            takes = len(inspect.signature(offered).parameters)
            least_and_most = arguments(getattr(real, name).__doc__)
            assert any(least <= takes <= most for least, most in least_and_most), name


def test_names_of_the_stand_in_are_those_of_rtx(real_rtx: None) -> None:
    module = RTX.module()
    for name, offered in vars(fake_gpu.FakeTensorRt).items():
        if name.startswith("_"):
            continue
        assert hasattr(module, name), name
        if isinstance(offered, type) and issubclass(offered, Enum):
            assert set(offered.__members__) <= set(getattr(module, name).__members__)
    for severity in ("INTERNAL_ERROR", "ERROR"):
        assert hasattr(module.ILogger, severity)


def arguments(said: str) -> list[tuple[int, int]]:
    """How many arguments, self among them, a function takes, for each of its signatures."""
    found = []
    for listed in re.findall(r"^(?:\d+\. )?\w+\((self: .*)\) -> ", said, re.M):
        depths = accumulate({"[": 1, "]": -1, "<": 1, ">": -1}.get(c, 0) for c in listed)
        outside = "".join(c for c, depth in zip(listed, depths, strict=True) if not depth)
        outside = outside.replace("::", ".")
        found.append((outside.count(":") - outside.count(" = "), outside.count(":")))
    return found


def test_rtx_says_why_it_cannot_parse(real_rtx: None, folder: Path) -> None:
    model = map_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    write_network(folder, "map", model)
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    with pytest.raises(EngineUnavailable, match="TensorRT-RTX cannot build the 'map' network: .+"):
        build_plan(RTX, spec, NetworkFiles.read("map", folder), "sm_86")


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="there is a card here")
def test_rtx_refuses_a_plan_without_a_driver_in_words(real_rtx: None, folder: Path) -> None:
    """Past the checks of the card, as on a machine whose driver does not work."""
    spec = EngineSpec("map", INPUTS["map"], OUTPUTS["map"])
    plan = build_plan(RTX, spec, NetworkFiles.read("map", folder), "sm_86")
    with pytest.raises(EngineUnavailable, match=r"refuses the plan .* CUDA driver version"):
        TensorRtEngine(spec, RTX, plan, cast(CudaMemory, None))
