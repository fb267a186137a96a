"""The cache of compiled engines, in the user's own cache folder.

A compiled engine is an executable artefact: whoever can write one runs code here. So the folder
belongs to this user alone (0700), a file is named by the digest of all that it depends on, and
its SHA-256, kept in a file beside it, is compared before a byte of it is parsed. That finds damage
and mix-ups; against somebody who may write to the folder nothing but its permissions helps.

    NAME.plan    what was compiled
    NAME.json    its SHA-256, and in words what it was compiled from and for
    NAME.lock    held while it is made, so that two programs do not make it twice

Whatever is wrong with the cache costs time, never the work: one line says so, and the engine is
compiled anew. A machine without a home folder, or with a read-only one, does without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import platformdirs

from realtime_unmask import __version__

MAX_BYTES = 512 * 2**20
# Of more than this those go that were not used for longest; each network needs a few.
MAX_ENTRIES = 32
# Longer than the slowest build that was heard of; then the other process is taken for stuck.
LOCK_TIMEOUT_S = 900.0
_MAX_SIDECAR = 2**16
_POLL_S = 0.05

_log = logging.getLogger(__name__)
_said: set[str] = set()


@dataclass(frozen=True, slots=True)
class Key:
    """What one compiled engine depends on.

    Attributes:
        kind: what made it, "tensorrt" for instance; begins the file's name.
        about: everything else that makes another engine of it, in words. The program's version
            is added.
    """

    kind: str
    about: Mapping[str, str]

    @property
    def words(self) -> dict[str, str]:
        """All of it, as it stands in the file beside the plan."""
        return {**self.about, "kind": self.kind, "program": __version__}

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        text = json.dumps(self.words, sort_keys=True).encode()
        return f"{self.kind}-{hashlib.sha256(text).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One compiled engine in the cache.

    Attributes:
        path: the .plan file.
        about: what it was made from and for; empty where that cannot be read.
        size: bytes.
        fault: why it will not be used; empty for a sound one.
    """

    path: Path
    about: Mapping[str, str]
    size: int
    fault: str


class PlanCache:
    """Compiled engines on disk.

    Args:
        folder: where; None for a machine that has no such place.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> PlanCache:
        """In this user's cache folder."""
        try:
            place = Path(platformdirs.user_cache_dir("realtime-unmask", appauthor=False))
        except RuntimeError:  # neither HOME nor a user of that number
            return cls(None)
        # Without a home folder the path begins with a literal ~, and would be in the current one.
        return cls(place / "engines" if place.is_absolute() else None)

    def load(self, key: Key) -> bytes | None:
        """What was stored under `key`, checked; None where there is nothing, or nothing sound."""
        found, fault = self._taken(key)
        if fault:
            _say(f"A compiled engine is made anew: {fault}")
        return found

    def prepare(self) -> bool:
        """Is there a folder to write to? Made if need be; where it cannot be, a line says so."""
        if self.folder is None:
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fault = _unsafe(self.folder)
        except OSError as error:
            fault = f"{self.folder} cannot be used ({error.strerror})."
        effective = os.access in os.supports_effective_ids
        if not fault and not os.access(self.folder, os.W_OK | os.X_OK, effective_ids=effective):
            fault = f"{self.folder} cannot be written to."
        if fault:
            _say(f"Compiled engines are not kept: {fault}")
        return not fault

    def store(self, key: Key, data: bytes) -> bool:
        """Keep `data`; False, and a line said, where that cannot be done."""
        if not self.prepare() or self.folder is None:
            return False
        about = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "key": key.words}
        plan = self.folder / f"{key.name}.plan"
        try:
            # A plan that nothing says anything of would be a fault to a program beside this one.
            sidecar = json.dumps(about, indent=1).encode()
            _write({plan.with_suffix(".json"): sidecar, plan: data})
        except OSError as error:
            _say(f"{plan} cannot be written ({error.strerror}); it is compiled at each start.")
            return False
        self._tidy()
        return True

    def fetch(self, key: Key, build: Callable[[], bytes]) -> bytes:
        """What was stored under `key`, or else what `build` gives, which is then stored.

        Of several processes that ask at once, one builds and the others wait for it.
        """
        found, _ = self._taken(key)
        if found is not None:
            return found
        if not self.prepare() or self.folder is None:
            return build()
        with _locked(self.folder / f"{key.name}.lock"):
            # Only now is what is wrong there surely not another process in mid-write.
            found = self.load(key)
            if found is None:
                found = build()
                self.store(key, found)
        return found

    def drop(self, key: Key, data: bytes, why: str) -> bool:
        """Remove `data`, found under `key` and of no use, and say why; False if it is there yet.

        What another process stored there meanwhile stays.
        """
        _say(f"A compiled engine is made anew: {why}")
        if self.folder is not None and self._read(key.name, key.words)[0] == data:
            _remove(self.folder / f"{key.name}.plan", ".plan", ".json")
        return self._read(key.name, key.words)[0] != data

    def forget(self, kind: str) -> None:
        """Remove all that was stored under keys of that kind, as far as that can be done."""
        with suppress(OSError):
            for plan in self._files(".plan"):
                if plan.name.startswith(f"{kind}-"):
                    _remove(plan, ".plan", ".json")

    def entries(self) -> list[Entry]:
        """All that is stored, each checked.

        Raises:
            OSError: the folder cannot be looked into.
        """
        made = []
        for plan in self._files(".plan"):
            _, fault = self._read(plan.stem, None)
            about = _sidecar(plan.with_suffix(".json")).get("key")
            words = {str(k): str(v) for k, v in about.items()} if isinstance(about, dict) else {}
            try:
                size = plan.stat().st_size
            except OSError:
                continue
            made.append(Entry(plan, words, size, fault))
        return made

    def clean(self) -> int:
        """Remove everything; the number of engines that were removed.

        Raises:
            OSError: something cannot be removed.
        """
        plans = self._files(".plan")
        for path in self._files(".plan", ".json", ".lock", ".partial"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return len(plans)

    def _taken(self, key: Key) -> tuple[bytes | None, str]:
        """As `_read`, for use: what was used last is thrown away last."""
        found, fault = self._read(key.name, key.words)
        if found is not None and self.folder is not None:
            with suppress(OSError):
                os.utime(self.folder / f"{key.name}.plan")
        return found, fault

    def _read(self, name: str, words: Mapping[str, str] | None) -> tuple[bytes | None, str]:
        """(content, "") or (None, what is wrong); (None, "") where there is nothing.

        Args:
            name: the file's, without ending.
            words: what it must have been made for; None to take any.
        """
        if self.folder is None:
            return None, ""
        plan = self.folder / f"{name}.plan"
        try:
            if not os.path.lexists(plan):
                return None, ""
            fault = _unsafe(self.folder)
            if fault:
                return None, fault
            about = _sidecar(plan.with_suffix(".json"))
            if words is not None and about.get("key") != words:
                return None, f"{plan} was made for something else, or nothing says for what."
            data = _content(plan, MAX_BYTES)
        except OSError as error:
            return None, f"{plan} cannot be read ({error.strerror})."
        if hashlib.sha256(data).hexdigest() != about.get("sha256"):
            return None, f"{plan} is damaged (its SHA-256 differs)."
        return data, ""

    def _files(self, *endings: str) -> list[Path]:
        if self.folder is None or not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.suffix in endings)

    def _tidy(self) -> None:
        """Drop the engines that are too many, and what a killed program left half written."""
        with suppress(OSError):
            for partial in self._files(".partial"):
                if time.time() - partial.stat().st_mtime > LOCK_TIMEOUT_S:
                    partial.unlink()
            plans = sorted(self._files(".plan"), key=lambda path: path.stat().st_mtime_ns)
            for plan in plans[:-MAX_ENTRIES]:
                _remove(plan, ".plan", ".json", ".lock")


