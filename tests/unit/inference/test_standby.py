"""Getting the GPU ready in a process of its own, and what reaches the program of it."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from realtime_unmask.errors import EngineUnavailable
from realtime_unmask.inference import choice, cuda, plans, standby
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.inference.standby import Standby, may_gain
from realtime_unmask.settings import Settings

from . import fake_gpu
from .fake_driver import Result

pytestmark = pytest.mark.usefixtures("cache")


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the process be a small program."""
    whole = f"import json, sys, time\n{code}"
    monkeypatch.setattr(standby, "_COMMAND", (sys.executable, "-c", whole))


def test_lines_come_and_a_gpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        """
assert json.loads(sys.argv[1])["threads"] == 2
print(json.dumps({"say": "Building"}))
print("a library talks, [1]")
print("[1]")
print(json.dumps({"chosen": {"map": "openvino", "editor": "tensorrt"}}))
""",
    )
    with Standby(Settings(threads=2)) as process:
        assert list(process.lines()) == ["Building"]
        assert process.found


def test_cpu_stays_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"chosen": {"map": "openvino", "editor": "openvino"}}
    stand_in(monkeypatch, f"print(json.dumps({chosen}))")
    with Standby(Settings()) as process:
        assert list(process.lines()) == []
        assert not process.found


def test_process_that_ends_too_soon_is_told_and_the_cpu_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(monkeypatch, "sys.exit(3)")
    with Standby(Settings()) as process:
        assert list(process.lines()) == [
            "Getting the GPU ready failed (exit code 3); the CPU goes on."
        ]
        assert not process.found


def test_close_from_another_thread_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "print(json.dumps({'say': 'Building'}), flush=True)\ntime.sleep(600)")
    process = Standby(Settings())
    told: list[str] = []
    began = threading.Event()

    def wait() -> None:
        for line in process.lines():
            told.append(line)
            began.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert began.wait(60)
    process.close()
    waiting.join(30)
    assert not waiting.is_alive()
    assert told == ["Building"]
    process.close()


