"""What a run's small trainings are about, as plain values: enough for a process elsewhere to open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.registry import known_tasks, load_task
from assay.run import to_json
from assay.work import Subject

if TYPE_CHECKING:
    from assay.flow import Prepared
    from assay.planning import Made
    from assay.samples.samples import Samples
    from assay.sources.source import DataOptions
    from assay.task import Spec, Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Address:
    """Where the samples of a run lie, and what they are.

    Attributes:
        task: the application's name.
        spec: its sample spec.
        samples: the folder of the decoded samples; None where they are decoded on demand from the run's source.
        side: (rows,) the side of each row of the records.
        origin: the source and how it is read; see `assay.worker.open_again`.
    """

    task: str
    spec: Mapping[str, Any]
    samples: str | None
    side: Array
    origin: Mapping[str, Any]

    @property
    def paths(self) -> tuple[str, ...]:
        """What a machine has to see."""
        return () if self.samples is None else (self.samples,)

    def open(self) -> tuple[Task, Spec, Samples]:
        """The application, the spec and the samples; raises `RunError` where they are not in reach."""
        from assay.training.buffers import keep_buffers
        from assay.worker import open_again

        keep_buffers()
        task = load_task(self.task)
        spec = task.spec_type.from_json(self.spec)
        return task, spec, open_again(task, spec, self.side, self.samples, self.origin)


@dataclass(frozen=True, eq=False)
class SubjectAddress:
    """The address of a training's subject.

    Attributes:
        data: where its samples lie.
        network: the network's name.
        settings: its hyper-parameters.
        plan: how it was trained.
    """

    data: Address
    network: str
    settings: Mapping[str, Any]
    plan: Mapping[str, Any]

    def open(self) -> Subject:
        """The subject."""
        from assay.planning import pick_network
        from assay.training.plan import Plan

        task, spec, samples = self.data.open()
        kind, _ = pick_network(task, spec, self.network)
        return Subject(task, spec, samples, kind, kind.settings(**self.settings), Plan(**self.plan))


def address_of(prepared: Prepared, data: DataOptions, spec: Spec, samples: Samples) -> Address:
    """The address of samples; raises `SettingError` where a process elsewhere could not open them."""
    from assay.planning import named_source
    from assay.samples.cache import limit_bytes

    task = prepared.task
    if task.name not in known_tasks() or (samples.folder is None and samples.on_demand is None):
        raise SettingError(
            f"{task.name} cannot be worked on by a cluster: it is not registered",
            "Name it in the entry-point group assay.tasks, or leave out --cluster.",
        )
    folder = None if samples.folder is None else str(samples.folder.resolve())
    origin = {"source": named_source(prepared), "data": to_json(data), "fingerprint": prepared.records.fingerprint,
              "cache_gb": limit_bytes() / 1e9}  # fmt: skip
    return Address(task.name, spec.to_json(), folder, prepared.split.side, origin)


def subject_address(made: Made) -> SubjectAddress:
    """The address of what a planned training's small trainings are about."""
    data = address_of(made.prepared, made.data, made.spec, made.samples)
    return SubjectAddress(data, made.network, to_json(made.settings), to_json(made.plan))
