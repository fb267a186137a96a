"""Which files an input has in the end, and which of them are there already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from realtime_unmask.sinks.targets import Target, targets_of


@dataclass(frozen=True, slots=True)
class Job:
    """One photo or video to unmask.

    Attributes:
        source: what is read.
        result, map: its files; map None if not asked for.
        given_map: where to paint, of a photo; None: where the network says.
        kept: of its files those that are there already and stay as they are.
    """

    source: Path
    result: Path
    map: Path | None = None
    given_map: Path | None = None
    kept: tuple[Path, ...] = ()

    @property
    def targets(self) -> Iterator[Target]:
        """All of its files, also those that are kept."""
        return targets_of(self.source, self.result, self.map)

    @property
    def written(self) -> tuple[Path, ...]:
        """Those of its files that are to be written; none: it is done."""
        return tuple(one.path for one in self.targets if one.path not in self.kept)

    @property
    def written_result(self) -> Path | None:
        """The result; None where it is kept."""
        return self.result if self.result in self.written else None

    @property
    def written_map(self) -> Path | None:
        """The map; None where it is kept, or not asked for."""
        return self.map if self.map in self.written else None

    def keeping(self) -> Job:
        """The same, with all that is there kept."""
        return replace(self, kept=tuple(path for path in self.written if path.is_file()))
