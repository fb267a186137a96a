"""How much memory the process has, and what it does with what was freed."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# The largest blocks that are kept, and how much free memory at the heap's end.
_KEPT_BLOCK = 32 * 2**20
_KEPT_END = 128 * 2**20


def keep_freed_memory() -> None:
    """Reuse the memory of pictures that were freed, instead of asking the system for it anew.

    glibc hands large blocks back as soon as they are free. The next picture of that size then
    costs a page fault for every 4 KB, which is more than what is done with it. Does nothing
    where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    adjust(_M_MMAP_THRESHOLD, _KEPT_BLOCK)
    adjust(_M_TRIM_THRESHOLD, _KEPT_END)


def peak_mb() -> float:
    """The most memory that this process ever had, MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
