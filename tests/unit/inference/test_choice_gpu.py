"""`auto` with a card: the timed run, and what is remembered of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference import choice, cuda, openvino, tensorrt
from realtime_unmask.inference.engine import load_engine, version
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_driver import Result
from .fake_gpu import Machine
from .tiny import expected, random_inputs

pytestmark = pytest.mark.usefixtures("cache")
AUTO = Settings(precision="fp32")


def test_fastest_is_taken_and_told(
    folder: Path, planned: None, times: dict[str, float], machine: Machine
) -> None:
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"
        assert engine.reason.startswith(
            "the best of a timed run: tensorrt 1.0 ms, openvino 10.0 ms; tensorrt_rtx: The package "
        )
        inputs = random_inputs("map", 2)
        made = engine.infer(inputs)
    np.testing.assert_allclose(made["map"], expected("map", inputs)["map"], atol=1e-6)
    assert machine.driver.alive == {}


def test_slow_card_is_passed_over(
    folder: Path, planned: None, times: dict[str, float], machine: Machine
) -> None:
    times["tensorrt"] = 15.0
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert "tensorrt 15.0 ms, openvino 10.0 ms" in engine.reason
    assert machine.driver.alive == {}


def test_small_difference_does_not_change_the_order(
    folder: Path, planned: None, times: dict[str, float]
) -> None:
    times["tensorrt"] = 11.0
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"


def test_timed_run_is_a_real_one(folder: Path, planned: None) -> None:
    with load_engine("map", AUTO, folder) as engine:
        assert "the best of a timed run: tensorrt " in engine.reason
        assert ", openvino " in engine.reason


def test_choice_is_remembered(
    folder: Path, planned: None, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_engine("map", AUTO, folder).close()

    def again(engine: Any) -> float:
        pytest.fail("timed again")

    monkeypatch.setattr(choice, "_time_ms", again)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"
        assert engine.reason.endswith("(remembered)")


def test_choice_is_made_again_for_another_driver(
    folder: Path, planned: None, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_engine("map", AUTO, folder).close()
    card = cuda.Card("Fake RTX 3060", (8, 6), 2**33, "590.01 CUDA 13.1")
    monkeypatch.setattr(cuda, "card", lambda: card)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert "is not built yet" in engine.reason


def test_remembered_backend_that_fails_now_is_passed_over(
    folder: Path, planned: None, times: dict[str, float], machine: Machine
) -> None:
    load_engine("map", AUTO, folder).close()
    machine.driver.faults["cuMemAlloc"] = (Result.CUDA_ERROR_OUT_OF_MEMORY, 0)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert "no memory left" in engine.reason
    assert machine.driver.alive == {}


@pytest.mark.parametrize(
    ("function", "result", "words"),
    [
        ("cuMemAlloc", Result.CUDA_ERROR_OUT_OF_MEMORY, "no memory left"),  # as it is loaded
        ("cuStreamSynchronize", Result.CUDA_ERROR_ILLEGAL_ADDRESS, "stopped working"),  # timed
    ],
)
def test_cpu_that_was_chosen_because_the_card_failed_is_not_remembered(
    folder: Path,
    planned: None,
    machine: Machine,
    function: str,
    result: Result,
    words: str,
) -> None:
    machine.driver.faults[function] = (result, 0)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert words in engine.reason
    assert machine.driver.alive == {}
    machine.driver.faults.clear()
    with load_engine("map", AUTO, folder) as engine:
        assert "the best of a timed run: tensorrt " in engine.reason


def test_cpu_that_was_chosen_for_want_of_a_plan_is_remembered(
    folder: Path, machine: Machine, times: dict[str, float]
) -> None:
    load_engine("map", AUTO, folder).close()
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
        assert engine.reason.endswith("(remembered)")


@pytest.mark.parametrize("package", ["cuda-bindings", "pycuda", "tensorrt"])
def test_choice_is_made_again_with_another_package(
    folder: Path,
    planned: None,
    times: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    load_engine("map", AUTO, folder).close()
    installed = {package: "99.0"}
    monkeypatch.setattr(choice, "version", lambda name: installed.get(name, version(name)))
    with load_engine("map", AUTO, folder) as engine:
        assert not engine.reason.endswith("(remembered)")


def test_auto_builds_no_plan_and_says_how(folder: Path, machine: Machine) -> None:
    with load_engine("map", Settings(), folder) as engine:
        assert engine.backend == "openvino"
        assert "is not built yet. Build it with: realtime-unmask engines build." in engine.reason
    assert machine.module.builds == []


def test_advice_on_a_plan_that_the_command_does_not_build_helps(
    folder: Path, machine: Machine, times: dict[str, float]
) -> None:
    """`engines build` builds fp16."""
    with load_engine("map", AUTO, folder) as engine:
        assert "by name once: Settings(backend='tensorrt', precision='fp32')." in engine.reason
        assert "engines build" not in engine.reason
    load_engine("map", Settings(backend="tensorrt", precision="fp32"), folder).close()
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"


def test_card_for_which_a_package_has_no_plans_is_told_so(
    folder: Path, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that its plan is missing: no command could build it."""
    fake_gpu.install(monkeypatch, "tensorrt_rtx")
    monkeypatch.setattr(cuda, "card", lambda: cuda.Card("Fake H100", (9, 0), 2**36, "580.10"))
    with load_engine("map", Settings(), folder) as engine:
        assert engine.backend == "openvino"
        assert "tensorrt_rtx: TensorRT-RTX 1.7.1 does not build for sm_90; it knows sm_86, " in (
            engine.reason
        )
        assert "not built yet" not in engine.reason
    with pytest.raises(EngineUnavailable, match="served by the backends tensorrt and torch"):
        load_engine("map", Settings(backend="tensorrt_rtx"), folder)


