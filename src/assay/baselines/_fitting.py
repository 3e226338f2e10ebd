"""What fitting a classical model to a class, labels or number has in common.

Shapes: N units, O outputs of the target (classes, labels, or one).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from assay.errors import DataError, RunError

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
Model = TypeVar("Model")


@dataclass(frozen=True)
class Clock:
    """How much of a time budget is left."""

    budget_s: float
    start: float = field(default_factory=time.perf_counter)

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def left_s(self, share: float = 1.0) -> float:
        """Seconds until that share of the budget is spent; negative when it is over."""
        return self.budget_s * share - self.spent_s


def threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable(target: Target, truths: Any) -> Array:
    """(N,) bool: False where a unit has no known truth."""
    values = np.asarray(truths)
    if target.kind == "class":
        return np.asarray(values >= 0)
    return np.asarray(np.isfinite(values.astype(float)).reshape(len(values), -1).all(axis=1))


def known(target: Target, view: View) -> tuple[Array, Array]:
    """The places (M,) in the view of the units with a known truth, and those truths (M, ...)."""
    truths = np.asarray(view.truths())
    if not len(truths):
        shape = (0, target.outputs) if target.kind == "labels" else (0,)
        return np.zeros(0, np.int64), np.zeros(shape, np.int64 if target.kind == "class" else float)
    places = np.flatnonzero(usable(target, truths))
    return places, truths[places]


def hold_out(count: int, seed: int) -> tuple[Array, Array]:
    """Places for training and for choosing, where there is no validation side: a tenth, and at least one of two."""
    shuffled = np.random.default_rng(seed).permutation(count)
    aside = max(1, count // 10) if count > 1 else 0
    return np.sort(shuffled[aside:]), np.sort(shuffled[:aside])


def require_training(count: int) -> None:
    """Raise where nothing is left to learn from."""
    if not count:
        raise DataError("no training sample with a known target is left", "See the problems that assay inspect lists.")


def require_fitted(model: Model | None) -> Model:
    """What `fit` or `load` left; raises `RunError` where neither was called."""
    if model is None:
        raise RunError("the baseline is neither fitted nor loaded", "Call fit or load first.")
    return model


def score(target: Target, outputs: Any, truths: Any) -> float:
    """The target's primary metric, larger is better; minus infinity where it is not defined."""
    if not len(truths):
        return -np.inf
    metric = target.metrics()[0]
    value = metric.value(outputs, truths)
    return -np.inf if np.isnan(value) else value if metric.higher_is_better else -value


def doubt(target: Target, outputs: Any, truths: Any) -> float:
    """The mean log loss or squared error: finer than the primary metric where that ties; smaller is better."""
    if not len(truths):
        return np.inf
    if target.kind == "number":
        return float(np.mean((np.asarray(outputs) - truths) ** 2))
    return float(np.mean(target.losses(outputs, truths)))
