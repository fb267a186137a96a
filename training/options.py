"""What the options of `python -m training` may be; argparse names the option that is refused."""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from realtime_unmask.errors import UsageError, refusing


def whole(least: int) -> Callable[[str], int]:
    """A whole number from `least` on."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"must be a whole number from {least} on, not {text}")
        return number

    return read


def multiple(of: int, low: int, high: int) -> Callable[[str], int]:
    """A whole multiple of `of` from `low` to `high`."""

    def read(text: str) -> int:
        value = whole(low)(text)
        if value % of or value > high:
            raise ArgumentTypeError(f"must be a multiple of {of} from {low} to {high}, not {text}")
        return value

    return read


def number(low: float, high: float, *, without: tuple[float, ...] = ()) -> Callable[[str], float]:
    """A number from `low` to `high`, but none of `without`."""
    borders = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} on"
    but = "".join(f", but not {one:g}" for one in without)

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high) or value in without:
            raise ArgumentTypeError(f"must be a number from {borders}{but}, not {text}")
        return value

    return read


COUNT = whole(1)
MINUTES = number(0, math.inf, without=(0,))
SHARE = number(0, 1)
WEIGHT = number(0, math.inf)

# Of the fields of the networks' configs; what is not named here may be anything of its type.
CONFIG: dict[str, Callable[[str], int | float]] = {
    "max_minutes": MINUTES,
    "save_minutes": WEIGHT,  # 0: after every step
    "steps": COUNT,
    "batch": COUNT,
    "workers": whole(0),
    "seed": whole(0),
    # A larger one throws every weight away at the first step.
    "rate": number(0, 1, without=(0,)),
    "average": number(0, 1, without=(1,)),
    "size": multiple(32, 64, 256),
    "half_life": whole(0),
    "half_from": whole(0),
    "perceptual": WEIGHT,
    "texture": WEIGHT,
    "content": WEIGHT,
    "whole_from": whole(0),
    "region_from": whole(0),
    "adversarial": WEIGHT,
    "feature": WEIGHT,
    "judge_width": COUNT,
    "grid": WEIGHT,
    "moved": SHARE,
    "agreement": WEIGHT,
}


# From here on a number of steps or minutes says never.
NEVER = 1_000_000


def words(config: type) -> dict[str, str]:
    """What the docstrings of a network's config and its bases say of each field."""
    found: dict[str, str] = {}
    for kind in reversed(config.__mro__):
        listed = (kind.__doc__ or "").partition("Attributes:\n")[2]
        for names, said in re.findall(r"^ {8}(\w[\w, ]*): (.+(?:\n {12}.+)*)", listed, re.M):
            found |= dict.fromkeys(names.split(", "), " ".join(said.split()).rstrip("."))
    return found


def shown_default(value: object) -> str:
    """A field's default as a person reads it."""
    if isinstance(value, int | float) and value >= NEVER:
        return "never"
    return "none" if value is None else str(value)


def picture(text: str) -> Path:
    """The name of a picture that can be written."""
    path = Path(text)
    if path.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise ArgumentTypeError(f"{text} must end in .png, .jpg or .webp")
    return path


def scores(text: str) -> Path:
    """The name of a JSON file; Markdown is written beside it."""
    path = Path(text)
    if path.suffix.lower() == ".md":
        raise ArgumentTypeError(f"{text} is where the Markdown goes; name the JSON file")
    return path


def writable(*files: Path | None) -> None:
    """Make the folders of files that are to be written, before hours are spent on what is in them.

    Raises:
        UsageError: one of them cannot be written.
    """
    for path in filter(None, files):
        with refusing():
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise UsageError(f"{path} is a folder. Name a file.")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UsageError(f"{path} may not be written. Check it and its permissions.")
