"""The package tensorrt-rtx itself, which builds without any card."""

from __future__ import annotations

import os
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


def test_rtx_has_what_a_run_is_set_up_with(real_rtx: None) -> None:
    module = RTX.module()
    assert module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert module.DynamicShapesKernelSpecializationStrategy.EAGER
    assert hasattr(module.IRuntimeConfig, "dynamic_shapes_kernel_specialization_strategy")


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
