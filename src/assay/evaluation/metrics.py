"""Metrics as sufficient statistics for each unit and an aggregate over units.

A metric never sees "the mean of samples": it keeps what it needs to know of each unit, so that bootstrap and paired
tests can weigh units (or whole groups) anew and aggregate again. That is how BLEU, word error rate or mAP get honest
intervals.

Shapes: U units, K statistics of a unit, C classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

Array = np.ndarray[Any, Any]
#: One item for each of several units or windows, in their order.
Values: TypeAlias = Sequence[Any] | Array


class Metric(ABC):
    """One number that says how good outputs are."""

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: the value of perfect outputs, where higher is better
    best: ClassVar[float] = 1.0
    #: False where lower is better and nobody knows how low it can get, as with the bits that a text takes.
    best_known: ClassVar[bool] = True
    #: "share" for a number between 0 and 1 that is a proportion of units; "rate" for one of what units are made of,
    #: such as wrong words over words, which may go beyond 1; else the unit's name or "".
    unit: ClassVar[str] = ""

    @abstractmethod
    def statistics(self, outputs: Values, truths: Values) -> Values:
        """What is kept of each unit: an array (U, K) or a list of U objects."""

    @abstractmethod
    def aggregate(self, statistics: Values, weights: Array) -> float:
        """The metric over units that count `weights` (U,) times each; NaN where it is not defined."""

    def counted(self, statistics: Values) -> Array | None:
        """(U,) bool, which units a share is a share of; None for all. Its interval is that of so many."""
        return None

    @property
    def in_per_cent(self) -> bool:
        """Whether its values are written in per cent."""
        return self.unit in ("share", "rate")

    @property
    def perfect(self) -> float:
        """`best`, or 0 where lower is better; no output may reach that where `best_known` is False."""
        return self.best if self.higher_is_better else 0.0

    def value(self, outputs: Values, truths: Values) -> float:
        """The metric over all units, each counted once."""
        return self.aggregate(self.statistics(outputs, truths), np.ones(len(outputs)))


class Additive(Metric):
    """A metric that is a function of the sum of its statistics, which makes resampling one matrix product."""

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        return float(self.from_sums(np.asarray(weights, float)[None] @ np.asarray(statistics, float))[0])

    @abstractmethod
    def from_sums(self, sums: Array) -> Array:
        """The metric for R sums of statistics: (R, K) to (R,)."""


class Accuracy(Additive):
    """The share of units whose most probable class is the true one."""

    name = "accuracy"
    unit = "share"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): right (0 or 1), and one."""
        right = np.asarray(outputs).argmax(axis=1) == np.asarray(truths)
        return np.stack([right, np.ones(len(right))], axis=1).astype(float)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class LogLoss(Additive):
    """The mean of minus the logarithm (nats) of the probability given to the true class."""

    name = "log_loss"
    higher_is_better = False
    unit = "nats"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the loss, and one."""
        losses = class_losses(np.asarray(outputs), np.asarray(truths))
        return np.stack([losses, np.ones(len(losses))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class MacroF1(Metric):
    """The mean over classes of the F1 score, over the classes that occur among truths or answers."""

    name = "macro_f1"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 3): the true class, the answered class, how many classes there are."""
        scores = np.asarray(outputs)
        return np.stack([np.asarray(truths), scores.argmax(axis=1), np.full(len(scores), scores.shape[1])], axis=1)

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        truth, answer, count = np.asarray(statistics, np.int64).T
        classes = int(count.max(initial=1))
        true = np.bincount(truth, weights, classes)
        answered = np.bincount(answer, weights, classes)
        hit = np.bincount(truth, weights * (truth == answer), classes)
        seen = (true + answered) > 0
        return float(np.mean(2 * hit[seen] / (true + answered)[seen])) if seen.any() else float("nan")


class BinaryAuc(Metric):
    """The area under the ROC curve of the second of two classes (probability of a right ranking, ties half)."""

    name = "auc"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the score of the second class, and whether it is the true one."""
        return np.stack([np.asarray(outputs)[:, 1], np.asarray(truths) == 1], axis=1).astype(float)

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        score, positive = np.asarray(statistics, float).T
        values, place = np.unique(score, return_inverse=True)
        ups = np.bincount(place, weights * positive, len(values))
        downs = np.bincount(place, weights * (1 - positive), len(values))
        below = np.cumsum(downs) - downs
        pairs = ups.sum() * downs.sum()
        return float((ups * (below + downs / 2)).sum() / pairs) if pairs else float("nan")


class SubsetAccuracy(Additive):
    """The share of units whose whole set of labels is right (each label answered at probability >= 0.5)."""

    name = "subset_accuracy"
    unit = "share"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): all labels right, and one."""
        right = ((np.asarray(outputs) >= 0.5) == (np.asarray(truths) > 0.5)).all(axis=1)
        return np.stack([right, np.ones(len(right))], axis=1).astype(float)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class LabelsF1(Additive):
    """F1 over all pairs of unit and label (micro average), a label being answered at probability >= 0.5."""

    name = "micro_f1"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): labels both true and answered; labels true plus labels answered."""
        answered, true = np.asarray(outputs) >= 0.5, np.asarray(truths) > 0.5
        return np.stack([(answered & true).sum(axis=1), answered.sum(axis=1) + true.sum(axis=1)], axis=1).astype(float)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(2 * sums[:, 0], sums[:, 1])


class R2(Additive):
    """The share of the target's variance that the answers explain; 0 for always answering the mean."""

    name = "r2"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 4): one, the truth (shifted, so that its square stays exact), its square, the squared error."""
        answer, truth = np.asarray(outputs, float), np.asarray(truths, float)
        shifted = truth - (truth[0] if len(truth) else 0.0)
        return np.stack([np.ones(len(truth)), shifted, shifted**2, (answer - truth) ** 2], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        count, total, squares, errors = sums.T
        return 1 - _ratio(errors, squares - _ratio(total**2, count))


class RootMeanSquaredError(Additive):
    """The square root of the mean squared error, in the target's unit."""

    name = "rmse"
    higher_is_better = False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the squared error, and one."""
        errors = (np.asarray(outputs, float) - np.asarray(truths, float)) ** 2
        return np.stack([errors, np.ones(len(errors))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(np.sqrt(_ratio(sums[:, 0], sums[:, 1])))


class MeanAbsoluteError(Additive):
    """The mean absolute error, in the target's unit."""

    name = "mae"
    higher_is_better = False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the absolute error, and one."""
        errors = np.abs(np.asarray(outputs, float) - np.asarray(truths, float))
        return np.stack([errors, np.ones(len(errors))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


def class_losses(probabilities: Array, truths: Array) -> Array:
    """(U,) minus the logarithm of the probability (U, C) given to the true class (U,); probabilities floor at 1e-12."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(truths)), truths].astype(float), 1e-12, 1.0)))


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
