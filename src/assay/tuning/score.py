"""By which number trials are compared: how wrong a network is on the validation side; see `evaluation/unseen_loss.py`.

The loss that is trained on would not do: it is another one for each network, and label smoothing changes it. Where
answers take long or come of rollouts it is what trials are stopped by all the same.

Nor would the log loss: it rewards leaving label smoothing out even where fewer answers are right then (docs/log.md,
2026-11-28).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.unseen_loss import unseen_errors
from assay.samples.samples import Samples, View
from assay.samples.split import VALIDATION
from assay.serving.predictor import Predictor
from assay.task import Spec, Task
from assay.training.plan import Plan

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]

#: Fewer units than this tell nothing; more than this tell little more.
FEWEST_UNITS, MOST_UNITS = 100, 4000
#: The share of a trial that goes into being judged.
_SHARE = 0.15
_TIMED = 16


class Score:
    """Judges networks by some units of the validation side, the same ones for all.

    Args:
        task: the application.
        spec: its sample spec.
        samples: all samples.
        units: how many units of the validation side are asked about; None for all.
        several: networks of several kinds are compared.
    """

    def __init__(self, task: Task, spec: Spec, samples: Samples, units: int | None, several: bool) -> None:
        self._task, self._spec, self._samples, self._several = task, spec, samples, several
        view = samples.view(VALIDATION)
        self._view = view if units is None else view.sample(units)
        self._truths, self.groups = self._view.truths(), self._view.groups()

    def __len__(self) -> int:
        return len(self._view)

    def of(self, network: nn.Module, plan: Plan) -> float:
        """How wrong a trained network is, in evaluation mode; less is better."""
        return float(np.nanmean(self.each(network, plan)))

    def each(self, network: nn.Module, plan: Plan) -> Array:
        """(U,) the same by unit, NaN where that cannot be said; (1,) where an application tells it of all together."""
        if self._task.in_loop(self._spec):
            return self._losses(network, plan)
        outputs = Predictor(self._task, self._spec, network).outputs(self._view)
        return unseen_errors(self._task, self._spec, outputs, self._truths, self.groups)

    def _losses(self, network: nn.Module, plan: Plan) -> Array:
        """(U,) the loss that is trained on, without augmentation and smoothing."""
        import torch

        plain = Plan(batch_size=plan.batch_size, seed=plan.seed)
        with torch.inference_mode():
            parts = [self._task.objective(network, batch, plain, self._spec).double().numpy()
                     for batch in self._view.batches(plan.batch_size)]  # fmt: skip
        return np.concatenate(parts) if parts else np.zeros(1)

    def at_check(self, network: nn.Module, plan: Plan, loss: float) -> float:
        """How wrong it is in the midst of its training; `loss` is the one that is trained on, on the same side."""
        if self._task.in_loop(self._spec) or not (self.quick(network) or self._several):
            return loss
        network.eval()
        try:
            return self.of(network, plan)
        finally:
            network.train()

    def quick(self, network: nn.Module) -> bool:
        """Whether answers are probabilities, which take no longer than the loss."""
        if not hasattr(self, "_quick"):
            network.eval()
            first = Predictor(self._task, self._spec, network).outputs(self._view.sample(1))
            self._quick = self._task.probabilities(first, self._spec) is not None
            network.train()
        return self._quick


def is_better(some: Array, others: Array, groups: Array) -> bool:
    """Whether one network is better than another by more than a standard error, paired by unit.

    The one-standard-error rule (Breiman et al., Classification and regression trees, 1984), for the best of many trials
    looks better on the side that it was chosen by than it is.

    Args:
        some: (U,) how wrong the one is, as `Score.each` gives it.
        others: (U,) the same of the other.
        groups: (U,) the group of each unit, whose errors go together; of another length where it is not known.
    """
    # An infinite error has no standard error.
    if np.isinf(some).any() or np.isinf(others).any():
        return bool(np.nanmean(some) < np.nanmean(others))
    told = ~np.isnan(others - some)
    gains = (others - some)[told]
    if len(gains) < 2:
        return bool((gains > 0).any())
    rest = gains - gains.mean()
    if len(groups) == len(told):
        groups = groups[told]
        rest = np.bincount(np.unique(groups, return_inverse=True)[1].ravel(), rest)
    return bool(gains.mean() > np.sqrt((rest**2).sum()) / len(gains))


def units_in_time(task: Task, spec: Spec, view: View, network: nn.Module, trial_s: float, looks: int) -> int:
    """How many units of the validation side a trial of that length can be judged by, so many times.

    Args:
        task: the application.
        spec: its sample spec.
        view: the validation side.
        network: a fresh network, by which an answer is timed.
        trial_s: seconds of a trial.
        looks: how often it is judged.
    """
    if task.in_loop(spec):
        return min(len(view), MOST_UNITS)
    network.eval()
    asked = view.sample(_TIMED)
    begun = time.perf_counter()
    Predictor(task, spec, network).outputs(asked)
    each = (time.perf_counter() - begun) / max(1, len(asked))
    allowed = _SHARE * trial_s / looks / max(each, 1e-9)
    return int(min(len(view), np.clip(allowed, FEWEST_UNITS, MOST_UNITS)))
