"""The processes that train one network together, as the loop sees them: what is done by one, what by each, what by all.

Between two steps every process holds the same state, bit for bit: gradients are summed over all, so that each makes the
same update. What depends on time or on the world outside is decided by the first and told to the others.

Only numbers go over the wire, never pickled objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is; alone where nothing else is said.

    Attributes:
        rank: from 0.
        size: how many there are.
        device: where this one computes, such as `cpu` or `cuda:1`.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def kind(self) -> str:
        """The kind of device: `cpu` or `cuda`."""
        return self.device.partition(":")[0]

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and decides."""
        return self.rank == 0

    def parts(self, count: int, rounds: int = 1) -> list[slice]:
        """This process' own rows of a batch of `count`, in as many parts as it makes rounds; no part is empty.

        Parts follow one another through the batch, and differ by one row at most.
        """
        whole = self.size * rounds
        bounds = [count * part // whole for part in range(whole + 1)]
        return [slice(bounds[part], bounds[part + 1]) for part in range(self.rank * rounds, (self.rank + 1) * rounds)]

    def moved(self, batch: Any) -> Any:
        """A batch whose tensors are where this process computes."""
        if self.kind == "cpu":
            return batch
        tensors = {item.name: getattr(batch, item.name) for item in fields(batch)}
        return replace(batch, **{n: t.to(self.device) for n, t in tensors.items() if isinstance(t, Tensor)})

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each of the values, summed over all processes in double precision."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(summed)
        return [float(value) for value in summed.tolist()]

    def in_turn(self, own: Sequence[Sequence[float]]) -> list[Sequence[float]]:
        """Rows of numbers that the processes worked out by turns, put in their order on every process.

        Args:
            own: the rows with the numbers rank, rank + size, rank + 2 size and so on, all of one length.
        """
        if self.size == 1 or not (rows := int(self.sums([len(own)])[0])):
            return list(own)
        width = int(self.decided(len(own[0]) if own else 0))
        whole = torch.zeros(rows, width, dtype=torch.float64, device=self.device)
        if own:
            whole[self.rank :: self.size] = torch.tensor(own, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(whole)
        return list(whole.tolist())

    def decided(self, value: float) -> float:
        """What the first process says, on every process."""
        if self.size == 1:
            return value
        said = torch.tensor([value], dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(said, 0)
        return float(said)

    def first_does(self, work: Callable[[], bool]) -> bool:
        """Let the first process do something that may leave files, then the others; whether the first says so."""
        done = bool(self.decided(float(work() if self.first else False)))
        if done and not self.first:
            work()
        return done

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes into tensors of one type, in place."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([value.reshape(-1) for value in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        for value, mean in zip(tensors, flat.split([value.numel() for value in tensors]), strict=True):
            value.copy_(mean.view_as(value))

    def replicated(self, module: nn.Module) -> nn.Module:
        """The module so wrapped that a backward pass leaves the mean of all processes' gradients in each of them.

        Parameters that a step leaves aside on every process keep no gradient at all, as in a single process.
        """
        if self.size == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
            return module
        from torch.nn.parallel import DistributedDataParallel

        # Buffers are alike already; what says so has another name in newer releases, which warn of the old one.
        known = signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        unsynced: dict[str, Any] = {name: False}
        return DistributedDataParallel(
            module,
            device_ids=[torch.device(self.device)] if self.kind == "cuda" else None,
            **unsynced,
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )
