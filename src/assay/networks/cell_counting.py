"""How many of the candidates in a picture are cells, where that is to be counted rather than cut at a threshold.

The probabilities of peaks are calibrated on the validation side (Platt 1999), and as many of the surest are kept as the
calibrated ones sum to: the expected number of cells. A threshold drops every cell of a faint picture, and keeps every
doubtful one of a rich one; their sum errs in neither way.

Shapes: N candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Peaks of a lower probability than this are no candidates.
LEAST = 0.1
_FEWEST, _STEPS, _CLIP = 20, 60, 1e-6


def expected(probability: Array, slope: float, offset: float) -> float:
    """How many cells candidates of these probabilities (N,) are expected to be, see `fit_counting`."""
    return float(_chance(_logit(probability), slope, offset).sum())


def least_counted(probability: Array, slope: float, offset: float) -> float:
    """The lowest probability among as many of the surest candidates (N,) as are expected; infinite where none is.

    >>> least_counted(np.array([0.9, 0.2, 0.9]), 1.0, 0.0)
    0.9
    """
    keep = round(expected(probability, slope, offset))
    return float(np.sort(probability)[-min(keep, len(probability))]) if keep else float("inf")


def fit_counting(pictures: Sequence[tuple[Array, Array, int]]) -> tuple[float, float] | None:
    """Slope and offset of the log-odds of candidates; None where too few are known.

    Args:
        pictures: of each the probabilities of its candidates (N,), which of them are cells (N,) bool, and how
            many cells there are; those without a candidate raise what the others are expected to be.
    """
    from scipy.optimize import brentq
    from sklearn.linear_model import LogisticRegression

    probability = np.concatenate([one for one, _, _ in pictures] or [np.zeros(0)])
    true = np.concatenate([one for _, one, _ in pictures] or [np.zeros(0, bool)])
    total = sum(count for _, _, count in pictures)
    if min(true.sum(), (~true).sum()) < _FEWEST or total >= len(probability):
        return None
    logit = _logit(probability)
    slope = float(LogisticRegression().fit(logit[:, None], true).coef_[0, 0])
    if slope <= 0:
        return None
    bound = _STEPS + slope * float(np.abs(logit).max())
    return slope, float(brentq(lambda offset: _chance(logit, slope, offset).sum() - total, -bound, bound))


def _logit(probability: Array) -> Array:
    clipped = np.clip(np.asarray(probability, np.float64), _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _chance(logit: Array, slope: float, offset: float) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * logit + offset, -_STEPS, _STEPS))))
