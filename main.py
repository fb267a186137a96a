"""`python main.py ...` is the command `realtime-unmask ...`, straight from a checkout."""

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 7):  # noqa: UP036  one that cannot even read the program
        sys.exit("error: This program needs Python 3.11 or 3.12, and this one is older.")
    from realtime_unmask.__main__ import main

    main()
