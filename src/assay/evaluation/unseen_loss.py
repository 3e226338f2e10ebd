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


def unseen_loss(task: Task, spec: Spec, outputs: Values, truths: Values, groups: np.ndarray[Any, Any]) -> float:
    """The mean loss of answers; that of probabilities at the temperature that suits them best. Less is better.

    It tells networks apart by less than what changes which answer is right. Without the temperature it would praise
    whatever makes a network less sure of itself. Where an application gives no losses, it is the primary metric, with
    its sign turned where more is better.

    Args:
        task: the application.
        spec: its sample spec.
        outputs: (U,) the answers.
        truths: (U,) the truths.
        groups: (U,) the group of each unit.
    """
    probabilities = task.probabilities(outputs, spec)
    if probabilities is not None:
        temperature = fit_temperature(np.asarray(probabilities), np.asarray(truths, np.int64), groups)
        with suppress(SettingError):  # raised where these probabilities have no temperature
            outputs = task.sharpened(outputs, temperature, spec)
    loss = float(np.mean(task.losses(outputs, truths, spec)))
    if np.isfinite(loss):
        return loss
    metric = task.metrics(spec)[0]
    value = metric.value(outputs, truths)
    return -value if metric.higher_is_better else value
