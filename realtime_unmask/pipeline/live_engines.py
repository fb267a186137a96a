"""The unmaskers of a live session: the one at work, those that are to follow, and the stand-in."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from realtime_unmask.errors import EngineLost, UnmaskError, own_fault
from realtime_unmask.inference import standby
from realtime_unmask.pipeline.live_gpu import GpuSearch
from realtime_unmask.pipeline.live_values import Notice
from realtime_unmask.pipeline.live_worker import Host, MakeUnmasker, PassThrough, Turn, Worker
from realtime_unmask.settings import Settings


class Engines:
    """Makes workers, lets the next one take over, and goes on with the CPU where one fails.

    All methods may be called from any thread.

    Args:
        host: the session.
        make: makes the session's own unmasker.

    Attributes:
        turn: who unmasks now.
        current: the worker that has networks, and the turn; None while there is none.
    """

    def __init__(self, host: Host, make: MakeUnmasker) -> None:
        self._host, self._make = host, make
        self._lock = threading.RLock()
        self._said: dict[str, Notice] = {}
        self._gpu: GpuSearch | None = None
        self._ended = False
        self.turn = Turn()
        self.current: Worker | None = None
        self._standby = Worker(host, self.turn, PassThrough, host.settings, standby=True)
        self.turn.holder = self._standby
        self._workers: list[Worker] = [self._standby]

    def start(self) -> None:
        """Show the camera's own picture from now on, until there are networks."""
        self._standby.start()

    def load(self) -> None:
        """Where a GPU may serve better, on the CPU first: getting it ready takes a while."""
        settings = self._host.settings
        if not standby.may_gain(settings):
            self.replace()
            return
        self.replace(replace(settings, backend="cpu"))
        with self._lock:
            if not self._ended:
                self._gpu = GpuSearch(settings, self._gpu_says, self._gpu_found)
                self._gpu.start()

    def replace(self, settings: Settings | None = None) -> None:
        """Build and warm up another unmasker beside the one that runs; it then takes over.

        It does so between two frames, with the memory of the sequence; no frame is lost. If it
        cannot be made, the one that runs goes on, and a notice says why.

        Args:
            settings: to make it with, in place of the session's.
        """
        with self._lock:
            if self._ended:
                return
            self._workers = [one for one in self._workers if one.is_alive()]
            worker = Worker(self._host, self.turn, self._make, settings or self._host.settings)
            self._workers.append(worker)
            self._said.pop("engines", None)
            self._said.pop("engine_lost", None)
            worker.start()

    def end(self) -> None:
        """Begin with nothing more."""
        with self._lock:
            self._ended = True
        if self._gpu is not None:
            self._gpu.stop()

    def wake(self) -> None:
        """Let those that wait for their turn see that the session stops."""
        with self.turn.changed:
            self.turn.changed.notify_all()

    def join(self, until: float) -> list[Notice]:
        """Wait for all to end, to time.monotonic() == `until`; notices of those that do not."""
        with self._lock:
            workers = list(self._workers)
        stuck = []
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
            if worker.is_alive():
                text = "The networks are still at work; they end by themselves."
                stuck.append(Notice("engines_stuck", text))
        return stuck

    def notices(self) -> list[Notice]:
        """What a person should know of them now."""
        with self._lock:
            return list(self._said.values())

    def quality(self, less: str | None) -> None:
        """See live_worker.Host."""
        with self._lock:
            self._said.pop("quality", None)
            if less is not None:
                self._said["quality"] = Notice("quality", less)

    def took_turn(self, worker: Worker) -> None:
        """See live_worker.Host."""
        if worker.standby:
            return
        with self._lock:
            self.current = worker
            self._said.pop("late", None)
            self._said.pop("quality", None)

    def failed(self, worker: Worker, error: Exception) -> None:
        """See live_worker.Host."""
        self.turn.give(self._standby, instead_of=worker)
        if not isinstance(error, UnmaskError):
            error = own_fault(error)
        with self._lock:
            was_running = self.current is worker
            if was_running:
                self.current = None
            # One that was asked for by name; auto has tried the others itself.
            asked_for = self.current is None and worker.settings.backend != "auto"
        cpu = replace(worker.settings, backend="cpu")
        if (was_running or asked_for) and worker.settings.backend != cpu.backend:
            kind = "engine_lost" if isinstance(error, EngineLost) else "engines"
            self.replace(cpu)
            self._say(Notice(kind, f"{error} It goes on with the CPU."))
            return
        going_on = "" if self.current is not None else " The picture is shown as it is."
        self._say(Notice("engines", f"{error}{going_on}", True))

    def look(self) -> None:
        """Is the worker stuck? Then the camera's own picture is shown until it comes back."""
        holder = self.turn.holder
        if holder is not None and holder.is_late and self.turn.pass_over(holder, self._standby):
            text = "The networks take too long: the picture is shown as it is, until they answer."
            self._say(Notice("late", text, True))

    def _gpu_says(self, text: str) -> None:
        with self._lock:
            self._said.pop("gpu", None)
            if text:
                self._said["gpu"] = Notice("gpu", text)

    def _gpu_found(self) -> None:
        if self._host.settings.backend == "auto":  # else something else was chosen meanwhile
            self.replace()

    def _say(self, notice: Notice) -> None:
        with self._lock:
            self._said[notice.kind] = notice
