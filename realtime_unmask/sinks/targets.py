"""What is to be written where: not over an input, and no two things to one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from realtime_unmask.errors import UsageError
from realtime_unmask.sinks.partial import identity, same_name


@dataclass(frozen=True, slots=True)
class Target:
    """A file that is to be written.

    Attributes:
        owner: the input that it is made of.
        path: the file.
        purpose: what it will be, as a sentence begins: "The result of a.png".
    """

    owner: Path
    path: Path
    purpose: str


def targets_of(source: Path, result: Path | None, maps: Path | None) -> Iterator[Target]:
    """What `source` becomes; None for what is not to be written."""
    if result is not None:
        yield Target(source, result, f"The result of {source}")
    if maps is not None:
        yield Target(source, maps, f"The map of {source}")


def check_apart(targets: Sequence[Target], inputs: Iterable[Path]) -> None:
    """Does each of `targets` have a file of its own, and none that of an input?

    Raises:
        UsageError: no. Of each two inputs that would land on one name a sentence says so; those
            after the first are notes of the error, so that all can be mended in one go.
    """
    read = {identity(path): path for path in inputs}
    for target in targets:
        replaced = read.get(identity(target.path))
        if replaced is not None:
            raise UsageError(
                f"{target.purpose} would replace {replaced}, which is an input. "
                "Choose another name or folder."
            )
    written: dict[str, Target] = {}
    clashes: dict[tuple[Path, Path], str] = {}  # one for each pair: their maps clash like them
    for target in targets:
        first = written.setdefault(same_name(Path(os.path.realpath(target.path))), target)
        if first is not target:
            purpose = target.purpose[0].lower() + target.purpose[1:]
            clashes.setdefault(
                (first.owner, target.owner),
                f"{first.purpose} and {purpose} would both be written to {target.path}. "
                "Rename one, or use two folders.",
            )
    if clashes:
        sentence, *more_sentences = clashes.values()
        error = UsageError(sentence)
        for one in more_sentences:
            error.add_note(one)
        raise error


def check_folders(output: Path, maps: Path | None) -> None:
    """Do results and maps, which have the same names, go to two folders?

    Raises:
        UsageError: no.
    """
    if maps is not None and identity(maps) == identity(output):
        raise UsageError(
            f"The results and the maps would land in one folder, {output}, under the same names. "
            "Choose another folder for the maps."
        )
