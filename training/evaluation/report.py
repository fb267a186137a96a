"""Tables as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

from realtime_unmask.types import UInt8


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table: one line for each row, a column for each measure that any row has."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, row in rows.items():
        cells = ["" if isnan(row.get(c, nan)) else f"{row[c]:.4g}" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def document(title: str, parts: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Markdown with one table for each part."""
    sections = [f"### {name}\n\n{table(rows)}" for name, rows in parts.items()]
    return "\n\n".join([f"## {title}", *sections]) + "\n"


def save(path: Path, values: dict[str, Any], text: str) -> None:
    """`values` as JSON into `path`, null for what is no number; `text` beside it as Markdown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(values), indent=2, allow_nan=False) + "\n")
    path.with_suffix(".md").write_text(text)


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and isnan(value) else value


def some(cells: Sequence[UInt8], count: int) -> list[UInt8]:
    """About `count` of the cells, evenly taken; all if there are fewer."""
    return list(cells[:: max(1, len(cells) // count)])[:count]
