"""Training steps as CUDA graphs.

A step of these small networks is thousands of launches, for which the card waits most of the time.
Recorded once, all of them are one launch (torch.cuda.CUDAGraph).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

Batch = dict[str, Tensor]
Losses = dict[str, Tensor]
# Steps that run unrecorded first: libraries choose their algorithms, optimisers make their state.
WARM_UP = 3
# Recordings that are kept, each with its own memory: steps that ask for agreement, and others.
KEPT = 2


@dataclass(slots=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: Batch
    losses: Losses

    def play(self, batch: Batch) -> Losses:
        for name, value in batch.items():
            self.inputs[name].copy_(value)
        self.graph.replay()
        return self.losses


class Recorder:
    """Runs steps; from the fourth of one form on, by its recording.

    Args:
        on: without it every step runs as it is written; never with it on a CPU.
    """

    def __init__(self, on: bool) -> None:
        self.on = on
        self._seen: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, _Recording] = {}
        # One for all steps: torch keeps memory for each stream.
        self._stream = torch.cuda.Stream() if on else None

    def __call__(
        self, form: Hashable, work: Callable[[Batch], Losses], batch: Batch
    ) -> Losses:
        """Do one step.

        Args:
            form: everything that `work` goes by and that is not a tensor of `batch`: steps of one
                form have the same launches.
            work: the step. It may wait for nothing on the card, and draw no random numbers.

        Returns:
            What `work` returned; valid until the next step.
        """
        if not self.on:
            return work(batch)
        if form not in self._recordings:
            self._seen[form] += 1
            if self._seen[form] <= WARM_UP:
                return self._aside(work, batch)
            while len(self._recordings) >= KEPT:
                del self._recordings[next(iter(self._recordings))]
            try:
                self._recordings[form] = _record(work, batch)
            except RuntimeError as error:
                print(f"Steps are not recorded from here on, which is slower: {error}", flush=True)
                self.on = False
                self._recordings.clear()
                torch.cuda.synchronize()
                return work(batch)
        return self._recordings[form].play(batch)

    def _aside(self, work: Callable[[Batch], Losses], batch: Batch) -> Losses:
        """On a stream of its own, as the recording will be."""
        assert self._stream is not None
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            losses = work(batch)
        torch.cuda.current_stream().wait_stream(self._stream)
        return losses


def _record(work: Callable[[Batch], Losses], batch: Batch) -> _Recording:
    """Nothing is computed yet."""
    inputs = {name: value.clone() for name, value in batch.items()}
    graph = torch.cuda.CUDAGraph()
    # The thread that pins the next batches may go on.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        losses = work(inputs)
    return _Recording(graph, inputs, losses)

