"""The program as a whole: help, version, exit codes, and no traceback for anybody."""

from __future__ import annotations

import errno
import io
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime_unmask import __main__ as entry
from realtime_unmask import __version__
from realtime_unmask.cli import run
from realtime_unmask.errors import MediaMissing, UsageError

from .conftest import Ran

Command = Callable[..., Ran]
DEMO = str(Path(__file__).resolve().parents[3] / "assets" / "demo.mp4")


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_version(command: Command) -> None:
    ran = command("--version")
    assert (ran.code, ran.out) == (0, [f"realtime-unmask {__version__}"])


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command_under_a_heading_with_examples(
    command: Command, option: str
) -> None:
    ran = command(option)
    assert ran.code == 0
    text = "\n".join(ran.out)
    for word in ("Unmask:", "This machine:", "Examples:", "Exit codes:", "plausible guess"):
        assert word in text
    for name in ("live", "image", "video", "demo", "doctor"):
        assert any(line.startswith(f"  {name} ") and len(line.split()) > 3 for line in ran.out)
    assert "completion" not in text


@pytest.mark.parametrize("name", ["live", "image", "video", "demo", "doctor"])
def test_each_command_has_help(command: Command, name: str) -> None:
    ran = command(name, "--help")
    assert ran.code == 0
    assert f"realtime-unmask {name}" in ran.out[0]


def test_no_arguments_open_the_window(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str, bool]] = []

    def run_window(source: str, backend: str, *, serve: bool) -> int:
        opened.append((source, backend, serve))
        return 0

    monkeypatch.setattr("realtime_unmask.ui.program.run_window", run_window)
    assert command().code == 0
    assert command("live", "--source", DEMO, "--serve", "--backend", "onnxruntime").code == 0
    assert opened == [("", "", False), (DEMO, "onnxruntime", True)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
@pytest.mark.parametrize("arguments", [[], ["live"]])
def test_missing_display_is_one_sentence(arguments: list[str]) -> None:
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    ran = subprocess.run(
        [sys.executable, "-m", "realtime_unmask", *arguments],
        capture_output=True, text=True, check=False, env=bare, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: There is no display for a window")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "nowhere.mp4"], "There is no file or folder nowhere.mp4"),
        (["--backend", "abacus"], "There is no backend 'abacus'"),
    ],
)
def test_live_refuses_what_there_is_not(
    command: Command, arguments: list[str], words: str
) -> None:
    ran = command("live", *arguments)
    assert ran.code == 2
    assert words in ran.err[0]


@pytest.mark.parametrize(
    ("arguments", "asked_for"),
    [
        (["bench", "--json"], "bench"),
        (["image", "video", "-o"], "image"),
        (["bench", "--x"], "bench"),
    ],
)
def test_an_option_that_is_wrong_points_to_the_help_of_its_command(
    command: Command, arguments: list[str], asked_for: str
) -> None:
    ran = command(*arguments)
    assert ran.code == 2 and len(ran.err) == 1
    assert f"See `realtime-unmask {asked_for} --help`." in ran.err[0]


def test_unknown_command_is_one_line_and_code_2(command: Command) -> None:
    ran = command("unmusk")
    assert ran.code == 2
    assert len(ran.err) == 1
    assert "unmusk" in ran.err[0]


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def doctor() -> int:
        raise error

    monkeypatch.setattr("realtime_unmask.cli.doctor._packages", doctor)


@pytest.mark.parametrize(
    ("error", "code"), [(MediaMissing("There is no a."), 1), (UsageError("There is no a."), 2)]
)
def test_expected_error_is_its_sentence_and_its_code(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    fail_with(monkeypatch, error)
    ran = command("doctor")
    assert (ran.code, ran.err) == (code, ["error: There is no a."])


def test_ctrl_c_says_stopped(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    ran = command("doctor")
    assert (ran.code, ran.err) == (130, ["stopped"])


def test_ctrl_c_while_loading_says_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed() -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(sys.modules, "realtime_unmask.cli", SimpleNamespace(main=pressed))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit, match="130"):
            entry.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "stopped\n"


def test_a_second_ctrl_c_does_not_disturb_the_tidying_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "_stopped_at", -math.inf)
    with pytest.raises(KeyboardInterrupt):
        entry._stop()
    entry._stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["engines", "list"]])
def test_a_disk_that_is_full_of_what_is_printed_is_a_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "realtime_unmask", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: What is to be printed cannot be written: the disk is full.\n"


