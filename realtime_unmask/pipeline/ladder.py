"""The quality ladder: which work is left out, in which order, when frames come too late."""

from __future__ import annotations

from collections import deque

from realtime_unmask.unmask.effort import Effort

# From the top down. Each leaves out what shows least of what is left: a map or a mesh that is a
# frame old moves along with the face; paint that is a frame old lags behind the light.
RUNGS = (
    Effort(look_every=2, map_every=2, edit_every=1),
    Effort(look_every=3, map_every=3, edit_every=1),
    Effort(look_every=3, map_every=3, edit_every=2),
    Effort(look_every=4, map_every=4, edit_every=3),
)
# Down when frames are not only late but pile up, so that one is passed over for a newer one: in so
# many of the last frames, or in so many of more. What is made up for before the next frame but one
# costs nobody a frame, and is no reason; nor is a single frame that hangs, which counts as so many
# steps at most.
_PASSED_OVER = ((3, 30), (8, 300))
_MOST = 1.5
# Up when the work of a frame stays below this share of the time between two, for so many frames
# in a row. A rung above that proves too slow again is tried ever more rarely.
_EASY, _UP_AFTER = 0.9, 150
_MOST_PATIENCE = 32
# Weight of a new frame in the running mean.
_NEW = 0.15
# Rounding, in steps.
_NEARLY = 1e-6


class Ladder:
    """Chooses the rung from how long frames take. Pure: the caller tells it the time."""

    def __init__(self) -> None:
        self._rung = 0
        self._mean = 0.0  # share of the time between two frames
        self._behind = 0.0  # steps, as the frames that wait for the worker would be
        self._passed_over: deque[bool] = deque(maxlen=_PASSED_OVER[-1][1])
        self._frames = 0  # on this rung
        self._easy = 0
        self._patience = 1  # times _UP_AFTER
        self._climbed = False  # the last change led up

    @property
    def rung(self) -> int:
        """0 at the top."""
        return self._rung

    @property
    def effort(self) -> Effort:
        """How much work the next frame gets."""
        return RUNGS[self._rung]

    def took(self, seconds: float, step_s: float) -> bool:
        """Note how long the work on a frame took; true where the rung has changed.

        Args:
            seconds: that time.
            step_s: seconds between two frames of the camera, above 0.
        """
        self._frames += 1
        share = seconds / step_s
        self._mean += max(_NEW, 1 / self._frames) * (share - self._mean)
        self._behind = max(0.0, self._behind + min(share, _MOST) - 1)
        whole = int(self._behind + _NEARLY)
        self._behind = max(0.0, self._behind - whole)
        self._passed_over.append(whole > 0)
        self._easy = self._easy + 1 if self._mean < _EASY else 0
        if self._climbed and self._frames == _PASSED_OVER[-1][1]:
            self._patience, self._climbed = 1, False  # it holds up here
        if self._piles_up() and self._rung + 1 < len(RUNGS):
            if self._climbed:
                self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._change(1)
            return True
        if self._easy >= _UP_AFTER * self._patience and self._rung > 0:
            self._change(-1)
            return True
        return False

    def notice(self) -> str | None:
        """A sentence for the person; None at the top."""
        if self._rung == 0:
            return None
        if self.effort.edit_every > 1:
            return "This computer is busy: the paint is renewed less often."
        return "This computer is busy: the mask is looked for less often."

    def _piles_up(self) -> bool:
        newest_first = list(reversed(self._passed_over))
        return any(sum(newest_first[:last]) >= most for most, last in _PASSED_OVER)

    def _change(self, by: int) -> None:
        self._rung += by
        self._climbed = by < 0
        self._frames = self._easy = 0
        self._behind = 0.0
        self._passed_over.clear()