def test_close_before_the_first_line_is_read_ends_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session that stops as soon as it was started: its thread comes to read only then."""
    stand_in(monkeypatch, "print(json.dumps({'say': 'Building'}), flush=True)\ntime.sleep(600)")
    process = Standby(Settings())
    process.close()
    assert list(process.lines()) == []


def ran(capsys: pytest.CaptureFixture[str], settings: Settings) -> tuple[int, list[dict[str, str]]]:
    code = standby.main([json.dumps(asdict(settings))])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_process_builds_what_is_missing_and_chooses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt")
    times = {"tensorrt": 1.0, "openvino": 10.0}
    monkeypatch.setattr(choice, "_time_ms", lambda engine: times[engine.backend])
    code, lines = ran(capsys, Settings())
    assert code == 0
    assert lines == [
        {"say": "Building for the GPU: map, TensorRT 11.4.0, sm_86, fp16"},
        {"say": "Building for the GPU: editor, TensorRT 11.4.0, sm_86, fp16"},
        *[line for line in lines if "passed over" in line.get("say", "")],
        {"say": "Trying which is fastest"},
        {"chosen": {"map": "tensorrt", "editor": "tensorrt"}},
    ]
    assert len(machine.module.builds) == 2
    code, lines = ran(capsys, Settings())
    assert lines[-2:] == [
        {"say": "Trying which is fastest"},
        {"chosen": {"map": "tensorrt", "editor": "tensorrt"}},
    ]
    assert len(machine.module.builds) == 2


def test_process_that_finds_no_use_for_the_card_chooses_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt")
    machine.driver.faults["cuMemAlloc"] = (Result.CUDA_ERROR_OUT_OF_MEMORY, 0)
    code, lines = ran(capsys, Settings())
    assert (code, lines[-1]) == (0, {"chosen": {"map": "openvino", "editor": "openvino"}})


def test_plan_that_cannot_be_built_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_gpu.install(monkeypatch, "tensorrt")

    def fails(*_: object) -> bytes:
        raise EngineUnavailable("TensorRT cannot build it.")

    monkeypatch.setattr("realtime_unmask.inference.tensorrt.build_plan", fails)
    monkeypatch.setattr(standby, "version", lambda name: "11.4.0" if name == "tensorrt" else "")
    code, lines = ran(capsys, Settings())
    assert code == 0
    assert {"say": "TensorRT is passed over: TensorRT cannot build it."} in lines


@pytest.mark.parametrize("place", ["read-only", "none", "full"])
def test_plan_that_could_not_be_kept_is_not_built_at_each_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """Whoever takes over from the CPU is another process, and would not find it."""
    machine = fake_gpu.install(monkeypatch, "tensorrt")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if place == "read-only":
        monkeypatch.setattr(PlanCache, "prepare", lambda _: False)
    elif place == "none":
        monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache")
    else:
        monkeypatch.setattr(plans, "_write", full)
    code, lines = ran(capsys, Settings())
    assert (code, lines[-1]) == (0, {"chosen": {"map": "openvino", "editor": "openvino"}})
    (missed,) = [line["missed"] for line in lines if "missed" in line]
    assert missed.startswith("TensorRT is passed over: What is built for map, TensorRT 11.4.0, ")
    if place == "none":
        assert missed.endswith(" cannot be kept: this user has no cache folder. Set HOME.")
    else:
        folder = PlanCache.default().folder
        assert missed.endswith(
            f" cannot be kept in {folder}. Look at its permissions and the room on its disk."
        )
    # Of a full disk nothing is known before: the first is tried.
    assert len(machine.module.builds) == (1 if place == "full" else 0)


def test_plans_that_are_there_serve_from_a_folder_that_takes_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], times: dict[str, float]
) -> None:
    machine = fake_gpu.install(monkeypatch, "tensorrt")
    ran(capsys, Settings())
    monkeypatch.setattr(PlanCache, "prepare", lambda _: False)
    _, lines = ran(capsys, Settings())
    assert lines[-1] == {"chosen": {"map": "tensorrt", "editor": "tensorrt"}}
    assert not any("missed" in line for line in lines)
    assert len(machine.module.builds) == 2


def test_what_is_missed_is_known_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        """
print(json.dumps({"missed": "It cannot be kept."}))
print(json.dumps({"say": "Trying"}))
print(json.dumps({"chosen": {"map": "openvino", "editor": "openvino"}}))
""",
    )
    with Standby(Settings()) as process:
        assert list(process.lines()) == ["Trying"]
        assert process.missed == "It cannot be kept."


def test_gain_is_possible_with_a_card_and_a_package_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = {"torch": "2.13.0"}
    monkeypatch.setattr(standby, "version", lambda name: installed.get(name, ""))
    monkeypatch.setattr(standby, "is_apple", lambda: False)
    monkeypatch.setattr(cuda, "card", lambda: fake_gpu.CARD)
    assert may_gain(Settings())
    assert not may_gain(Settings(backend="openvino"))
    installed.clear()
    assert not may_gain(Settings())


def test_no_gain_without_a_card_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> cuda.Card:
        raise EngineUnavailable("There is no NVIDIA card here.")

    monkeypatch.setattr(cuda, "card", none)
    monkeypatch.setattr(standby, "is_apple", lambda: False)
    for name in ("torch", "tensorrt", "tensorrt_rtx"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert not may_gain(Settings())
    assert not {"torch", "tensorrt", "tensorrt_rtx"} & sys.modules.keys()


def test_process_finds_the_program_wherever_it_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    stand_in(monkeypatch, 'import realtime_unmask\nprint(json.dumps({"chosen": {}}))')
    with Standby(Settings()) as process:
        assert list(process.lines()) == []
        assert process.completed


def test_process_imports_nothing_from_the_folder_in_which_it_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A person's own json.py, say."""
    (tmp_path / "json.py").write_text("raise SystemExit(5)")
    monkeypatch.chdir(tmp_path)
    stand_in(monkeypatch, 'print(json.dumps({"chosen": {}}))')
    with Standby(Settings()) as process:
        assert list(process.lines()) == []
        assert process.completed


def test_library_that_talks_in_another_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        r"""
sys.stdout.buffer.write(b"Ger\xe4t\n")
sys.stdout.flush()
print(json.dumps({"chosen": {"map": "torch"}}))
""",
    )
    with Standby(Settings()) as process:
        assert list(process.lines()) == []
        assert process.found
