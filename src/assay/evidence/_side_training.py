"""One side training as a piece of work: a network on some units, which may see a part of the input alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.split import TRAIN, VALIDATION
from assay.work import Subject, Work

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.samples.draws import Draws
    from assay.task import Task
    from assay.training.plan import Plan

Array = np.ndarray[Any, Any]
_NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Training(Work["nn.Module"]):
    """A side training.

    Attributes:
        name: a file name; the same name is the same training.
        units: (U,) what the network is trained on.
        plan: how.
        kept: the part of the input that it sees, shaped as `Task.parts`; None for all.
        settings: hyper-parameters of the network that differ.
        start: the weights to go on from; None for fresh ones.
    """

    name: str
    units: Array
    plan: Plan
    kept: Array | None = None
    settings: Mapping[str, Any] | None = None
    start: Mapping[str, Tensor] | None = None

    def do(self, subject: Subject) -> nn.Module:
        """See `Work.do`."""
        from assay.training.loop import Job, fit

        network, samples = self.built(subject), subject.samples
        side = np.full(len(samples.side), _NOWHERE, np.int8)
        side[self.units] = TRAIN
        own = samples.with_side(side)
        if self.start is not None:
            network.load_state_dict(self.start)
        elif subject.kind.prepare is not None:
            subject.kind.prepare(network, own, self.plan)
        fit(network, Job(self.task(subject), subject.spec, own, self.plan))
        if subject.kind.conclude is not None:
            side[samples.side == VALIDATION] = VALIDATION
            subject.kind.conclude(network, samples.with_side(side), self.plan)
        return network

    def task(self, subject: Subject) -> Task:
        """The application, which sees what is kept of the input."""
        return subject.task if self.kept is None else seeing(subject.task, self.kept)

    def built(self, subject: Subject) -> nn.Module:
        """The network with its first weights."""
        import torch

        from assay.samples.draws import key_of

        torch.manual_seed(int(key_of(subject.plan.seed, "weights")) >> 1)
        return subject.kind.build(subject.spec, replace(subject.settings, **(self.settings or {})))

    def packed(self, result: nn.Module) -> Any:
        """The weights by name; what two parts share is there once, as files of safetensors have it."""
        from assay.stored_network import unique_weights

        return unique_weights(result)

    def unpacked(self, packed: Any, subject: Subject) -> nn.Module:
        """See `Work.unpacked`."""
        from assay.stored_network import load_unique

        network = self.built(subject)
        load_unique(network, packed)
        return network


def seeing(task: Task, kept: Array) -> Task:
    """The same task for a network that sees a part of the input alone, in training and in prediction."""
    import torch

    base: Any = type(task)
    part = torch.from_numpy(np.asarray(kept, bool))

    class Seeing(base):  # type: ignore[misc]
        def augment(self, batch: Any, draws: Draws, plan: Plan, spec: Any) -> Any:
            changed = base.augment(self, batch, draws, plan, spec)
            if _whole(changed, part):
                return changed
            return base.augment(self, self.masked(batch, part, spec), draws, plan, spec)  # a crop has lost its place

        def objective(self, network: nn.Module, batch: Any, plan: Plan, spec: Any) -> Any:
            seen = self.masked(batch, part, spec) if _whole(batch, part) else batch
            return base.objective(self, network, seen, plan, spec)

        def predict(self, network: nn.Module, batch: Any, spec: Any, options: Mapping[str, Any]) -> Any:
            return base.predict(self, network, self.masked(batch, part, spec), spec, options)

    other = copy.copy(task)
    other.__class__ = Seeing
    return other


def _whole(batch: Any, part: Tensor) -> bool:
    """Whether a batch holds inputs of the size of what is kept of them, and not crops."""
    image = getattr(batch, "image", None)
    return image is None or tuple(image.shape[-part.ndim :]) == tuple(part.shape)
