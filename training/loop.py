"""What every training run shares: resume, time, checkpoints, log, device, several GPUs.

A run's folder holds last.safetensors (everything that it needs to go on), best.safetensors (the
averaged weights with the highest validation score so far; an editor's begins anew when the
first discriminator joins) and log.csv (a row a checkpoint).

Several GPUs: `torchrun --nproc-per-node 8 -m training train editor ...`. Each process takes its
own samples, and the gradients are averaged after each backward pass.
"""

from __future__ import annotations

import csv
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, distributed, nn

from training import checkpoint, files, transport
from training.losses import NO_NUMBER, StoppedByNan, check_finite
from training.precision import matrix_type

Batch = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How any network is trained.

    Attributes:
        folder: where checkpoints and log are kept.
        weights: a file (a .safetensors of engines/, or a checkpoint) that a new run begins with,
            and that stays its best until it is beaten.
        max_minutes: stop cleanly after so long; the next call goes on.
        steps: stop for good at this step.
        batch: samples a step, for each process.
        workers: processes that paint the samples.
        device: "cpu", "cuda", or "auto".
        seed: of weights and samples.
        save_minutes: time between checkpoints.
    """

    folder: Path
    weights: Path | None = None
    max_minutes: float = 1e9
    steps: int = 1_000_000
    batch: int = 16
    workers: int = 1
    device: str = "auto"
    seed: int = 1
    save_minutes: float = 4.0


class Run(ABC, Generic[Network]):
    """Networks, optimisers and progress of one run; a subclass says what a step is.

    `networks` has "network", which learns, and "average", its moving average, which ships.
    """

    architecture: str

    def __init__(self, config: RunConfig, network: Network, average: Network) -> None:
        self.device = device(config.device)
        torch.backends.cudnn.benchmark = True  # every batch has the same form
        self.world, self.rank = join_others(self.device)
        self.network = channels_last(network.to(self.device))
        self.average = channels_last(average.to(self.device).eval())
        self.networks: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.progress = checkpoint.Progress(seed=config.seed, batch=config.batch * self.world)
        # Whether all losses so far were numbers; for a GPU, whose answers are not waited for.
        self.sound = torch.ones((), dtype=torch.bool, device=self.device)
        self._config = config

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on one batch; the losses by name, detached. Does not count itself."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Figures of the averaged weights; "score" is the one by which the best is chosen.

        Empty where nothing is held out.
        """

    def resume(self) -> None:
        """Go on from the folder's checkpoint, or begin with `weights`, which are to be beaten.

        Raises:
            checkpoint.CheckpointError: damaged, made for another architecture, or of a run with
                another seed or batch.
        """
        path = self._config.folder / "last.safetensors"
        if path.exists():
            self.progress = checkpoint.load(
                path, self.architecture, self.networks, self.optimisers
            )
            self._check_begun()
            if not self._is_finished():
                self.judge_best()
        elif self._config.weights is not None:
            for network in (self.network, self.average):
                checkpoint.load_weights(self._config.weights, self.architecture, network)
            self.progress.warm = True
            if not self.rank:
                self._keep_if_best(self.validate())

    def _is_finished(self) -> bool:
        """Whether all steps are done, which is said: whoever asks for more waits for nothing."""
        config, progress = self._config, self.progress
        if progress.step < config.steps:
            return False
        if not self.rank:
            print(f"{config.folder} is finished: {progress.step} steps are done, and --steps is "
                  f"{config.steps}.", flush=True)  # fmt: skip
        return True

    def _check_begun(self) -> None:
        """Whether the run was begun as it is to go on; of older ones that is not known."""
        config, progress = self._config, self.progress
        for name, now in (("seed", config.seed), ("batch", config.batch * self.world)):
            begun = getattr(progress, name)
            if begun not in (None, now):
                each = f" in {self.world} processes" if name == "batch" and self.world > 1 else ""
                raise checkpoint.CheckpointError(
                    f"{config.folder} was begun with --{name} {begun}, and "
                    f"--{name} {getattr(config, name)}{each} would show it other samples. Go on "
                    "with what it was begun with, or choose another --folder."
                )
            setattr(progress, name, now)
        if config.weights is not None and not self.rank:
            print(f"{config.folder} has begun: it goes on from its own weights, and --weights is "
                  "for new runs.", flush=True)  # fmt: skip

    def judge_best(self) -> None:
        """Score the best weights anew: the painter, or what the score means, may have changed."""
        path = self._config.folder / "best.safetensors"
        self.progress.best = -math.inf
        if self.rank or not path.exists():
            return
        newest = {name: value.clone() for name, value in self.average.state_dict().items()}
        checkpoint.load_weights(path, self.architecture, self.average)
        self.progress.best = self.validate().get("score", -math.inf)
        self.average.load_state_dict(newest)

    def autocast(self) -> AbstractContextManager[None]:
        """bf16 where the hardware has it; the weights stay float32."""
        half = matrix_type(self.device) is torch.bfloat16
        # A recorded step must not find weights that were narrowed outside of it.
        cached = self.device.type == "cpu"
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=half, cache_enabled=cached
        )

    def descend(
        self, loss: Tensor, network: nn.Module, optimiser: torch.optim.Optimizer, clip: float = 5.0
    ) -> None:
        """Differentiate, average over the processes, clip, check, step.

        Raises:
            StoppedByNan: loss or gradient is no longer a number. On a GPU the next `save` or look
                raises it.
        """
        optimiser.zero_grad()
        loss.backward()
        if self.world > 1:
            for parameter in network.parameters():
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.world
        # No number in any process, in the loss or in its gradient, shows here, and to all alike.
        size = nn.utils.clip_grad_norm_(network.parameters(), clip)
        if size.is_cuda:  # looked at now and then: to wait for it at every step would cost more
            self.sound.logical_and_(torch.isfinite(size))
        else:
            check_finite(size, self.progress.step)
        optimiser.step()

    def save(self, name: str = "last") -> None:
        """Write the run's checkpoint; any other name keeps the averaged weights alone.

        Raises:
            StoppedByNan: the weights are spoiled; nothing was written.
        """
        self.check_sound()
        if self.rank:
            return
        networks, optimisers = self.learnt() if name == "last" else ({"average": self.average}, {})
        checkpoint.save(
            self._config.folder / f"{name}.safetensors", self.architecture, self.progress,
            networks, optimisers,
        )  # fmt: skip

    def learnt(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Networks and optimisers that have something to be kept."""
        return self.networks, self.optimisers

    def check_sound(self) -> None:
        """Raise StoppedByNan if a loss on a GPU or a weight is no number."""
        # A sound gradient times a rate, or its square in a moment, may still leave the numbers.
        if not (self.sound and all(map(checkpoint.is_finite, self.networks.values()))):
            raise StoppedByNan(NO_NUMBER.format(step=self.progress.step))

    def go(self, feed: Iterable[Batch]) -> None:
        """Train until the time or the steps are over; then, and now and then, look and save.

        Raises:
            StoppedByNan: see `descend`.
            UsageError: another run works in the folder.
        """
        source = iter(feed)  # now: its processes must not inherit the lock and outlive us with it
        with nullcontext() if self.rank else files.alone(self._config.folder):
            self._go(source)

    def _go(self, source: Iterator[Batch]) -> None:
        config, progress = self._config, self.progress
        log = _Log(config.folder)
        began = saved = time.monotonic()
        while progress.step < config.steps and not self._is_over(began):
            asked = time.monotonic()
            batch = self.placed(next(source))
            log.waited += time.monotonic() - asked
            log.add(self.step(batch))
            progress.step += 1
            if time.monotonic() - saved > config.save_minutes * 60:
                self._look(log)
                saved = time.monotonic()
        self._look(log)

    def _is_over(self, began: float) -> bool:
        """Whether the time is; the first process says so for all, or one would wait in vain."""
        over = torch.tensor(time.monotonic() - began >= self._config.max_minutes * 60)
        if self.world > 1:
            over = over.to(self.device)
            distributed.broadcast(over, 0)
        return bool(over)

    def _look(self, log: _Log) -> None:
        if not log.steps:
            return
        spent = log.spent()  # before the validation, which is no training
        self.check_sound()
        if self.rank:
            return
        figures = self.validate()
        self._keep_if_best(figures)
        self.save()
        log.write(self.progress.step, self._config.batch * self.world, figures, spent)

    def _keep_if_best(self, figures: dict[str, float]) -> None:
        score = figures.get("score", -math.inf)
        if score > self.progress.best:
            self.progress.best = score
            self.save("best")

    def placed(self, batch: Batch) -> Batch:
        """On the device first: a GPU lays out and widens a batch faster than a CPU copies it."""
        there = {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}
        return {
            k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v
            for k, v in transport.unpacked(there).items()
        }


class _Log:
    """Mean losses since the last row, and how the time was spent."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        self._rows()  # before there is anything to be lost
        self._clear()

    def _clear(self) -> None:
        self.steps, self.waited, self.began = 0, 0.0, time.monotonic()
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def spent(self) -> float:
        """Seconds since the last row."""
        return time.monotonic() - self.began

    def write(self, step: int, samples: int, figures: dict[str, float], spent: float) -> None:
        row: dict[str, float] = {
            "step": step,
            "seconds": round(spent, 1),
            "samples_per_s": round(self.steps * samples / spent, 2),
            "waiting": round(self.waited / spent, 3),
        }
        row |= {
            f"loss_{k}": round(float(v) / self._counts[k], 5) for k, v in self._sums.items()
        }
        row |= {k: round(v, 5) for k, v in figures.items()}
        print("  ".join(f"{name} {value:g}" for name, value in row.items()), flush=True)
        self._append(row)
        self._clear()

    def _rows(self) -> list[dict[str, str]]:
        return files.rows(self.path, "step") if self.path.exists() else []

    def _append(self, row: dict[str, float]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        old = self._rows()
        names = list(dict.fromkeys([*(old[0] if old else ()), *row]))
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, names, restval="")
            writer.writeheader()
            writer.writerows([*old, row])
        partial.replace(self.path)


def cosine(share: float) -> float:
    """What is left of a rate after a share of the steps: 1 at first, 0.05 from 1 on."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def channels_last(network: Network) -> Network:
    """Lay the weights out as CPUs and tensor cores like them best."""
    # torch's own types of Module.to leave this argument out.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def device(name: str) -> torch.device:
    """The device of that name; "auto" is this process's GPU, or the CPU.

    Raises:
        ValueError: there is none.
    """
    if name != "auto":
        try:
            return torch.zeros((), device=name).device
        except (AssertionError, RuntimeError) as error:  # the first from a torch without CUDA
            raise ValueError(
                f"--device {name}: this torch finds no such device. Take cpu, cuda or auto."
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def join_others(where: torch.device) -> tuple[int, int]:
    """How many processes train together, and which of them this is (torchrun's variables)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    return world, int(os.environ.get("RANK", "0"))


def numbers(start: int, batch: int) -> Iterator[int]:
    """The numbers of the samples that this process takes, from step `start` on, without end."""
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    step = start
    while True:
        first = (step * world + rank) * batch
        yield from range(first, first + batch)
        step += 1
