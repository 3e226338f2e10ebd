"""Sets of classes and intervals of numbers that hold the truth with a stated probability: split conformal prediction.

What the network says of calibration units, which it was not trained on, tells how far an answer must be widened. The
promise holds on average over calibration and new units of the same kind, whatever the network is worth. Sources: Vovk,
Gammerman and Shafer, "Algorithmic learning in a random world" (2005), for the method and for thresholds by class
(Mondrian); Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels" (JASA 2019),
for the score of a class, one minus its probability; Lei et al., "Distribution-free predictive inference for regression"
(JASA 2018), for absolute residuals.

Shapes: N calibration units, U units, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Values

Array = np.ndarray[Any, Any]
#: How often the truth may be missed.
MISSED = 0.1
#: A class with fewer calibration units than this takes the threshold of all classes together.
OWN_THRESHOLD = 20


def threshold(scores: Array, missed: float = MISSED) -> float:
    """The score that at most a share `missed` of new units lie above; infinite where there are too few to say.

    The ceil((N + 1) (1 - missed))-th smallest of the calibration units' scores (N,).
    """
    rank = math.ceil((len(scores) + 1) * (1 - missed) - 1e-9)
    if rank > len(scores):
        return math.inf
    return float(np.partition(np.asarray(scores, float), rank - 1)[rank - 1])


@dataclass(frozen=True)
class ClassSets:
    """How unlikely each class may be and still stay in the set.

    Attributes:
        thresholds: (C,) of one minus the probability.
        own: (C,) bool, whether a class had enough calibration units for a threshold of its own.
    """

    thresholds: Array
    own: Array

    def sets(self, probabilities: Array) -> Array:
        """(U, C) bool, which classes each unit's set holds; a set may be empty, where no class is likely enough."""
        return np.asarray(1.0 - np.asarray(probabilities, float) <= self.thresholds)


def class_sets(probabilities: Array, truths: Array, missed: float = MISSED) -> ClassSets:
    """Thresholds that cover each class by itself, as far as it has enough calibration units.

    Args:
        probabilities: (N, C) of calibration units.
        truths: (N,) their classes.
        missed: how often the truth may be missed.
    """
    shares, labels = np.asarray(probabilities, float), np.asarray(truths, np.int64)
    scores = 1.0 - shares[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=shares.shape[1])
    own = counts >= max(OWN_THRESHOLD, math.ceil(1 / missed - 1 - 1e-9))
    thresholds = np.full(shares.shape[1], threshold(scores, missed))
    for label in np.flatnonzero(own):
        thresholds[label] = threshold(scores[labels == label], missed)
    return ClassSets(thresholds, own)


class _Average(Additive):
    """The mean of outputs (U,) that are numbers; truths are not looked at."""

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the number, and one."""
        values = np.asarray(outputs, float)
        return np.stack([values, np.ones(len(values))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(sums[:, 0] / np.maximum(sums[:, 1], 1.0))


class Covered(_Average):
    """The share of units whose truth lies in their set or interval; outputs are (U,) bool."""

    name = "coverage"
    unit = "share"


class Mean(_Average):
    """The mean of numbers, such as the sizes of sets."""

    name = "mean"
