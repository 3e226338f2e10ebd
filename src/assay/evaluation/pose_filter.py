"""An extended Kalman filter of a car's pose in the plane, over several drives at once.

What moves the pose (speed ahead and to the left, turning) comes from outside: from wheels and a gyroscope, or from a
network. The filter follows, beside east, north and heading, three errors of it that last: of the scale of the speed, of
the turning (a gyroscope's bias), and of the wheels of an axle against one another. Fixes of GNSS correct all of them,
and so does whatever else says something about the three, one linear check a step.

Sources: the filter is the textbook's (Thrun, Burgard and Fox, "Probabilistic Robotics", 2005, chapters 3 and 7); fixes
that fit badly count less, by the square of how badly (iteratively reweighted, as in Agamennoni, Nieto and Nebot,
"Approximate inference in state-space models with heavy-tailed noise", IEEE TSP 60(10), 2012).

Shapes: B drives, T steps, 6 states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EAST, NORTH, HEADING, SCALE, BIAS, WHEELS = range(6)
_STATES = 6
#: Squared distances (in deviations, two dimensions) beyond which a fix counts less: one in a thousand true ones.
_GATE = 13.8


@dataclass(frozen=True)
class Odometry:
    """What moves the pose, and how far that can be trusted.

    Attributes:
        moved: (B, T, 3) m/s ahead and to the left, rad/s of turning.
        noise: (B, T, 3) the white noise of these, in their unit over the square root of a hertz.
        walk: (3,) by how much the errors walk, in their units over the square root of a second.
        start: (3,) the deviations of the errors at the start.
        checks: (B, T, 5) what three weights make of the errors, what that should be, and the variance of the
            difference, infinite where there is no check; None for none.
        coupled: a check corrects the pose, too. That is nearest to where the car is; but a heading that is set right in
            one step is a turn that the car never took, and lets the way that it came drift.
    """

    moved: Array
    noise: Array
    walk: tuple[float, float, float] = (0.0, 0.0, 0.0)
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)
    checks: Array | None = None
    coupled: bool = False


@dataclass(frozen=True)
class Filtered:
    """What came of it.

    Attributes:
        pose: (B, T, 3) east, north and heading after each step.
        spread: (B, T, 4) see `Track.spread`.
        errors: (B, T, 3) of scale, turning and wheels.
    """

    pose: Array
    spread: Array
    errors: Array


class PoseFilter:
    """The filter of several drives, which takes their steps in one piece or in several.

    Args:
        odometry: how errors walk and begin; its steps are given to `run`.
        step_s: seconds of a step.
        start: (B, 3) the pose before the first step.
        spread: (B, 3, 3) its covariance.
    """

    def __init__(self, odometry: Odometry, step_s: float, start: Array, spread: Array) -> None:
        drives = len(start)
        self._odometry, self._step_s = odometry, step_s
        self._state, self._covariance = np.zeros((_STATES, drives)), np.zeros((_STATES, _STATES, drives))
        self._state[:3] = start.T
        self._covariance[:3, :3] = spread.transpose(1, 2, 0)
        for row in range(3):
            self._covariance[3 + row, 3 + row] = odometry.start[row] ** 2

    def run(self, odometry: Odometry, fixes: Array | None) -> Filtered:
        """The next steps.

        Args:
            odometry: what moves the pose in them.
            fixes: (B, T, 4) east, north, deviation (0 for no fix), and by how many seconds it is older than the step's
                end; None for none.
        """
        drives, steps, _ = odometry.moved.shape
        state, covariance = self._state, self._covariance
        moved, noise = (np.ascontiguousarray(one.transpose(1, 2, 0)) for one in (odometry.moved, odometry.noise))
        found = np.empty((steps, 10, drives))
        busy = np.zeros(steps, bool) if fixes is None else np.asarray((fixes[:, :, 2] > 0).any(axis=0))
        for step in range(steps):
            _advance(state, covariance, moved[step], noise[step], odometry.walk, self._step_s)
            if odometry.checks is not None:
                _check(state, covariance, odometry.checks[:, step].T, odometry.coupled)
            if fixes is not None and busy[step]:
                _fix(state, covariance, fixes[:, step].T, moved[step])
            found[step, :_STATES] = state
            for place, (row, column) in enumerate(((EAST, EAST), (NORTH, NORTH), (EAST, NORTH), (HEADING, HEADING))):
                found[step, _STATES + place] = covariance[row, column]
        found = found.transpose(2, 0, 1)
        return Filtered(found[..., :3], found[..., _STATES:], found[..., 3:_STATES])


def filtered(odometry: Odometry, step_s: float, start: Array, spread: Array, fixes: Array | None) -> Filtered:
    """All steps of some drives: see `PoseFilter`."""
    return PoseFilter(odometry, step_s, start, spread).run(odometry, fixes)


def _advance(
    state: Array, covariance: Array, moved: Array, noise: Array, walk: tuple[float, float, float], step_s: float
) -> None:
    """One step of motion, in place."""
    ahead, left, turning = moved[0] * (1 + state[SCALE]), moved[1], moved[2] - state[BIAS]
    middle = state[HEADING] + turning * step_s / 2
    cosine, sine = np.cos(middle), np.sin(middle)
    east, north = step_s * (ahead * cosine - left * sine), step_s * (ahead * sine + left * cosine)
    state[EAST] += east
    state[NORTH] += north
    state[HEADING] += step_s * turning
    weights = ((EAST, HEADING, -north), (EAST, SCALE, step_s * moved[0] * cosine), (EAST, BIAS, step_s / 2 * north),
               (NORTH, HEADING, east), (NORTH, SCALE, step_s * moved[0] * sine), (NORTH, BIAS, -step_s / 2 * east),
               (HEADING, BIAS, -step_s))  # fmt: skip
    for to, of, weight in weights:
        covariance[to] += weight * covariance[of]
    for to, of, weight in weights:
        covariance[:, to] += weight * covariance[:, of]
    along, across, turn = step_s * noise**2
    covariance[EAST, EAST] += along * cosine**2 + across * sine**2
    covariance[NORTH, NORTH] += along * sine**2 + across * cosine**2
    mixed = (along - across) * cosine * sine
    covariance[EAST, NORTH] += mixed
    covariance[NORTH, EAST] += mixed
    covariance[HEADING, HEADING] += turn
    for place in range(3):
        covariance[3 + place, 3 + place] += walk[place] ** 2 * step_s


def _check(state: Array, covariance: Array, check: Array, coupled: bool) -> None:
    """Take in what says something about the errors that last; where it is not coupled, the pose's gain is none."""
    weights, wanted, variance = check[:3], check[3], check[4]
    there = np.isfinite(variance)
    toward = np.where(there, (covariance[:, 3:] * weights).sum(axis=1), 0.0)
    total = (toward[3:] * weights).sum(axis=0) + np.where(there, variance, 1.0)
    gain = toward / total
    if not coupled:
        gain[:3] = 0.0
    state += gain * (wanted - (weights * state[3:]).sum(axis=0))
    mixed = gain[:, None] * toward[None]
    covariance += gain[:, None] * gain[None] * total - mixed - mixed.transpose(1, 0, 2)


