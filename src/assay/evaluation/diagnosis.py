"""How good a diagnosis is: areas under ROC curves, and sensitivity and specificity at a stated operating point.

Outputs are (U, C + 2): the probability of each of C classes, the one without a finding first; the score from which on a
unit is called ill; and the score from which on it is flagged at the stated operating point. The score is one minus the
probability of the first class. Both thresholds are chosen on the validation side (`choose_thresholds`) and NaN before
that; outputs (U, C) without them are taken, too.

Sources: the area as the probability of a right ranking (Hanley and McNeil 1982), of several classes the mean of each
against all others; net benefit (Vickers and Elkin, "Decision curve analysis", Medical Decision Making 26, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.calibration import sharpen
from assay.evaluation.metrics import Additive, BinaryAuc, LogLoss, Metric, Values

Array = np.ndarray[Any, Any]
#: Resamplings over which the threshold of calling a unit ill is averaged: one alone follows the noise of a few units.
_RESAMPLED = 100
_TINY = 1e-6


def probabilities_of(outputs: Values, classes: int) -> Array:
    """(U, C) the probabilities alone."""
    values = np.asarray(outputs, float)
    return values[:, :classes] if values.ndim == 2 else values.reshape(0, classes)


def scores_of(outputs: Values, classes: int) -> Array:
    """(U,) how ill each unit looks."""
    return np.asarray(1.0 - probabilities_of(outputs, classes)[:, 0])


def thresholds_of(outputs: Values, classes: int) -> tuple[Array, Array]:
    """(U,) from which score on a unit is called ill, and flagged; NaN where that was not chosen."""
    values = np.asarray(outputs, float)
    if values.ndim != 2 or values.shape[1] < classes + 2:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    return values[:, classes], values[:, classes + 1]


def with_thresholds(outputs: Values, classes: int, decision: float, operating: float) -> Array:
    """(U, C + 2) outputs with the thresholds beside their probabilities."""
    shares = probabilities_of(outputs, classes)
    beside: Array = np.broadcast_to(np.asarray([decision, operating], float), (len(shares), 2))
    return np.concatenate([shares, beside], axis=1)


def called(outputs: Values, classes: int) -> Array:
    """(U,) int64 the class that each output is called.

    Of two classes the second from its threshold on; of more, or where none was chosen, the most probable.
    """
    shares = probabilities_of(outputs, classes)
    best: Array = shares.argmax(axis=1)
    if classes != 2:
        return np.asarray(best)
    decision = thresholds_of(outputs, classes)[0]
    return np.where(np.isnan(decision), best, scores_of(outputs, classes) >= decision).astype(np.int64)


def sharpened(outputs: Values, classes: int, temperature: float) -> Array:
    """Outputs at another temperature; thresholds move along, so that the same units are called ill."""
    shares = sharpen(probabilities_of(outputs, classes), temperature)
    decision, operating = thresholds_of(outputs, classes)
    if np.asarray(outputs).shape[-1] < classes + 2:
        return shares
    moved = [sharpen(np.stack([1 - one, one], axis=1), temperature)[:, 1] for one in (decision, operating)]
    return np.concatenate([shares, np.stack(moved, axis=1)], axis=1)


class DiagnosisAccuracy(Additive):
    """The share of units that are called what they are.

    Args:
        classes: C.
    """

    name = "accuracy"
    unit = "share"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): right, and one."""
        right = called(outputs, self.classes) == np.asarray(truths)
        return np.stack([right, np.ones(len(right))], axis=1).astype(float)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class BalancedAccuracy(Additive):
    """The mean over the classes of the share of each that is called what it is; classes that do not occur are left out.

    Args:
        classes: C.
    """

    name = "balanced_accuracy"
    unit = "rate"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2 C): of its own class right, and its own class one."""
        truth = np.asarray(truths, np.int64)
        own = np.eye(self.classes)[truth]
        right = called(outputs, self.classes) == truth
        return np.concatenate([own * right[:, None], own], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        hits, counts = sums[:, : self.classes], sums[:, self.classes :]
        there = counts > 0
        recalls = np.where(there, hits / np.where(there, counts, 1), 0.0).sum(axis=1)
        return _ratio(recalls, there.sum(axis=1).astype(float))


class Sensitivity(Additive):
    """The share of the ill that are flagged at the stated operating point; NaN where that was not chosen.

    Args:
        classes: C.
    """

    name = "sensitivity"
    unit = "share"
    _of_the_ill = True

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): counted and right, and counted."""
        threshold = thresholds_of(outputs, self.classes)[1]
        flagged = scores_of(outputs, self.classes) >= np.nan_to_num(threshold, nan=2.0)
        counts = ((np.asarray(truths) != 0) == self._of_the_ill) & ~np.isnan(threshold)
        return np.stack([counts & (flagged == self._of_the_ill), counts], axis=1).astype(float)

    def counted(self, statistics: Values) -> Array:
        """The ill, or those without a finding."""
        return np.asarray(statistics, float)[:, 1] > 0

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class Specificity(Sensitivity):
    """The share of those without a finding that are not flagged at the stated operating point."""

    name = "specificity"
    _of_the_ill = False


