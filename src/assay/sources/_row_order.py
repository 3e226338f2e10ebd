"""Rows of a log that were written out of order, by their times.

Shapes: T rows of a log.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: So few rows in a row that stand elsewhere in time were written out of order; and all of a log whose clock is set back
#: at more than this share of its rows was shuffled.
_STRAYS, _SHUFFLED = 3, 0.05


def usual_step(times: Array) -> float:
    """The usual step of times (T,), of those ahead."""
    steps = np.diff(times)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.1


def is_shuffled(times: Array, disorder_s: float) -> bool:
    """Whether a clock goes back by more than that so often that the rows must have been shuffled."""
    return bool((np.diff(times) < -disorder_s).sum() > max(_STRAYS, _SHUFFLED * len(times)))


def strays(times: Array, disorder_s: float) -> Array:
    """(T,) bool, the few rows in a row that stand far in time from where those around them stand.

    Args:
        times: (T,) seconds.
        disorder_s: rows that are nearer than this are where they belong.
    """
    from scipy.ndimage import median_filter

    window = 2 * _STRAYS + 3
    around = median_filter(times.astype(np.float64), window, mode="nearest")
    return np.asarray(np.abs(times - around) > max(disorder_s, window * usual_step(times)))
