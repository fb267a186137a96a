"""The figures of a live session, with memory for the last frames only."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping

import numpy as np

_WINDOW_NS = 2 * 10**9
_LAST = 300


class Rate:
    """Events a second over the last two seconds; not thread-safe."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=1000)

    def add(self, now_ns: int) -> None:
        """One more."""
        self._times.append(now_ns)

    def value(self, now_ns: int) -> float:
        """Events a second; 0 when the last one is older than the window."""
        recent = [t for t in self._times if now_ns - t <= _WINDOW_NS]
        if len(recent) < 2:
            return 0.0
        # Up to now, not up to the last one: a rate that has stopped falls to 0.
        return len(recent) / (max(now_ns - recent[0], 1) / 1e9)


class Meter:
    """Counts frames and times them; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.captured = 0
        self.shown = 0
        self.drops: Counter[str] = Counter()
        self._in, self._out = Rate(), Rate()
        self._ages: deque[float] = deque(maxlen=_LAST)
        self._stages: deque[Mapping[str, int]] = deque(maxlen=60)

    def came(self, frames: int = 1) -> None:
        """The source saw so many frames more."""
        with self._lock:
            self.captured += frames
            for _ in range(min(frames, 1000)):
                self._in.add(time.perf_counter_ns())

    def drop(self, cause: str, frames: int = 1) -> None:
        """So many frames will not be shown."""
        with self._lock:
            if frames:
                self.drops[cause] += frames

    def went(self, captured_ns: int, stages: Mapping[str, int]) -> None:
        """One frame was finished; `stages` in ns."""
        with self._lock:
            now = time.perf_counter_ns()
            self.shown += 1
            self._out.add(now)
            self._ages.append((now - captured_ns) / 1e6)
            self._stages.append(stages)

    def rates(self) -> tuple[float, float]:
        """Frames a second in and out."""
        with self._lock:
            now = time.perf_counter_ns()
            return self._in.value(now), self._out.value(now)

    def ages_ms(self) -> tuple[float, float]:
        """Median and 95th percentile; zeros before the first frame."""
        with self._lock:
            if not self._ages:
                return 0.0, 0.0
            p50, p95 = np.percentile(np.array(self._ages), [50, 95])
            return float(p50), float(p95)

    def stages_ms(self) -> dict[str, float]:
        """Mean by stage, in the order in which they first came."""
        with self._lock:
            sums: dict[str, float] = {}
            for stages in self._stages:
                for name, spent in stages.items():
                    sums[name] = sums.get(name, 0.0) + spent / 1e6
            return {name: total / len(self._stages) for name, total in sums.items()}

    def books(self) -> tuple[int, int, dict[str, int]]:
        """(captured, shown, drops) of one moment."""
        with self._lock:
            return self.captured, self.shown, dict(self.drops)
