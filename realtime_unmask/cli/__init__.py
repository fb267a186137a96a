"""The command line: one file a command; here they meet, and every error becomes one line."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from realtime_unmask import __version__, missing
from realtime_unmask.cli.bench import bench as run_bench
from realtime_unmask.cli.common import ExitCode, fail, print_no_more, unprinted
from realtime_unmask.cli.demo import demo as run_demo
from realtime_unmask.cli.devices import devices as run_devices
from realtime_unmask.cli.doctor import doctor as run_doctor
from realtime_unmask.cli.engines import app as engines_app
from realtime_unmask.cli.image import image as run_image
from realtime_unmask.cli.live import live as run_live
from realtime_unmask.cli.video import video as run_video
from realtime_unmask.errors import UnmaskError, UsageError
from realtime_unmask.memory import keep_freed_memory

PROGRAM = "realtime-unmask"

_GROUPS = {
    "Unmask": ("live", "image", "video", "demo"),
    "This machine": ("doctor", "devices", "bench", "engines"),
}

# By the beginning of what pydantic calls the fault, "int_parsing" say.
_NUMBERS = {"int": "a whole number", "float": "a number"}

_EPILOG = """\b
Examples:
  realtime-unmask                                the window: yourself before the camera, unmasked
  realtime-unmask demo                           see what it does
  realtime-unmask image me.jpg -o unmasked       one photo
  realtime-unmask image holiday -o unmasked      a folder and its subfolders
  realtime-unmask video talk.mp4 -o talk-unmasked.mp4
  realtime-unmask doctor                         what works on this machine

\b
Exit codes: 0 all done, 1 something failed (each failure is named), 2 wrong usage, 130 Ctrl-C.
The face under a mask is a plausible guess, not the person; not for identification.
"""


class _GroupedCommands(TyperGroup):
    """Lists the commands under headings, in the order of a person's interest."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for heading, names in _GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._about(ctx, name)) for name in names])

    def _about(self, ctx: Any, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(90) if command else ""


app = typer.Typer(
    cls=_GroupedCommands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _start(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the details of an unexpected fault (works anywhere)."),
    ] = False,
) -> None:
    """Show a person without the face mask they wear: live, in photos and in videos.

    Without a command the window is opened, as by `live`.
    """
    if ctx.invoked_subcommand is None:
        raise typer.Exit(run_live())


# Bound to other names than their modules', which would be hidden behind them otherwise.
app.command("live")(run_live)
app.command("image")(run_image)
app.command("video")(run_video)
app.command("demo")(run_demo)
app.command("doctor")(run_doctor)
app.command("devices")(run_devices)
app.command("bench")(run_bench)
app.add_typer(engines_app, name="engines")


def _take_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Take --debug out wherever it stands, so that it can be added at the end of any command."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [a for a in arguments[:end] if a != "--debug"]
    return [*kept, *arguments[end:]], len(kept) < end


def run(arguments: Sequence[str]) -> int:
    """Do what `arguments` ask.

    Returns:
        The exit code: 0 all done, 1 something failed, 2 wrong usage, 130 stopped by Ctrl-C.
    """
    code = _run(arguments)
    if lost := unprinted():
        fail(lost)
        return code or ExitCode.FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    arguments, debug = _take_debug(arguments)
    if "" in arguments or any(a.startswith("--") and a.endswith("=") for a in arguments):
        # As a path it would be the current folder; meant was most likely an unset variable.
        fail(f"One of the arguments is empty. See `{PROGRAM} --help`.")
        return ExitCode.USAGE
    try:
        code = app(arguments, prog_name=PROGRAM, standalone_mode=False)
    except UnmaskError as error:
        for one in (error, *getattr(error, "__notes__", ())):  # the same fault in other places
            fail(one)
        return ExitCode.USAGE if isinstance(error, UsageError) else ExitCode.FAILED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)  # an option without its value has none
        command = context.command_path if context else _asked_for(arguments)
        message = _not_a_number(error) or error.format_message()
        end = "" if message.endswith((".", "?")) else "."
        fail(f"{message}{end} See `{command} --help`.")
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the outermost edge: a sentence, not a traceback
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
            print_no_more(error)  # what has a file is told by those who write it
        else:
            fail(missing.words(error) or _unexpected(error, debug))
        return ExitCode.FAILED
    if code == ExitCode.STOPPED:
        typer.echo("stopped", err=True)
    return int(code or ExitCode.DONE)


def _asked_for(arguments: Sequence[str]) -> str:
    """The command that these are meant for, as it is typed."""
    commands = [name for names in _GROUPS.values() for name in names]
    return " ".join([PROGRAM, *[one for one in arguments if one in commands][:1]])


def _not_a_number(error: typer.TyperException) -> str:
    """What is said of an option that takes a number, and got none; "" of other errors.

    typer hands on what pydantic says, which is not written for people at a command line.
    """
    faults = getattr(error.__cause__, "errors", None)
    option = getattr(error, "param", None)
    if faults is None or option is None:
        return ""
    fault = faults()[0]
    wanted = _NUMBERS.get(fault["type"].partition("_")[0])
    return f"{option.opts[0]} takes {wanted}, not '{fault['input']}'" if wanted else ""


def _unexpected(error: Exception, debug: bool) -> str:
    detail = f"{type(error).__name__}: {error}".rstrip(": ")
    hint = "the lines above" if debug else "what --debug adds to this command"
    return (
        f"This is a fault in {PROGRAM} {__version__}, not in what you asked for ({detail}). "
        f"Please report it in the project's issue tracker, with {hint}."
    )


def main() -> NoReturn:
    """The entry point of the command `realtime-unmask`."""
    for standard in range(3):
        # One that is closed would become the next file that is opened: a result, say, into which
        # a library then writes its messages.
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter of a file name must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    keep_freed_memory()
    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over anyway
    if any(thread.daemon for thread in threading.enumerate()):
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End though daemon threads are stuck inside libraries.

    The interpreter's own end would stop them in the midst of C++, and that aborts the process.
    """
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    for child in multiprocessing.active_children():
        child.terminate()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
