"""Where a drive begins and in which direction, found by laying its first stretch of odometry on the fixes of GNSS.

Shapes: T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.trajectories import umeyama

Array = np.ndarray[Any, Any]
#: The deviation of the heading (radians) that is good enough to begin with, and the most that is taken at all.
_WANTED, _MOST = 0.1, 0.5
#: So long is waited for it, seconds.
WAIT_S = 120.0
#: Fixes that lie further off than so many times the median are left out of the second fit.
_OUTLIER = 4.0


@dataclass(frozen=True)
class Start:
    """The pose before the first step.

    Attributes:
        pose: (3,) east, north, heading.
        spread: (3, 3) covariance.
        anchored: it was found from fixes; else it is (0, 0, 0).
        steps: how many steps it took to find it; their fixes have had their say.
    """

    pose: Array
    spread: Array
    anchored: bool
    steps: int


def nowhere(steps: int = 0) -> Start:
    """A start that nothing is known about: the track begins at (0, 0), and that is where it begins."""
    return Start(np.zeros(3), 1e-9 * np.eye(3), False, steps)


def find_start(place: Array, fixes: Array | None, step_s: float, *, ended: bool = True) -> Start | None:
    """The start of a drive.

    Args:
        place: (T + 1, 2) metres of odometry alone, from (0, 0) towards the east.
        fixes: (T, 4), see `pose_filter.filtered`.
        step_s: seconds of a step.
        ended: nothing more comes; else None is given where more may help.
    """
    most = round(WAIT_S / step_s)
    rows = np.flatnonzero(fixes[:most, 2] > 0) if fixes is not None else np.zeros(0, np.int64)
    found: Start | None = None
    for count in range(2, len(rows) + 1) if fixes is not None else ():
        used = rows[:count]
        found = _laid(place[used + 1], np.asarray(fixes)[used], int(used[-1]) + 1) or found
        if found is not None and found.spread[2, 2] <= _WANTED**2:
            return found
    if not ended and len(place) - 1 < most:
        return None
    return found or nowhere(min(most, len(place) - 1))


def _laid(place: Array, fixes: Array, steps: int) -> Start | None:
    """The start by some fixes; None where the car has hardly moved between them."""
    sigma = float(np.median(fixes[:, 2]))
    points = fixes[:, :2].astype(float)
    spread = float(((place - place.mean(axis=0)) ** 2).sum())
    if spread <= (sigma / _MOST) ** 2:
        return None
    moved = umeyama(place, points)
    off = np.linalg.norm(moved.points(place) - points, axis=1)
    near = off <= _OUTLIER * max(float(np.median(off)), sigma)
    if near.sum() >= 2 and not near.all():
        moved = umeyama(place[near], points[near])
        spread = float(((place[near] - place[near].mean(axis=0)) ** 2).sum())
        if spread <= (sigma / _MOST) ** 2:
            return None
    heading = float(np.arctan2(moved.rotation[1, 0], moved.rotation[0, 0]))
    return Start(np.r_[moved.shift, heading], _covariance(place[near], moved.rotation, sigma, spread), True, steps)


def _covariance(place: Array, rotation: Array, sigma: float, spread: float) -> Array:
    """(3, 3) of least squares: the middle of the fixes is known, and the turn about it, from which the start is far."""
    x, y = rotation @ -place.mean(axis=0)
    turn = sigma**2 / spread
    aside = np.asarray([-y, x, 1.0])  # how the start moves, and turns, for each radian
    return np.asarray(turn * np.outer(aside, aside) + sigma**2 / len(place) * np.diag([1.0, 1.0, 0.0]))
