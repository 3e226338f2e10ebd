"""Answers from a trained network."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.samples import Samples, View, build_samples
from assay.samples.split import TEST
from assay.sources.records import Problem, ProblemLog, Records

if TYPE_CHECKING:
    from torch import nn

    from assay.task import Output, Spec, Task

_BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """A unit's name and its answer (a JSON-able dataclass of the task's)."""

    id: str
    answer: Any


@dataclass
class Predictor:
    """A network that answers for its task.

    Attributes:
        task: the application.
        spec: what a sample is.
        network: the trained network, in evaluation mode.
        options: search options that the task's `predict` understands (beam width, thresholds).
    """

    task: Task
    spec: Spec
    network: nn.Module
    options: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, view: View) -> Sequence[Output]:
        """The merged output of each unit of a view, in its order."""
        windows = self._windows(view)
        if len(view.windows) == len(view.units):
            return windows
        unit = view.samples.unit[view.windows]
        starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
        ends = np.r_[starts[1:], len(unit)]
        return [self.task.merge(windows[a:b], self.spec) for a, b in zip(starts, ends, strict=True)]

    def _windows(self, view: View) -> Sequence[Output]:
        import torch

        parts: list[Sequence[Output]] = []
        self.network.eval()
        with torch.inference_mode():
            for batch in view.batches(_BATCH):
                parts.append(self.task.predict(self.network, batch, self.spec, self.options))
        if parts and all(isinstance(part, np.ndarray) for part in parts):
            return np.concatenate(parts)
        return [output for part in parts for output in part]

    def predict(self, records: Records) -> tuple[list[Prediction], tuple[Problem, ...]]:
        """Answers for records without targets, and what could not be read."""
        with inputs(self.task, records, self.spec) as (samples, problems):
            view = samples.view(TEST)
            outputs = self.outputs(view)
            answers = [Prediction(name, self.task.answer(output, self.spec))
                       for name, output in zip(view.ids(), outputs, strict=True)]  # fmt: skip
        return answers, problems


class inputs:  # noqa: N801 - a context manager that reads as a word
    """Samples of records that are to be predicted; their decoded form is thrown away at the end."""

    def __init__(self, task: Task, records: Records, spec: Spec) -> None:
        self._task, self._records, self._spec = task, records, spec

    def __enter__(self) -> tuple[Samples, tuple[Problem, ...]]:
        self._folder = tempfile.TemporaryDirectory(prefix="assay-", ignore_cleanup_errors=True)
        log = ProblemLog()
        log.extend(self._records.problems)
        target = Path(self._folder.name) / "samples"
        samples = build_samples(self._task, self._records, self._spec, None, log, target)
        return samples, log.problems()

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


__all__ = ["Prediction", "Predictor", "inputs"]
