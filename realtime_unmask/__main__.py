"""Where the command `realtime-unmask` begins; `python -m realtime_unmask` is the same."""

from __future__ import annotations

import math
import signal
import sys
import time
from typing import Any, NoReturn

from realtime_unmask import missing

# Somebody who is in a hurry presses Ctrl-C again; what is being tidied up must not suffer.
_AGAIN_S = 2.0
_stopped_at = -math.inf


def main() -> NoReturn:
    """Do what the command line asks; Ctrl-C ends it with a word, also while it is loading."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    if sys.version_info[:2] < missing.PYTHONS[0]:
        sys.exit(f"error: {missing.wrong_python()}")
    try:
        try:
            from realtime_unmask.cli import main as command
        except ImportError as error:
            lacking = missing.words(error)
            if not lacking:
                raise
            sys.exit(f"error: {lacking}")
        command()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("stopped", file=sys.stderr)
        sys.exit(130)


def _stop(*_: Any) -> None:
    global _stopped_at
    if time.monotonic() - _stopped_at >= _AGAIN_S:
        _stopped_at = time.monotonic()
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
