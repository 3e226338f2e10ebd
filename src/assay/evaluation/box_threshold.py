"""The score from which on boxes count as found, and scores moved so that it becomes one half.

Shapes: n boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.box_matching import NOBODY, match
from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]


def choose_threshold(outputs: Values, truths: Values, otherwise: float) -> float:
    """The score from which on boxes are to count so that F1 is greatest, all classes together, at an overlap of .5.

    Args:
        outputs: boxes (n, 6) of each of some pictures, with all scores that can be of use.
        truths: objects (m, 6) of each.
        otherwise: what is given where no box is right.
    """
    scores, right, wanted = [np.zeros(0)], [np.zeros(0, bool)], 0
    for found, objects in zip(outputs, truths, strict=True):
        one = match(found, objects, (0.5,))
        scores.append(one.score[~one.ignored[0]])
        right.append(one.right[0][~one.ignored[0]])
        wanted += int((one.wanted != NOBODY).sum())
    return best_threshold(np.concatenate(scores), np.concatenate(right), wanted, otherwise)


def best_threshold(scores: Array, right: Array, wanted: int, otherwise: float) -> float:
    """See `choose_threshold`.

    Args:
        scores: (n,) of all boxes.
        right: (n,) bool, whether each finds an object that no better one found.
        wanted: how many objects there are.
        otherwise: what is given where no box is right.

    Returns:
        The middle between the last score that counts and the next.

    >>> best_threshold(np.asarray([0.9, 0.5, 0.3]), np.asarray([True, True, False]), 2, 0.5)
    0.4
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    last = np.flatnonzero(np.r_[np.diff(ranked) != 0, True]) if len(ranked) else np.zeros(0, np.int64)
    if not len(ranked) or not hits[-1]:
        return otherwise
    f1 = 2 * hits[last] / (last + 1 + wanted)
    place = int(f1.argmax())
    end = ranked[last[place]]
    following = ranked[last[place] + 1] if place + 1 < len(last) else end / 2
    return float((end + following) / 2)


def centred(scores: Array, threshold: float) -> Array:
    """Scores (n,) from 0 to 1, moved on the scale of log-odds so that `threshold` becomes one half."""
    clipped = np.clip(np.asarray(scores, np.float64), 1e-7, 1 - 1e-7)
    low = float(np.clip(threshold, 1e-7, 1 - 1e-7))
    odds = clipped / (1 - clipped) * ((1 - low) / low)
    return np.asarray(odds / (1 + odds))
