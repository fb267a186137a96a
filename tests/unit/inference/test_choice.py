"""Which backend is taken, why, and what is said when it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from realtime_unmask import resources
from realtime_unmask.errors import EngineDamaged, EngineUnavailable
from realtime_unmask.inference import cuda, openvino
from realtime_unmask.inference.engine import ON_CPU, ON_GPU, PREFERENCE, load_engine, probe_backends
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.settings import Settings

from .tiny import map_model, value_info, write_network

CAPABILITIES = "realtime_unmask.inference.openvino._has_bf16"


@pytest.fixture(autouse=True)
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a GPU, wherever the tests run."""

    def card() -> cuda.Card:
        raise EngineUnavailable("There is no NVIDIA card here.")

    monkeypatch.setattr(cuda, "card", card)
    monkeypatch.setattr("realtime_unmask.inference.torch.is_apple", lambda: False)


def absent(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    # One that was opened before stays.
    monkeypatch.setattr(openvino, "_core", openvino._core.__wrapped__)


def test_openvino_is_the_first_choice(folder: Path) -> None:
    with load_engine("map", Settings(), folder) as engine:
        assert engine.backend == "openvino"
        assert engine.reason.startswith("the first choice on a CPU; ")


def test_onnxruntime_steps_in_and_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "openvino")
    with load_engine("map", Settings(), folder) as engine:
        assert engine.backend == "onnxruntime"
        assert (
            "openvino: The package openvino cannot be imported: "
            "import of openvino halted; None in sys.modules. Install it with: pip install openvino."
        ) in engine.reason


@pytest.mark.parametrize("backend", ["auto", "cpu"])
@pytest.mark.parametrize(
    ("content", "cause"),
    [
        # So it does under `python -c` in a folder that was removed.
        ("raise FileNotFoundError(2, 'No such file')", "[Errno 2]"),
        ("", "module 'openvino' has no attribute 'Core'"),  # half removed, say
    ],
    ids=["another error", "nothing in it"],
)
def test_openvino_whose_import_fails_otherwise_is_passed_over(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    content: str,
    cause: str,
) -> None:
    (tmp_path / "openvino.py").write_text(content)
    absent(monkeypatch, "openvino")
    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.syspath_prepend(tmp_path)
    with load_engine("map", Settings(backend=backend), folder) as engine:
        assert engine.backend == "onnxruntime"
        assert f"openvino: The package openvino cannot be imported: {cause}" in engine.reason
    sys.modules.pop("openvino", None)


def test_cpu_is_the_first_that_works_there_and_asks_for_no_card(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "card", lambda: pytest.fail("asked for a card"))
    with load_engine("map", Settings(backend="cpu"), folder) as engine:
        assert (engine.backend, engine.reason) == ("openvino", "the first choice on a CPU")


def test_onnxruntime_that_is_half_removed_says_how_to_mend_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnxruntime.py").write_text("")
    absent(monkeypatch, "onnxruntime")
    monkeypatch.delitem(sys.modules, "onnxruntime")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EngineUnavailable, match="pip install onnxruntime"):
        load_engine("map", Settings(backend="onnxruntime"), folder)
    sys.modules.pop("onnxruntime", None)


def test_none_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, *ON_CPU)
    with pytest.raises(EngineUnavailable) as caught:
        load_engine("map", Settings(), folder)
    for name in ON_CPU:
        assert f"pip install {name}" in str(caught.value)


@pytest.mark.parametrize("name", ON_CPU)
def test_backend_that_was_asked_for_is_taken(folder: Path, name: str) -> None:
    with load_engine("editor", Settings(backend=name), folder) as engine:
        assert (engine.backend, engine.reason) == (name, "it was asked for")


@pytest.mark.parametrize("name", ON_CPU)
def test_backend_that_was_asked_for_is_never_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    absent(monkeypatch, name)
    with pytest.raises(EngineUnavailable, match=f"The backend '{name}' cannot be used"):
        load_engine("map", Settings(backend=name), folder)


def test_a_cpu_without_bf16_computes_in_fp32(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CAPABILITIES, lambda _: False)
    with load_engine("map", Settings(backend="openvino"), folder) as engine:
        assert engine.spec.precision == "fp32"