def _remove(plan: Path, *endings: str) -> None:
    """The files of one engine with these endings, as far as that can be done."""
    for ending in endings:
        with suppress(OSError):
            plan.with_suffix(ending).unlink()


def _unsafe(folder: Path) -> str:
    """Why the folder is not this user's alone; empty if it is. Tightens what can be tightened."""
    if sys.platform == "win32":  # there the profile's own permissions keep others out
        return ""
    about = folder.stat()
    if about.st_uid != os.geteuid():
        return f"{folder} belongs to another user."
    if about.st_mode & 0o077:
        folder.chmod(0o700)
    return ""


def _content(path: Path, limit: int) -> bytes:
    """The content of an ordinary file. Raises OSError, also where it is none or too large."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(0, "it is no ordinary file")
    if about.st_size > limit:
        raise OSError(0, "it is too large")
    return path.read_bytes()


def _sidecar(path: Path) -> dict[str, Any]:
    """What stands in the file beside a plan; empty where there is none, or not of that form."""
    try:
        table = json.loads(_content(path, _MAX_SIDECAR))
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _write(files: Mapping[Path, bytes]) -> None:
    """All of them, in this order; at each moment the old or the new one is complete at each path.

    Raises:
        OSError: one cannot be written; where the disk is full, all are as they were.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"  # two threads may make the same at once
    partials = {path: path.with_name(f"{path.name}.{writer}.partial") for path in files}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    try:
        for path, data in files.items():
            with open(os.open(partials[path], flags, 0o600), "wb") as file:
                file.write(data)
        for path, partial in partials.items():
            partial.replace(path)
    finally:
        for partial in partials.values():  # of those that could not be written
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """While one process is inside, the others wait; without locks, or too long, they go on."""
    try:
        file = path.open("ab")
    except OSError as error:
        _say(f"{path} cannot be opened ({error.strerror}); another program may do the same work.")
        yield
        return
    with file:
        until = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(file) and time.monotonic() < until:
            time.sleep(_POLL_S)
        yield  # closing the file gives the lock back


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # Windows says "taken" so; a file system without locks says others
        return sys.platform != "win32" or error.errno not in (13, 36)
    return True


def _say(text: str) -> None:
    """One line for the person, once: both networks meet the same fault."""
    if text not in _said:
        _said.add(text)
        _log.warning("%s", text)
