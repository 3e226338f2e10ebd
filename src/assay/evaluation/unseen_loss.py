"""How wrong a network is on units that it has not seen: one number by which trainings of one task can be compared."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.calibration import fit_temperature

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.task import Spec, Task

Array = np.ndarray[Any, Any]


def unseen_loss(task: Task, spec: Spec, outputs: Values, truths: Values, groups: Array) -> float:
    """The mean loss of answers; that of probabilities at the temperature that suits them best. Less is better.

    It tells networks apart by less than what changes which answer is right. Without the temperature it would praise
    whatever makes a network less sure of itself. Where an application gives no losses (all are NaN), it is the primary
    metric, with its sign turned where more is better; units whose loss alone is NaN are left out.

    Args:
        task: the application.
        spec: its sample spec.
        outputs: (U,) the answers.
        truths: (U,) the truths.
        groups: (U,) the group of each unit.
    """
    suited = _suited(task, spec, outputs, truths, groups)
    return float(np.nanmean(_losses_or_metric(task, spec, outputs if suited is None else suited, truths)))


def unseen_errors(task: Task, spec: Spec, outputs: Values, truths: Values, groups: Array) -> Array:
    """(U,) how wrong each answer is, for comparisons of trainings whose hyper-parameters differ.

    Of probabilities it is the Brier score, the squared error, at the temperature that suits them best: the logarithm
    is ruled by the few answers that are sure and wrong, and so by label smoothing rather than by which answers are
    right. Of others it is the loss, NaN of a unit where that cannot be said; where there is none, (1,) the primary
    metric as in `unseen_loss`, whose arguments it takes.
    """
    suited = _suited(task, spec, outputs, truths, groups)
    if suited is None:
        return _losses_or_metric(task, spec, outputs, truths)
    shares = np.array(task.probabilities(suited, spec), float)
    shares[np.arange(len(shares)), np.asarray(truths, np.int64)] -= 1
    return np.asarray((shares**2).sum(axis=1))


def _suited(task: Task, spec: Spec, outputs: Values, truths: Values, groups: Array) -> Values | None:
    """Outputs at the temperature that suits them best; None where they hold no probabilities."""
    probabilities = task.probabilities(outputs, spec)
    if probabilities is None:
        return None
    temperature = fit_temperature(np.asarray(probabilities), np.asarray(truths, np.int64), groups)
    with suppress(SettingError):  # raised where these probabilities have no temperature
        return task.sharpened(outputs, temperature, spec)
    return outputs


def _losses_or_metric(task: Task, spec: Spec, outputs: Values, truths: Values) -> Array:
    losses = np.asarray(task.losses(outputs, truths, spec), float)
    if not np.isnan(losses).all():
        return losses
    metric = task.metrics(spec)[0]
    value = metric.value(outputs, truths)
    return np.asarray([-value if metric.higher_is_better else value])