@pytest.mark.parametrize("slow", ["bf16", "fp32"])
def test_a_cpu_with_bf16_takes_what_is_faster_and_remembers_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    monkeypatch.setattr(CAPABILITIES, lambda _: True)
    cache = PlanCache(tmp_path / "cache")
    monkeypatch.setattr(PlanCache, "default", lambda: cache)
    compiled: list[str] = []

    class Request:
        def __init__(self, precision: str) -> None:
            self.precision = precision

        def infer(self, inputs: object) -> None:
            time.sleep(0.03 if self.precision == slow else 0.0)

    class Compiled:
        def __init__(self, precision: str) -> None:
            self.precision = precision

        def create_infer_request(self) -> Request:
            return Request(self.precision)

    def fake(core: object, spec: object, files: object, config: dict[str, str]) -> Compiled:
        compiled.append({"f32": "fp32"}.get(config["INFERENCE_PRECISION_HINT"], "bf16"))
        return Compiled(compiled[-1])

    monkeypatch.setattr(openvino, "_compiled", fake)
    fast = "fp32" if slow == "bf16" else "bf16"
    for expected in (["bf16", "fp32"], [fast]):
        compiled.clear()
        with load_engine("map", Settings(backend="openvino"), folder) as engine:
            assert engine.spec.precision == fast
        assert compiled == expected


def test_fp32_is_kept_on_a_cpu_with_bf16(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CAPABILITIES, lambda _: True)
    with load_engine("map", Settings(backend="openvino", precision="fp32"), folder) as engine:
        assert engine.spec.precision == "fp32"


def test_bf16_that_nothing_here_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CAPABILITIES, lambda _: False)
    with pytest.raises(EngineUnavailable, match=r"no bf16 arithmetic.*fp32 only"):
        load_engine("map", Settings(precision="bf16"), folder)


@pytest.mark.parametrize("name", ON_CPU)
def test_file_with_other_inputs_than_the_manifest_says(tmp_path: Path, name: str) -> None:
    model = map_model()
    model.graph.input[0].CopyFrom(value_info("image", (None, 3, 64, 64)))
    model.graph.output[0].CopyFrom(value_info("map", (None, 1, 64, 64)))
    write_network(tmp_path, "map", model)
    with pytest.raises(EngineDamaged, match="but its manifest says"):
        load_engine("map", Settings(backend=name), tmp_path)


@pytest.mark.parametrize("name", ON_CPU)
def test_file_of_another_type(tmp_path: Path, name: str) -> None:
    model = map_model()
    del model.graph.initializer[:], model.graph.node[:]
    kind = TensorProto.DOUBLE
    model.graph.input[0].CopyFrom(value_info("image", (None, 3, 256, 256), kind))
    model.graph.output[0].CopyFrom(value_info("map", (None, 1, 256, 256), kind))
    model.graph.node.append(helper.make_node("ReduceSum", ["image", "axes"], ["map"]))
    model.graph.initializer.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    write_network(tmp_path, "map", model)
    with pytest.raises(EngineDamaged, match="not all float32"):
        load_engine("map", Settings(backend=name), tmp_path)


@pytest.mark.parametrize("name", ON_CPU)
def test_network_that_the_backend_cannot_parse(tmp_path: Path, name: str) -> None:
    model = map_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    write_network(tmp_path, "map", model)
    with pytest.raises(EngineUnavailable, match="refuses the 'map' network"):
        load_engine("map", Settings(backend=name), tmp_path)


def test_probe_names_each_backend_with_version_and_device() -> None:
    statuses = probe_backends()
    assert [status.name for status in statuses] == list(PREFERENCE)
    for status in statuses[len(ON_GPU) :]:
        assert status.available
        assert status.reason.startswith("CPU")
        assert status.version[0].isdigit()


def test_probe_says_why_a_backend_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "onnxruntime")
    status = next(status for status in probe_backends() if status.name == "onnxruntime")
    assert not status.available
    assert "pip install onnxruntime" in status.reason


def test_without_a_card_no_gpu_package_is_imported_and_the_reason_is_told_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "tensorrt", "tensorrt_rtx"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with load_engine("map", Settings(), folder) as engine:
        assert engine.reason == (
            "the first choice on a CPU; tensorrt, tensorrt_rtx, torch: There is no NVIDIA card "
            "here."
        )
    assert not {"torch", "tensorrt", "tensorrt_rtx"} & sys.modules.keys()


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="there is a card here")
def test_looking_for_a_gpu_where_there_is_none_takes_no_time() -> None:
    """Also the first time, in a process of its own: below 1 ms, of 300 that it may take."""
    code = f"""
import time
from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference.engine import backend
modules = [backend(name) for name in {ON_GPU}]  # which the program has imported before
began = time.perf_counter()
for module in modules:
    try:
        module.probe()
    except EngineUnavailable:
        pass
print(time.perf_counter() - began)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=resources.child_environment(),
    )  # fmt: skip
    assert float(done.stdout) < 0.3


@pytest.mark.parametrize("name", ON_GPU)
def test_gpu_backend_that_was_asked_for_is_never_replaced(folder: Path, name: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        load_engine("map", Settings(backend=name), folder)
    assert str(caught.value) == (
        f"The backend '{name}' cannot be used: There is no NVIDIA card here. Choose another one, "
        "or auto."
    )
