"""Where a drive begins and in which direction, found by laying its first stretch of odometry on the fixes of GNSS.

Shapes: T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.trajectories import Transform, umeyama

Array = np.ndarray[Any, Any]
#: The deviation of the heading (radians) that is good enough to begin with, and the most that is taken at all.
_WANTED, _MOST = 0.1, 0.5
#: So long is waited for it, seconds.
WAIT_S = 120.0
#: Fixes that lie further off than so many times the median are left out of the second fit.
_OUTLIER = 4.0
#: All fixes agree where none lies further off than so many deviations: about one true fix in 270,000 does.
_AGREE = 5.0
#: Where they do not, a start needs so many that agree, such a share of all, and that they scatter by no more than so
#: many times what they say. A single stray fix among the first few would otherwise turn the whole drive.
_FEWEST, _SHARE, _WORSE = 4, 2 / 3, 8.0
#: Fixes whose pairs are tried, at most.
_TRIED = 24


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
        one, sure = _laid(place[used + 1], np.asarray(fixes)[used], int(used[-1]) + 1)
        found = one or found
        if one is not None and sure and one.spread[2, 2] <= _WANTED**2:
            return one
    if not ended and len(place) - 1 < most:
        return None
    return found or nowhere(min(most, len(place) - 1))


def _laid(place: Array, fixes: Array, steps: int) -> tuple[Start | None, bool]:
    """The start by some fixes, None where the car has hardly moved between them; and whether they tell the same."""
    sigma = float(np.median(fixes[:, 2]))
    points = fixes[:, :2].astype(float)
    if _extent(place) <= (sigma / _MOST) ** 2:
        return None, False
    moved = umeyama(place, points)
    off = _off(moved, place, points)
    sure = bool(off.max() <= _AGREE * sigma)
    if not sure:
        moved = _consensus(place, points)
        off = _off(moved, place, points)
    near = off <= _OUTLIER * max(float(np.median(off)), sigma)
    if near.sum() >= 2 and not (sure and near.all()):
        moved = umeyama(place[near], points[near])
        if _extent(place[near]) <= (sigma / _MOST) ** 2:
            return None, False
    if not sure:  # the median of a distance in two dimensions is 1.18 deviations
        scatter = float(np.median(_off(moved, place, points)[near])) / 1.18
        sure = near.sum() >= max(_FEWEST, _SHARE * len(near)) and scatter <= _WORSE * sigma
        sigma = max(sigma, scatter)
    heading = float(np.arctan2(moved.rotation[1, 0], moved.rotation[0, 0]))
    spread = _covariance(place[near], moved.rotation, sigma, _extent(place[near]))
    return Start(np.r_[moved.shift, heading], spread, True, steps), bool(sure)


def _extent(place: Array) -> float:
    return float(((place - place.mean(axis=0)) ** 2).sum())


def _off(moved: Transform, place: Array, points: Array) -> Array:
    return np.asarray(np.linalg.norm(moved.points(place) - points, axis=1))


def _consensus(place: Array, points: Array) -> Transform:
    """The move by two of the fixes that lays odometry nearest to them all in the median: least median of squares.

    Source: Rousseeuw, "Least median of squares regression", JASA 79(388), 1984.
    """
    tried = np.unique(np.linspace(0, len(place) - 1, min(_TRIED, len(place))).astype(int))
    first, second = (tried[one] for one in np.triu_indices(len(tried), 1))
    way, goal = place[second] - place[first], points[second] - points[first]
    length = np.linalg.norm(way, axis=1)
    far = length >= length.max() / 4  # of two near ones nothing tells the heading
    first, second, way, goal = first[far], second[far], way[far], goal[far]
    turn = np.arctan2(goal[:, 1], goal[:, 0]) - np.arctan2(way[:, 1], way[:, 0])
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.stack([np.stack([cosine, -sine], axis=1), np.stack([sine, cosine], axis=1)], axis=1)
    middle, aim = (place[first] + place[second]) / 2, (points[first] + points[second]) / 2
    shift = aim - np.einsum("kij,kj->ki", rotation, middle)
    laid = np.einsum("kij,nj->kni", rotation, place) + shift[:, None]
    best = int(np.argmin(np.median(np.linalg.norm(laid - points, axis=2), axis=1)))
    return Transform(rotation[best], shift[best])


def _covariance(place: Array, rotation: Array, sigma: float, spread: float) -> Array:
    """(3, 3) of least squares: the middle of the fixes is known, and the turn about it, from which the start is far."""
    x, y = rotation @ -place.mean(axis=0)
    turn = sigma**2 / spread
    aside = np.asarray([-y, x, 1.0])  # how the start moves, and turns, for each radian
    return np.asarray(turn * np.outer(aside, aside) + sigma**2 / len(place) * np.diag([1.0, 1.0, 0.0]))
