"""The processes that train one recipe together: one alone, or those that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Module
from torch.nn.parallel import DistributedDataParallel

from denoisebench.errors import UsageError

PATIENCE = timedelta(days=1)
"""The others wait while the first scores baselines; one that ends is noticed at once."""


class Lost(RuntimeError):
    """Another process of this training is gone."""


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: its number; 0 is the one that writes and prints.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, batch: int, parts: int = 1) -> range:
        """Which rows of a batch this process works on, in so many parts.

        Raises:
            UsageError: shares, or their parts, are not equal.
        """
        share, rest = divmod(batch, self.size)
        if rest or share % parts:
            pieces = self.size * parts
            raise UsageError(
                f"a batch of {batch} has no {pieces} equal parts, for {self.size} processes and "
                f"--accumulate {parts}; use --batch {batch + -batch % pieces}"
            )
        return range(self.rank * share, (self.rank + 1) * share)

    def shared(self, network: Module, device: torch.device) -> Module:
        """Let all processes average the gradients of a network.

        Each computes its own buffers, from its share of the batch; see `align`.
        """
        if self.size == 1:
            return network
        ids = [device.index or 0] if device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids, broadcast_buffers=False)

    def align(self, *networks: Module) -> None:
        """Give all processes the buffers of the first, such as running means."""
        if self.size > 1:
            for network in networks:
                for buffer in network.buffers():
                    with _told():
                        dist.broadcast(buffer, 0)

    def mean(self, values: Tensor) -> Tensor:
        """Average a tensor over the processes."""
        if self.size == 1:
            return values
        total = values.clone()
        with _told():
            dist.all_reduce(total)
        return total / self.size

    def decided(self, *numbers: float) -> tuple[float, ...]:
        """Return the first process's numbers, such as its clock, to all; no GPU is waited for."""
        if self.size == 1:
            return numbers
        told = torch.tensor(numbers, dtype=torch.float64)
        with _told():
            dist.broadcast(told, 0)
        return tuple(told.tolist())

    def apart(self, network: Module, last: bool) -> AbstractContextManager[None]:
        """Keep gradients to each process until the last part of a batch."""
        if isinstance(network, DistributedDataParallel) and not last:
            return cast(AbstractContextManager[None], network.no_sync())
        return nullcontext()


ALONE = World()


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong between processes from what goes wrong in one."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(str(error).splitlines()[0]) from None


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Join the processes that torchrun started; a world of one where it did not.

    Args:
        device: asked for; on CUDA each process of a machine takes the GPU of its local rank.
    Yields:
        The world, and this process's device.
    """
    if not dist.is_torchelastic_launched():
        yield ALONE, device
        return
    if device.type == "cuda":
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise UsageError(
                f"{local + 1} processes on a machine with {there} GPUs; use a smaller "
                "--nproc-per-node"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), dist.get_world_size()), device
    finally:
        dist.destroy_process_group()
