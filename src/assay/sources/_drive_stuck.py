"""Rows of a log at which the wheel's sensor or the camera is stuck, as far as other columns show that it is no rest.

Shapes: T rows of a log, in the order of its clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: A wheel that is not in its middle and does not move at all for so many seconds and rows may be stuck, and a camera
#: that repeats a frame for so long.
_STUCK_S, _STUCK_ROWS, _CAMERA_S = 5.0, 20, 1.0
#: A wheel that otherwise, too, repeats its value so often counts in steps: to repeat one says little.
_COARSE = 0.2
#: Slower than this (in the unit of the log) a car stands.
_STANDS = 0.1


def stuck(steering: Array, speed: Array | None, times: Array) -> Array:
    """(T,) bool, True where the wheel is stuck, from the second row on of each such run.

    A car that stands with its wheel turned, or goes round a long bend at a speed that stays the same to the last digit,
    shows no fault; nor does a wheel that is told in steps.
    """
    same = np.r_[False, (np.diff(steering) == 0) & (steering[1:] != 0)]
    found = np.zeros(len(steering), bool)
    for start, stop in _runs(same):
        if stop - start + 1 >= _STUCK_ROWS and times[stop - 1] - times[start - 1] >= _STUCK_S:
            found[start:stop] = _moved(speed, start - 1, stop)
    others = ~found & (steering != 0)
    if others.any() and (same & others).sum() > _COARSE * others.sum():
        return np.zeros(len(steering), bool)
    return found


def stuck_camera(digests: Sequence[str], speed: Array | None, steering: Array, times: Array) -> Array:
    """(T,) bool, True where a frame repeats the one before it and the car moves, in runs of a second and more.

    Without a speed (T,) the wheel tells: where it moves, so does what the camera sees.
    """
    same = np.r_[False, [first == second for first, second in pairwise(digests)]]
    if speed is not None:
        same &= speed > _STANDS
    found = np.zeros(len(same), bool)
    for start, stop in _runs(same):
        moved = speed is not None or np.ptp(steering[start - 1 : stop]) > 0
        if moved and times[stop - 1] - times[start - 1] >= _CAMERA_S:
            found[start:stop] = True
    return found


def _moved(speed: Array | None, start: int, stop: int) -> bool:
    """Whether the car moves in a run, and its speed changes there where it ever does; True where nothing tells."""
    if speed is None or not np.isfinite(speed[start:stop]).any():
        return True
    here = speed[start:stop]
    changes = np.nanmin(here) < np.nanmax(here) or np.nanmin(speed) == np.nanmax(speed)
    return bool(np.nanmax(here) > _STANDS and changes)


def _runs(marked: Array) -> list[tuple[int, int]]:
    """Begin and end of each run of True; none begins at the first row."""
    edges = np.flatnonzero(np.diff(np.r_[False, marked, False]))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