def _fix(state: Array, covariance: Array, fix: Array, moved: Array) -> None:
    """Take in fixes; what fits badly counts less.

    A fix is older than the step's end by less than a step: the way since is taken off the place, and how it depends on
    the heading and the scale is left out, since that is far less than a fix's own deviation.
    """
    there = fix[2] > 0
    heading = state[HEADING]
    back = fix[3]
    ahead, left = moved[0] * (1 + state[SCALE]), moved[1]
    off = np.stack([
        fix[0] - (state[EAST] - back * (ahead * np.cos(heading) - left * np.sin(heading))),
        fix[1] - (state[NORTH] - back * (ahead * np.sin(heading) + left * np.cos(heading))),
    ])  # fmt: skip
    variance = np.where(there, fix[2] ** 2, np.inf)
    a, b, c = covariance[EAST, EAST] + variance, covariance[NORTH, NORTH] + variance, covariance[EAST, NORTH]
    with np.errstate(invalid="ignore"):
        distance = np.where(there, (b * off[0] ** 2 - 2 * c * off[0] * off[1] + a * off[1] ** 2) / (a * b - c**2), 0.0)
    variance = variance * np.maximum(1.0, distance / _GATE)
    before = state[:2].copy()
    for row in (EAST, NORTH):
        toward = covariance[:, row].copy()
        gain = toward / (toward[row] + variance)
        state += gain * np.where(there, off[row] - (state[row] - before[row]), 0.0)
        covariance -= gain[:, None] * toward[None]
