"""Which labels look wrong, from what a network says that has not seen them.

Source: C. Northcutt, L. Jiang and I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 2021.

Shapes: U units, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LabelIssues:
    """What confident learning says of a set of labels.

    Attributes:
        quality: (U,) from 0 to 1, the label's own probability; the lowest first is the order to look in.
        suggested: (U,) the class that fits best.
        wrong: (U,) True where the label is among those that look wrong.
        joint: (C, C) the estimated number of units by label (row) and true class (column).
    """

    quality: Array
    suggested: Array
    wrong: Array
    joint: Array


def find_label_issues(probabilities: Array, labels: Array) -> LabelIssues:
    """Labels that a network disagrees with more confidently than it usually is.

    A unit counts for the true class k where its probability of k is at least what units labelled k have on average; of
    several such classes the likeliest. Units that count for another class than their label's, and whose label is not
    the likeliest class, look wrong. Their order is that of the label's own probability: a margin between two classes
    is -1 for whole crowds of units where networks are sure of themselves, and says nothing of their order.

    Args:
        probabilities: (U, C) from networks that were not trained on the unit.
        labels: (U,) int, the labels as given.
    """
    scores, labels = np.asarray(probabilities, float), np.asarray(labels, np.int64)
    count, classes = scores.shape
    own = scores[np.arange(count), labels]
    held = np.bincount(labels, minlength=classes)
    usual = np.bincount(labels, own, minlength=classes) / np.maximum(held, 1)
    usual[held == 0] = np.inf
    others = scores.copy()
    others[np.arange(count), labels] = -np.inf
    rival = others.argmax(axis=1)
    doubted = own < others.max(axis=1) if classes > 1 else np.zeros(count, bool)
    above = np.where(scores >= usual, scores, -np.inf)
    true = above.argmax(axis=1)
    confident = np.isfinite(above.max(axis=1))
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[confident], true[confident]), 1.0)
    joint += np.diag((joint.sum(axis=1) == 0) & (held > 0))
    rows = joint.sum(axis=1, keepdims=True)
    joint = joint / np.where(rows > 0, rows, 1) * held[:, None]
    wrong = confident & (true != labels) & doubted
    return LabelIssues(own, np.where(doubted, rival, labels), wrong, joint)