class MeanAuc(Metric):
    """The mean of the areas under the ROC curves of each class against all others; of those that occur.

    Args:
        classes: C.
    """

    name = "auc"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, C + 1): the probabilities, and the true class."""
        shares = probabilities_of(outputs, self.classes)
        return np.concatenate([shares, np.asarray(truths, float).reshape(-1, 1)], axis=1)

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        kept, one = np.asarray(statistics, float), BinaryAuc()
        areas = [one.aggregate(np.stack([kept[:, place], kept[:, -1] == place], axis=1), weights)
                 for place in range(self.classes)]  # fmt: skip
        known = [area for area in areas if not np.isnan(area)]
        return float(np.mean(known)) if known else float("nan")


class DiagnosisLogLoss(LogLoss):
    """As `LogLoss`, of outputs that hold thresholds, too.

    Args:
        classes: C.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """See `LogLoss.statistics`."""
        return super().statistics(probabilities_of(outputs, self.classes), truths)


def diagnosis_metrics(classes: int, healthy: bool) -> Sequence[Metric]:
    """AUC first; sensitivity and specificity where one class is that without a finding."""
    area: Metric = BinaryAuc() if classes == 2 else MeanAuc(classes)
    point = (Sensitivity(classes), Specificity(classes)) if healthy else ()
    return (area, DiagnosisAccuracy(classes), BalancedAccuracy(classes), *point, DiagnosisLogLoss(classes))


@dataclass(frozen=True)
class Thresholds:
    """Scores from which on a unit is called ill, and flagged; NaN where the validation side cannot tell."""

    decision: float
    operating: float


def choose_thresholds(scores: Array, ill: Array, at_sensitivity: float, groups: Array | None = None) -> Thresholds:
    """Both thresholds, from units that the model was not trained on.

    A unit is called ill from the score on at which the ill and the others are recognised best, both counted alike
    (Youden 1950): how common the illness is among the training data says nothing of how common it is elsewhere. It is
    flagged from the highest score on that leaves the wanted share of the ill flagged.

    Args:
        scores: (U,) how ill each looks, from 0 to 1.
        ill: (U,) bool.
        at_sensitivity: the wanted share.
        groups: (U,) which units belong together; None for each by itself.
    """
    if not ill.any() or ill.all():
        return Thresholds(float("nan"), float("nan"))
    of_ill = np.sort(scores[ill])
    missed = int(np.floor((1 - at_sensitivity) * len(of_ill) + 1e-9))
    below = of_ill[missed - 1] if missed else 0.0
    operating = float((of_ill[missed] + max(below, scores[scores < of_ill[missed]].max(initial=0.0))) / 2)
    return Thresholds(_balanced(scores, ill, groups), operating)


def _balanced(scores: Array, ill: Array, groups: Array | None) -> float:
    """The threshold of the best balanced accuracy, its log-odds averaged over resampled groups."""
    random = np.random.default_rng(0)
    names, member = np.unique(np.arange(len(scores)) if groups is None else groups, return_inverse=True)
    found = []
    for _ in range(_RESAMPLED):
        weights = random.multinomial(len(names), np.full(len(names), 1 / len(names)))[member]
        best = _best_cut(scores, ill, weights.astype(float))
        if best is not None:
            found.append(best)
    if not found:
        return 0.5
    middle = float(np.mean([np.log(one / (1 - one)) for one in np.clip(found, _TINY, 1 - _TINY)]))
    return float(1 / (1 + np.exp(-middle)))


def _best_cut(scores: Array, ill: Array, weights: Array) -> float | None:
    """The middle of the gap between scores at which balanced accuracy is best; None where one side is missing."""
    values, place = np.unique(scores, return_inverse=True)
    ups = np.bincount(place, weights * ill, len(values))
    downs = np.bincount(place, weights * ~ill, len(values))
    if not ups.sum() or not downs.sum():
        return None
    hit = 1 - (np.cumsum(ups) - ups) / ups.sum()  # called ill from each value on
    spared = (np.cumsum(downs) - downs) / downs.sum()
    best = hit + spared
    place_of = np.flatnonzero(best >= best.max() - 1e-12)
    chosen = int(place_of[len(place_of) // 2])
    return float((values[chosen] + (values[chosen - 1] if chosen else 0.0)) / 2)


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
