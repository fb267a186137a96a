"""Gets the GPU ready while the program already works on the CPU.

    with Standby(settings) as standby:            # a process of its own: building takes minutes
        for line in standby.lines():              # what it is doing, for the person
            ...
        if standby.found:                         # then `settings` gives the faster engines at once

The caller brings the thread that waits, and lets a second worker load and warm the engines before
it takes over. Plans and the choice reach this process through the cache, checked as always.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from realtime_unmask import resources
from realtime_unmask.closing import Closing
from realtime_unmask.errors import EngineError, OutputError, UnmaskError
from realtime_unmask.inference import cuda
from realtime_unmask.inference.choice import is_built
from realtime_unmask.inference.engine import (
    ON_GPU,
    NetworkFiles,
    backend,
    load_engine,
    version,
)
from realtime_unmask.inference.manifest import INPUTS, Network
from realtime_unmask.inference.plans import PlanCache
from realtime_unmask.inference.spec import EngineSpec
from realtime_unmask.inference.tensorrt import stored_or_built
from realtime_unmask.inference.tensorrt_build import RTX, TENSORRT, Flavour, precision
from realtime_unmask.inference.torch import is_apple
from realtime_unmask.settings import Settings

FLAVOURS = {flavour.name: flavour for flavour in (TENSORRT, RTX)}
_COMMAND = (sys.executable, "-m", "realtime_unmask.inference.standby")
_STOP_S = 2.0


def may_gain(settings: Settings) -> bool:
    """Is there a GPU that "auto" could use, and something installed that uses it?

    Asked before anything is imported; whether it works, the standby finds out.
    """
    if settings.backend != "auto":
        return False
    return any(map(version, ON_GPU)) and (is_apple() or cuda.card_or_none() is not None)


class Standby(Closing):
    """The process that builds the plans and chooses, for one Settings.

    `lines` and what it sets belong to one thread; `close` may be called from another, and ends
    `lines`.

    Attributes:
        completed: it came to a choice.
        found: a GPU serves best.
        missed: why plans that this would take are not there, and what to do; empty if they are.
    """

    def __init__(self, settings: Settings) -> None:
        self.completed = self.found = False
        self.missed = ""
        self._stopped = self._reading = False
        self._lock = threading.Lock()  # `lines` begins, or `close` is first
        self._process = subprocess.Popen(
            [*_COMMAND, json.dumps(asdict(settings))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",  # what a library prints may be in any encoding
            env=resources.child_environment(),
        )

    def lines(self) -> Iterator[str]:
        """What it is doing, as sentences; ends when it is done.

        A process that ends too soon gives a line that says so: the CPU goes on.
        """
        assert self._process.stdout is not None
        with self._lock:
            if self._stopped:
                return
            self._reading = True
        with self._process.stdout as stream:
            for line in stream:
                told = _table(line)
                if "chosen" in told:
                    self.completed = True
                    self.found = any(name in ON_GPU for name in told["chosen"].values())
                elif "missed" in told:
                    self.missed = str(told["missed"])
                elif "say" in told:
                    yield str(told["say"])
        code = self._process.wait()
        if not self.completed and not self._stopped:
            yield f"Getting the GPU ready failed (exit code {code}); the CPU goes on."

    def close(self) -> None:
        """End the process, done or not; safe to call again."""
        with self._lock:
            self._stopped = True
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._reading and self._process.stdout is not None:
            self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Job:
    """One plan to be built.

    Attributes:
        words: which, for people.
    """

    words: str
    _flavour: Flavour
    _spec: EngineSpec
    _files: NetworkFiles
    _card: cuda.Card | str

    def is_there(self) -> bool:
        """Is it in the cache already, and sound?"""
        key = self._flavour.plan_key(self._spec, self._files, self._card)
        return PlanCache.default().load(key) is not None

    def is_taken(self, settings: Settings) -> bool:
        """Is it there, and taken? With "auto" in the settings, else it is built now."""
        return is_built(self._flavour.name, self._spec, self._files, settings)

    def run(self) -> int:
        """Build it into the cache; the plan's size in bytes.

        Raises:
            EngineError: it cannot be built.
            OutputError: it cannot be kept; where that shows beforehand, nothing was built.
        """
        cache = PlanCache.default()
        if cache.prepare():
            plan, _ = stored_or_built(self._flavour, self._spec, self._files, self._card, cache)
            if self.is_there():
                return len(plan)
        raise OutputError(
            f"What is built for {self.words} cannot be kept"
            + (f" in {cache.folder}. Look at its permissions and the room on its disk."
               if cache.folder else ": this user has no cache folder. Set HOME.")
        )  # fmt: skip


def jobs(flavour: Flavour, settings: Settings, sm: str = "") -> Iterator[Job]:
    """The plans of both networks.

    Args:
        sm: "sm_86" for instance, for cards that are not here; empty for the one that is.

    Raises:
        EngineUnavailable: the package or the card is missing.
        EngineDamaged: a network's file is.
    """
    card = sm or cuda.card()
    package = f"{flavour.label} {flavour.module().__version__}"
    for network in INPUTS:
        files = NetworkFiles.read(network)
        entry = files.entry
        spec = EngineSpec(network, entry.inputs, entry.outputs, precision=precision(settings))
        where = card if isinstance(card, str) else card.sm
        words = f"{network}, {package}, {where}, {spec.precision}"
        yield Job(words, flavour, spec, files, card)


def main(arguments: list[str]) -> int:
    """What the process does; each line it prints is a JSON table, {"say": "..."} for a person.

    {"missed": "..."} is for one too, once all is done.
    """
    settings = Settings(**json.loads(arguments[0]))
    for name, flavour in FLAVOURS.items():
        try:
            backend(name).probe()
            for job in jobs(flavour, settings):
                if not job.is_taken(settings):
                    _tell(say=f"Building for the GPU: {job.words}")
                    job.run()
        except EngineError as error:
            if version(name):  # what is not installed is not missed
                _tell(say=f"{flavour.label} is passed over: {error}")
        except OutputError as error:  # each start would build for nothing
            _tell(missed=f"{flavour.label} is passed over: {error}")
    _tell(say="Trying which is fastest")
    networks: tuple[Network, ...] = tuple(INPUTS)
    chosen = {}
    for network in networks:
        try:
            with load_engine(network, settings) as engine:
                chosen[network] = engine.backend
        except UnmaskError as error:
            _tell(say=str(error))
            return 1
    _tell(chosen=chosen)
    return 0


def _table(line: str) -> dict[str, Any]:
    """What one line of the process says; empty for something that a library printed."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