def test_plan_built_later_is_considered(
    folder: Path, machine: Machine, times: dict[str, float]
) -> None:
    load_engine("map", AUTO, folder).close()
    load_engine("map", Settings(backend="tensorrt", precision="fp32"), folder).close()
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"


def test_choice_that_ends_after_a_plan_was_built_is_not_kept(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another program, while this one times what it has without it."""
    plan = Settings(backend="tensorrt", precision="fp32")

    def meanwhile(engine: Any) -> float:
        if engine.backend == "openvino":
            load_engine("map", plan, folder).close()
        return {"tensorrt": 1.0, "openvino": 10.0}[engine.backend]

    monkeypatch.setattr(choice, "_time_ms", meanwhile)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "openvino"
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"
    with load_engine("map", AUTO, folder) as engine:
        assert engine.reason.endswith("(remembered)")


def test_choice_made_while_a_plan_is_built_is_not_kept(
    folder: Path, machine: Machine, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another program, say, that does not know that there is going to be one."""
    build = tensorrt.build_plan

    def slowly(*arguments: Any) -> bytes:
        load_engine("map", AUTO, folder).close()
        return build(*arguments)

    monkeypatch.setattr(tensorrt, "build_plan", slowly)
    load_engine("map", Settings(backend="tensorrt", precision="fp32"), folder).close()
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"


def test_bf16_that_was_asked_for_is_served_by_the_cpu_or_refused(
    folder: Path, planned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_unmask.inference.openvino._has_bf16", lambda _: True)
    with load_engine("map", Settings(precision="bf16"), folder) as engine:
        assert (engine.backend, engine.spec.precision) == ("openvino", "bf16")
        assert "tensorrt: TensorRT computes in fp16 or fp32" in engine.reason


@pytest.mark.parametrize("error", [EngineDamaged("altered"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["load", "time"])
def test_trial_that_ends_too_soon_leaves_nothing_on_the_card(
    folder: Path,
    planned: None,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    error: BaseException,
) -> None:
    """While the second backend is tried, the first has its network on the card."""

    def fails(*_: object) -> None:
        raise error

    if function == "load":
        monkeypatch.setattr(openvino, "load", fails)
    else:
        monkeypatch.setattr(choice, "_time_ms", fails)
    with pytest.raises(type(error)):
        load_engine("map", AUTO, folder)
    assert machine.driver.alive == {}


def test_second_cpu_backend_steps_in_and_says_why(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise EngineUnavailable("OpenVINO refuses it.")

    monkeypatch.setattr(openvino, "load", fails)
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "onnxruntime"
        assert "tensorrt: The fp32 plan of the 'map' network" in engine.reason
        assert "openvino: OpenVINO refuses it." in engine.reason


def test_torch_that_lacks_one_of_its_libraries_is_passed_over(
    folder: Path,
    planned: None,
    times: dict[str, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcublas.so.13: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    with load_engine("map", AUTO, folder) as engine:
        assert engine.backend == "tensorrt"
        assert "torch: The package torch cannot be imported: libcublas.so.13" in engine.reason
