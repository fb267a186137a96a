"""`python main.py ...` is the command `realtime-unmask ...`, straight from a checkout."""

from __future__ import annotations

from realtime_unmask.__main__ import main

if __name__ == "__main__":
    main()
