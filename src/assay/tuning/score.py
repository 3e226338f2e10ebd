"""By which number trials are compared: how wrong a network is on the validation side; see `evaluation/unseen_loss.py`.

The loss that is trained on would not do: it is another one for each network, and label smoothing changes it. Where
answers take long or come of rollouts it is what trials are stopped by all the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from assay.evaluation.unseen_loss import unseen_loss
from assay.samples.samples import Samples, View
from assay.samples.split import VALIDATION
from assay.serving.predictor import Predictor
from assay.task import Spec, Task
from assay.training.plan import Plan

if TYPE_CHECKING:
    from torch import nn

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
        self._truths, self._groups = self._view.truths(), self._view.groups()

    def __len__(self) -> int:
        return len(self._view)

    def of(self, network: nn.Module, plan: Plan) -> float:
        """How wrong a trained network is, in evaluation mode; less is better."""
        if self._task.in_loop(self._spec):
            return self._loss(network, plan)
        return self.of_answers(Predictor(self._task, self._spec, network))

    def _loss(self, network: nn.Module, plan: Plan) -> float:
        """The mean of the loss that is trained on, without augmentation and smoothing."""
        import torch

        plain, total, count = Plan(batch_size=plan.batch_size, seed=plan.seed), 0.0, 0
        with torch.inference_mode():
            for batch in self._view.batches(plan.batch_size):
                losses = self._task.objective(network, batch, plain, self._spec)
                total, count = total + float(losses.double().sum()), count + len(losses)
        return total / max(1, count)

    def of_answers(self, predictor: Predictor) -> float:
        """As `of`, of a network that is ready to answer."""
        outputs = predictor.outputs(self._view)
        return unseen_loss(self._task, self._spec, outputs, self._truths, self._groups)

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
