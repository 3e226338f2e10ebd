"""What the checks of `assay.check` share: an application's data, prepared once and cut small, and short trainings."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.flow import Prepared, prepare
from assay.planning import pick_network
from assay.samples.draws import key_of
from assay.samples.samples import Samples, build_samples
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.serving.predictor import Predictor
from assay.sources.source import DataOptions, Source
from assay.task import NetworkKind, Settings, Situation, Spec, Task
from assay.training.collecting import Collector
from assay.training.loop import Interrupted, Job, fit
from assay.training.plan import Plan, apply_settings
from assay.training.state import State

#: The most units of each side that the short trainings and evaluations see.
_MOST = {TRAIN: 48, VALIDATION: 16, TEST: 32}
_EPOCH_STEPS = 4
_NOWHERE = -1


class CheckFailed(Exception):
    """A check found something wrong; the message says what."""


class NotApplicable(Exception):
    """A check that the task's traits rule out; the message says why."""


@dataclass(frozen=True)
class Trained:
    """A short training: the network with what it came through."""

    network: nn.Module
    state: State
    losses: list[float]
    samples: Samples


@dataclass
class Subject:
    """An application under test, with what its checks ask for made once.

    Attributes:
        task: the application.
        source: its data.
        options: how the data is read and split.
        corrupt: broken sources.
        network: the network's name; None for the first.
        folder: for whatever has to lie on disk.
        settings: hyper-parameters as text, by name, in place of those that the recipe proposes.
    """

    task: Task
    source: Source
    options: DataOptions
    corrupt: tuple[Any, ...]
    network: str | None
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def prepared(self) -> Prepared:
        """The records and their split."""
        return prepare(self.source, self.options, task=self.task)

    @cached_property
    def spec(self) -> Spec:
        """What a sample is."""
        return self.task.fit_spec(self.prepared.records, self.prepared.split.side == TRAIN, self.options)

    @cached_property
    def samples(self) -> Samples:
        """The samples, of each side a few units and the others nowhere."""
        prepared = self.prepared
        whole = build_samples(
            self.task, prepared.records, self.spec, prepared.split.side, folder=self.folder / "samples"
        )
        side = np.full(len(whole.side), _NOWHERE, np.int8)
        for number, most in _MOST.items():
            side[whole.view(number).sample(most).units] = number
        return whole.with_side(side)

    @cached_property
    def chosen(self) -> tuple[NetworkKind, Settings, Plan]:
        """The network with hyper-parameters and plan, by its recipe and `settings`."""
        kind, named = pick_network(self.task, self.spec, self.network)
        count = len(self.samples.view(TRAIN).windows)
        settings, plan = kind.recipe(Situation(self.spec, count, None, 10.0, lambda settings, plan: 1e-4))
        if kind.name.endswith("/"):
            first = dataclasses.fields(settings)[0].name
            settings = replace(settings, **{first: getattr(named, first)})
        settings, plan = apply_settings(settings, plan, self.settings)
        return kind, settings, plan

    @cached_property
    def short_plan(self) -> Plan:
        """The recipe's plan over a few epochs of a few steps, with everything on that a checkpoint has to hold."""
        size = max(2, len(self.samples.view(TRAIN).windows) // _EPOCH_STEPS)
        changes: dict[str, Any] = {"steps": 3 * _EPOCH_STEPS + 2, "batch_size": size, "checks": 4}
        return replace(self.chosen[2], **changes, averaging=0.9, keep="best", early_stopping=0)

    @cached_property
    def trained(self) -> Trained:
        """One short training, from which the checks take their network."""
        return self.train(self.short_plan, self.folder / "trained")

    @cached_property
    def predictor(self) -> Predictor:
        """The briefly trained network, ready to answer."""
        kind, _, plan = self.chosen
        network = copy.deepcopy(self.trained.network)
        if kind.conclude is not None:
            kind.conclude(network, self.trained.samples, plan)
        predictor = Predictor(self.task, self.spec, network)
        predictor.settled = self.task.settled(predictor, self.samples)
        return predictor

    def train(self, plan: Plan, folder: Path, stop_after: int | None = None) -> Trained:
        """Train from the seed's own first weights, or from the checkpoint in `folder`.

        Args:
            plan: how to train.
            folder: takes checkpoints and collected samples.
            stop_after: the step after which the training is stopped, which raises `Interrupted`.
        """
        fresh = self.samples.with_side(self.samples.side)
        losses: list[float] = []
        stop = threading.Event()

        def record(line: Mapping[str, Any]) -> None:
            if "train_loss" in line:
                losses.append(float(line["train_loss"]))
            if stop_after is not None and line["step"] >= stop_after:
                stop.set()

        network = self._build(plan, fresh)
        job = Job(self.task, self.spec, fresh, plan, folder, record, snapshot_every=5, stop=stop)
        if self.task.in_loop(self.spec):
            job.collect = Collector(self.task, self.spec, fresh, folder / "collected", plan.seed)
        return Trained(network, fit(network, job), losses, fresh)

    def losses_until(self, share: float, plan: Plan, samples: Samples) -> list[float]:
        """The loss of each step until three in a row are below a share of the first, or the plan ends."""
        losses: list[float] = []
        stop = threading.Event()

        def record(line: Mapping[str, Any]) -> None:
            if "train_loss" in line:
                losses.append(float(line["train_loss"]))
                if max(losses[-3:]) < share * losses[0]:
                    stop.set()

        job = Job(self.task, self.spec, samples, plan, None, record, stop=stop)
        with contextlib.suppress(Interrupted):
            fit(self._build(plan, samples), job)
        return losses

    def _build(self, plan: Plan, samples: Samples) -> nn.Module:
        kind, settings, _ = self.chosen
        torch.manual_seed(int(key_of(plan.seed, "weights")) >> 1)
        network = kind.build(self.spec, settings)
        if kind.prepare is not None:
            kind.prepare(network, samples, plan)
        return network


def demand(condition: bool, message: str) -> None:
    """Fail the check with a message unless the condition holds."""
    if not condition:
        raise CheckFailed(message)


def alike(first: Any, second: Any, tolerance: float = 0.0) -> bool:
    """Whether two outputs or answers are the same: exactly, or with numbers within a relative tolerance."""
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        return type(first) is type(second) and alike(vars(first), vars(second), tolerance)
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(alike(first[key], second[key], tolerance) for key in first)
    if isinstance(first, str | bytes | bool | None):
        return bool(first == second)
    if isinstance(first, list | tuple):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(alike(one, other, tolerance) for one, other in pairs)
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape:
        return False
    if tolerance and one.dtype.kind in "fiu":
        return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True))
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def pick(values: Any, places: Any) -> Any:
    """Some of the values of several units, in the form in which they came."""
    return values[np.asarray(places)] if isinstance(values, np.ndarray) else [values[place] for place in places]
