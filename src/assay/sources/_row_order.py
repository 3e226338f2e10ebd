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
#: A clock that says the same to so many rows, and more, counts more coarsely than the log was written.
_ROWS_A_TICK = 3


def usual_step(times: Array) -> float:
    """The usual step of times (T,), of those ahead."""
    steps = np.diff(times)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.1


def is_shuffled(times: Array, disorder_s: float) -> bool:
    """Whether a clock goes back by more than that so often that the rows must have been shuffled."""
    return bool((np.diff(times) < -disorder_s).sum() > max(_STRAYS, _SHUFFLED * len(times)))


def stands_still(times: Array) -> bool:
    """Whether a clock says the same in every row."""
    known = times[np.isfinite(times)]
    return len(known) > 2 and bool((known == known[0]).all())


def spread_out(times: Array) -> Array | None:
    """(T,) the times of a coarse clock, such as whole seconds, with the rows of a tick spread over it.

    The first tick may have begun before the log did: its rows are then the last of it. None where most rows have a
    time of their own.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(times) != 0])
    if len(starts) < 2 or len(times) < _ROWS_A_TICK * len(starts):
        return None
    rows = np.diff(np.r_[starts, len(times)])
    usual = int(np.median(rows))
    within = np.arange(len(times)) - np.repeat(starts, rows)
    within[: rows[0]] += max(0, usual - int(rows[0]))
    return np.asarray(times + usual_step(times) * within / np.repeat(np.maximum(rows, usual), rows))


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
