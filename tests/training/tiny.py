"""A task small enough to train in milliseconds, over points in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.networks.mlp import Mlp, MlpSettings
from assay.samples.cache import Cache, CacheWriter
from assay.samples.samples import Samples, Segment
from assay.task import Batch
from assay.training.loop import Job
from assay.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class PointBatch(Batch):
    point: Tensor
    target: Tensor


class Points:
    """Just as much of a task as the loop asks for; `spoil` is called with each training batch's loss."""

    name = "points"
    batch_type = PointBatch

    def __init__(self, spoil: Any = None) -> None:
        self.spoil, self.steps = spoil, 0

    def augment(self, batch: PointBatch, draws: Any, plan: Any, spec: Any) -> PointBatch:
        noise = (draws.uniform("noise", batch.point.shape[1]) - 0.5) * 0.1
        return PointBatch(index=batch.index, point=batch.point + noise, target=batch.target)

    def objective(self, network: nn.Module, batch: PointBatch, plan: Any, spec: Any) -> Tensor:
        losses = nn.functional.cross_entropy(network(batch.point), batch.target, reduction="none")
        if self.spoil is not None and network.training:
            losses = self.spoil(losses, self.steps)
            self.steps += 1
        return losses


def points(folder: Path, count: int = 60, seed: int = 0) -> Samples:
    import pyarrow as pa

    random = np.random.default_rng(seed)
    target = np.arange(count) % 3
    point = random.normal(0, 1, (count, 5)).astype(np.float32) + np.eye(3, 5, dtype=np.float32)[target] * 2
    writer = CacheWriter(folder / f"points-{seed}")
    writer.append({"point": point, "target": target}, count)
    writer.close({}, pa.table({"id": [str(row) for row in range(count)], "target": target}))
    cache = Cache(folder / f"points-{seed}")
    side = np.where(np.arange(count) < count * 3 // 4, 0, 1).astype(np.int8)
    return Samples(Points(), None, Segment(cache, np.arange(count), cache.index), side, ())  # type: ignore[arg-type]


def network(seed: int = 0, dropout: float = 0.1) -> Mlp:
    torch.manual_seed(seed)
    return Mlp(5, 3, MlpSettings(depth=2, width=16, dropout=dropout))


def job(samples: Samples, plan: Plan, folder: Path | None = None, task: Any = None, **more: Any) -> Job:
    return Job(task or Points(), None, samples, plan, folder, **more)


def same(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two state dicts hold the same tensors, bit for bit."""
    one, other = dict(first), dict(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