@pytest.mark.parametrize(("why", "code"), [(errno.ENOSPC, 1), (errno.EIO, 1), (errno.EPIPE, 0)])
def test_what_was_not_printed_is_said_at_the_end_unless_nobody_reads_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], why: int, code: int
) -> None:
    class Full(io.StringIO):
        """Takes what is written, and fails to bring it on."""

        def flush(self) -> None:
            if self.getvalue():
                raise OSError(why, os.strerror(why))

    full = Full()
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr("realtime_unmask.cli.common._silence", lambda _: full.truncate(0))
    assert run(["devices"]) == code
    assert capfd.readouterr().err.count("cannot be written: ") == code


def test_fault_of_the_program_is_one_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, RuntimeError("odd\nthing"))
    ran = command("doctor")
    assert ran.code == 1
    assert len(ran.err) == 1
    assert "RuntimeError: odd\\nthing" in ran.err[0]
    assert "--debug" in ran.err[0]


@pytest.mark.parametrize("kind", [ImportError, OSError])
def test_library_of_the_system_that_is_missing_is_no_fault_of_the_program(
    command: Command, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    why = "libGL.so.1: cannot open shared object file: No such file or directory"

    def halted() -> None:
        raise kind(why)

    monkeypatch.setattr("realtime_unmask.capture.devices.cameras", halted)
    ran = command("devices")
    assert (ran.code, len(ran.err)) == (1, 1)
    assert why in ran.err[0] and "apt-get install" in ran.err[0] and "fault" not in ran.err[0]


def test_library_that_qt_lacks_is_named_with_what_any_installation_can_do(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "realtime_unmask.ui.program", None)
    ran = command("live")
    assert (ran.code, len(ran.err)) == (1, 1)
    assert "Qt cannot be loaded" in ran.err[0] and "apt-get install" in ran.err[0]


def test_window_without_qt_is_told_to_install_the_package(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("realtime_unmask.ui")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PyQt6", None)
    monkeypatch.setitem(sys.modules, "PyQt6.QtCore", None)
    ran = command("live")
    assert (ran.code, len(ran.err)) == (1, 1)
    assert "The package PyQt6 is missing" in ran.err[0] and "apt-get" not in ran.err[0]


@pytest.mark.parametrize("arguments", [["--debug", "doctor"], ["doctor", "--debug"]])
def test_debug_adds_the_details_wherever_it_stands(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    fail_with(monkeypatch, RuntimeError("odd thing"))
    ran = command(*arguments)
    assert ran.code == 1
    assert ran.err[0].startswith("Traceback")
    assert ran.err[-1].startswith("error: This is a fault in realtime-unmask")


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("numpy", "cv2", "mediapipe", "openvino", "onnxruntime", "av", "PIL")
    loaded = python(f"import sys, realtime_unmask; print([m for m in {heavy} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_help_loads_nothing_heavy() -> None:
    heavy = ("numpy", "cv2", "mediapipe", "openvino", "onnxruntime", "av", "PIL")
    loaded = python(
        "import sys; from realtime_unmask.cli import run; run(['--help']);"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert loaded.splitlines()[-1] == "[]"


def test_package_offers_its_names_lazily_and_no_others() -> None:
    import realtime_unmask
    from realtime_unmask.types import Frame

    assert realtime_unmask.Frame is Frame
    assert set(realtime_unmask.__all__) <= set(dir(realtime_unmask))
    with pytest.raises(AttributeError, match="no attribute 'Mask'"):
        realtime_unmask.Mask  # noqa: B018


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_no_result_takes_the_place_of_a_closed_standard_error() -> None:
    code = """if True:
        import os
        from realtime_unmask import cli
        cli.run = lambda arguments: print(os.open(os.devnull, os.O_RDONLY)) or 0
        cli.main()
    """
    shell = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code]
    opened = subprocess.run(shell, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert int(opened) > 2


def test_a_thread_that_is_stuck_in_a_library_is_not_ended_in_its_midst() -> None:
    """Ended by the interpreter, one in C++ would abort the process."""
    code = """if True:
        import atexit, threading, time
        from realtime_unmask import cli

        def run(arguments):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            print("said", end="")
            threading.Thread(target=lambda: time.sleep(0.2) or print(" and done", end="")).start()
            return 7

        atexit.register(print, "the interpreter ended")
        cli.run = run
        cli.main()
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "said and done", "")
