"""The quality ladder: which work is left out, in which order, when frames come too late."""

from __future__ import annotations

from realtime_unmask.unmask.effort import Effort

# From the top down. Each leaves out what shows least of what is left: a map or a mesh that is a
# frame old moves along with the face; paint that is a frame old lags behind the light.
RUNGS = (
    Effort(look_every=2, map_every=2, edit_every=1),
    Effort(look_every=3, map_every=3, edit_every=1),
    Effort(look_every=3, map_every=3, edit_every=2),
    Effort(look_every=4, map_every=4, edit_every=3),
)
# Down when the work of a frame exceeds this share of the time between two frames, up below the
# other one, each after so many frames in a row: down within half a second, up after some. A rung
# above that proves too slow again is tried ever more rarely.
_TOO_SLOW, _EASY = 0.95, 0.9
_DOWN_AFTER, _UP_AFTER = 12, 150
_MOST_PATIENCE = 32
# Weight of a new frame in the running mean: one slow frame is no reason.
_NEW = 0.15


class Ladder:
    """Chooses the rung from how long frames take. Pure: the caller tells it the time."""

    def __init__(self) -> None:
        self._rung = 0
        self._mean = 0.0  # share of the time between two frames
        self._frames = 0  # on this rung
        self._slow = self._easy = 0
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
        weight = max(_NEW, 1 / self._frames)
        self._mean += weight * (seconds / step_s - self._mean)
        self._slow = self._slow + 1 if self._mean > _TOO_SLOW else 0
        self._easy = self._easy + 1 if self._mean < _EASY else 0
        if self._climbed and self._frames == _UP_AFTER:
            self._patience, self._climbed = 1, False  # it holds up here
        if self._slow >= _DOWN_AFTER and self._rung + 1 < len(RUNGS):
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

    def _change(self, by: int) -> None:
        self._rung += by
        self._climbed = by < 0
        self._frames = self._slow = self._easy = 0
