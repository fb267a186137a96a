"""What is said above the picture just now, and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from realtime_unmask.ui import problems
from realtime_unmask.ui.notices import Said
from realtime_unmask.ui.studio import Problem

_FADE_MS = 12_000  # good news stays for so long


class Sayings(QObject):
    """The notices of now, one for each key.

    Signals:
        changed(tuple of Said): exactly these.

    Attributes:
        fade: takes the good news away.
    """

    changed = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._said: dict[str, Said] = {}
        self._ended: set[Problem] = set()  # said already, and still reported
        self.fade = QTimer(self)
        self.fade.setInterval(_FADE_MS)
        self.fade.setSingleShot(True)
        self.fade.timeout.connect(self._forget_good_news)

    @property
    def now(self) -> tuple[Said, ...]:
        """What is said now."""
        return tuple(self._said.values())

    def say(self, said: Said) -> None:
        """Say something until it is closed; good news fades by itself."""
        self._said.pop(said.key, None)
        self._said[said.key] = said
        if not said.grave:
            self.fade.start()
        self.changed.emit(self.now)

    def say_problems(self, found: Sequence[Problem], ended: Callable[[str], bool]) -> None:
        """Say what is the matter now, in place of what was.

        Args:
            found: all of it.
            ended: called with the name of an output that has ended; was it on until now?
        """
        self._drop_passing()
        for problem in found:
            if problem.output:
                # It has ended for good: said until it was read, and not again after that.
                if ended(problem.output) or problem not in self._ended:
                    self._said[problem.output] = problems.said(problem.output, problem)
            else:
                key = f"live {problem.kind}"
                self._said[key] = problems.said(key, problem, passing=True)
        self._ended = {problem for problem in found if problem.output}
        self.changed.emit(self.now)

    def retranslate(self) -> None:
        """Say what is the matter in the language of now; good news fades soon."""
        self._said = {
            key: problems.said(key, said.matter, passing=said.passing) if said.matter else said
            for key, said in self._said.items()
        }
        self.changed.emit(self.now)

    def forget(self, key: str) -> None:
        """That one was read, or is over."""
        if self._said.pop(key, None) is not None:
            self.changed.emit(self.now)

    def forget_passing(self) -> None:
        """What passes by itself is over."""
        self._drop_passing()
        self.changed.emit(self.now)

    def _drop_passing(self) -> None:
        self._said = {key: said for key, said in self._said.items() if not said.passing}

    def _forget_good_news(self) -> None:
        self._said = {key: said for key, said in self._said.items() if said.grave or said.passing}
        self.changed.emit(self.now)
