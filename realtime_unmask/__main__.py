"""`python -m realtime_unmask` is the command `realtime-unmask`."""

from __future__ import annotations

from realtime_unmask.cli import main

main()
