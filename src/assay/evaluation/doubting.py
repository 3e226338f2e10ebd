"""How sure a network must be to be believed against labels: what doubts of boxes, masks and cells have in common.

Shapes: R right answers, A answers that contradict a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: How sure nine of ten right answers are at least; and the surest of ten, for a network that is often wrong.
_USUAL, _SUREST = 0.1, 0.9
#: Where more of what a network says than this contradicts labels, it is the network that is wrong rather than they.
_MOST_AGAINST = 0.07
#: Right answers that a class needs for a sureness of its own.
FEW = 5


def sure_enough(right: Array, against: Array) -> float:
    """From which sureness on a network is believed.

    As low as nine of ten right answers reach, as long as no more than 7 % of what is said so surely contradicts labels;
    where that is never so, what but one of ten right answers reaches.

    >>> import numpy as np
    >>> right = np.linspace(0.5, 1.0, 101)
    >>> sure_enough(right, np.zeros(0)), sure_enough(right, np.full(10, 0.7)), sure_enough(right, np.full(50, 1.0))
    (0.55, 0.705, 0.95)

    Args:
        right: (R,) how sure right answers are, at least one.
        against: (A,) how sure those are that contradict a label.
    """
    right, against = np.sort(np.asarray(right, float)), np.sort(np.asarray(against, float))
    lowest, highest = (float(np.quantile(right, share)) for share in (_USUAL, _SUREST))
    tried = np.unique(right[(right >= lowest) & (right <= highest)])
    agree = len(right) - np.searchsorted(right, tried)
    contradict = len(against) - np.searchsorted(against, tried)
    fits = tried[contradict <= _MOST_AGAINST * (agree + contradict)]
    return round(float(fits[0]), 6) if len(fits) else highest


def sure_by_class(right: Sequence[tuple[int, float]], against: Sequence[tuple[int, float]], classes: int) -> Array:
    """(C,) the same for each class that is told, given pairs of class and sureness; of all where a class has few."""
    found = []
    for number in range(classes):
        own = [sure for label, sure in right if label == number]
        other = [sure for label, sure in against if label == number]
        if len(own) < FEW:
            own, other = ([sure for _, sure in pairs] for pairs in (right, against))
        found.append(sure_enough(np.asarray(own), np.asarray(other)) if own else 1.0)
    return np.asarray(found)
