"""`engines`: the compiled engines in the user's cache: list, build, verify, clean."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_unmask.cli.common import ExitCode, count, fail, say
from realtime_unmask.errors import EngineError, EngineUnavailable, OutputError, UsageError
from realtime_unmask.settings import Settings

if TYPE_CHECKING:
    from realtime_unmask.inference.plans import Entry, PlanCache
    from realtime_unmask.inference.tensorrt_build import Flavour

app = typer.Typer(
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Cards = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="SM,...",
        help="Cards that need not be here, by compute capability: sm_86,sm_89,sm_120. "
        "Needs tensorrt-rtx; without this option, the card in this machine.",
    ),
]


@app.callback(invoke_without_command=True)
def _start(ctx: typer.Context) -> None:
    """List, build, verify or clean the compiled engines of this user."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)


@app.command("list")
def list_engines() -> int:
    """Say what there is, and for what."""
    entries = _entries()
    say(f"In {_cache().folder or 'no folder: this user has no cache'}:")
    for entry in entries:
        say(f"  {_about(entry)}")
    say(f"{count(len(entries), 'file')}, {_mb(sum(entry.size for entry in entries))}")
    return ExitCode.DONE


@app.command("build")
def build_engines(cards: Cards = "") -> int:
    """Build the TensorRT engines, for the card here or for others."""
    built = _build_for(_capabilities(cards)) if cards else _build_here()
    say(f"{count(built, 'engine')} built; they are in {_cache().folder}")
    return ExitCode.DONE


@app.command("verify")
def verify_engines() -> int:
    """Check the digests; exit code 1 if one differs."""
    entries = _entries()
    damaged = [entry for entry in entries if entry.fault]
    for entry in entries:
        say(f"  {_about(entry)}")
    if damaged:
        fail(
            f"{len(damaged)} of {count(len(entries), 'file')} will not be used, but made anew. "
            "Remove them with `realtime-unmask engines clean`."
        )
        return ExitCode.FAILED
    say(f"{count(len(entries), 'file')}, all sound" if entries else "There is nothing yet.")
    return ExitCode.DONE


@app.command("clean")
def clean_engines() -> int:
    """Remove all; what is needed is made anew."""
    size = sum(entry.size for entry in _entries())
    try:
        removed = _cache().clean()
    except OSError as error:
        raise OutputError(
            f"{error.filename} cannot be removed ({error.strerror}). Remove it yourself."
        ) from error
    say(f"{count(removed, 'file')} removed, {_mb(size)}")
    return ExitCode.DONE


def _build_for(capabilities: list[str]) -> int:
    from realtime_unmask.inference.tensorrt_build import RTX

    return sum(_build(RTX, sm) for sm in capabilities)


def _build_here() -> int:
    """For the card here, with each TensorRT that is installed. Raises EngineUnavailable."""
    from realtime_unmask.inference import cuda
    from realtime_unmask.inference.standby import FLAVOURS

    cuda.card()
    built, reasons = 0, []
    for name, flavour in FLAVOURS.items():
        try:
            built += _build(flavour, "")
        except EngineError as error:
            reasons.append(f"{name}: {error}")
    if len(reasons) == len(FLAVOURS):
        raise EngineUnavailable(f"No engine can be built here. {' '.join(reasons)}")
    for reason in reasons:
        say(f"  {reason}")
    return built


def _build(flavour: Flavour, sm: str) -> int:
    """Both networks; how many had to be built.

    Raises:
        EngineError: one cannot be built.
        OutputError: it cannot be kept.
    """
    from realtime_unmask.inference.standby import jobs

    built = 0
    for job in jobs(flavour, Settings(), sm):
        if job.is_there():
            say(f"  {job.words}: is there")
            continue
        began = time.perf_counter()
        size = job.run()
        say(f"  {job.words}: {_mb(size)}, built in {time.perf_counter() - began:.1f} s")
        built += 1
    return built


def _capabilities(cards: str) -> list[str]:
    found = [card.strip().lower() for card in cards.split(",") if card.strip()]
    wrong = [card for card in found if not card.startswith("sm_") or not card[3:].isdigit()]
    if wrong or not found:
        raise UsageError(
            f"--for takes compute capabilities such as sm_86,sm_89, not '{', '.join(wrong)}'."
        )
    return found


def _cache() -> PlanCache:
    from realtime_unmask.inference.plans import PlanCache

    return PlanCache.default()


def _entries() -> list[Entry]:
    cache = _cache()
    try:
        return cache.entries()
    except OSError as error:
        raise OutputError(
            f"{cache.folder} cannot be read ({error.strerror}). Look at its permissions."
        ) from error


def _about(entry: Entry) -> str:
    about = entry.about
    keys = ("kind", "network", "card", "gpu", "device", "precision")
    words = [about.get(key, "") for key in keys]
    version = next((f"{k} {v}" for k, v in about.items() if k == about.get("kind")), "")
    state = entry.fault or "sound"
    return ", ".join(w for w in [*words, version, _mb(entry.size), state] if w)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
