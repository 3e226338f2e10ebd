"""How good tracks are: drift over distance, absolute and relative errors, how far off the places are.

Outputs and truths are `Track`s; they are compared at the truth's times.

Shapes: U drives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Array, Metric, Values
from assay.evaluation.tracks import Track, together
from assay.evaluation.trajectories import (
    KITTI_LENGTHS_M,
    Drift,
    absolute_errors,
    drift,
    planar_poses,
    relative_errors,
)

#: Poses further apart than this (seconds) begin a segment of their own, about as KITTI's do at 10 Hz.
_EVERY_S = 1.0
#: Places a drive is thinned to, for percentiles.
_MOST = 2000


def drift_of(output: Track, truth: Track, lengths_m: Sequence[float]) -> Drift:
    """The errors of all segments of a drive; see `trajectories.drift`."""
    track, true = together(output, truth)
    if len(true) < 2:
        none = np.zeros(0)
        return Drift(none, none.astype(int), none.astype(int), none, none)
    every = max(1, round(_EVERY_S / float(np.median(np.diff(true.time)))))
    poses = planar_poses(track.place, track.heading), planar_poses(true.place, true.heading)
    return drift(*poses, lengths_m, every)


def place_errors(output: Track, truth: Track) -> Array:
    """(N,) metres from the true place; a track that is not anchored is laid on the true path's first pose."""
    track, true = together(output, truth)
    if not len(true):
        return np.zeros(0)
    poses = planar_poses(track.place, track.heading), planar_poses(true.place, true.heading)
    return absolute_errors(*poses, "none" if output.anchored else "start")


class TranslationalDrift(Additive):
    """How wrong the way over 100 to 800 m is, as a share of its length: KITTI's measure, from above."""

    name = "drift"
    higher_is_better = False
    unit = "rate"

    def __init__(self, lengths_m: Sequence[float] = KITTI_LENGTHS_M) -> None:
        self._lengths = tuple(lengths_m)

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of the segments' shares, and how many there are."""
        found = [
            drift_of(output, truth, self._lengths).translation for output, truth in zip(outputs, truths, strict=True)
        ]
        return np.asarray([[one.sum(), len(one)] for one in found], float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums)


class RotationalDrift(Additive):
    """By how much the heading is off over the same ways, degrees for each 100 m."""

    name = "heading_drift"
    higher_is_better = False
    unit = "degrees/100 m"

    def __init__(self, lengths_m: Sequence[float] = KITTI_LENGTHS_M) -> None:
        self._lengths = tuple(lengths_m)

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum over segments, and how many there are."""
        found = [drift_of(output, truth, self._lengths).rotation for output, truth in zip(outputs, truths, strict=True)]
        return np.asarray([[100 * np.degrees(one).sum(), len(one)] for one in found], float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums)


class PositionError(Additive):
    """The root of the mean square distance from the true place, metres."""

    name = "position_error"
    higher_is_better = False
    unit = "m"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of squares, and of how many poses."""
        found = [place_errors(output, truth) for output, truth in zip(outputs, truths, strict=True)]
        return np.asarray([[(one**2).sum(), len(one)] for one in found], float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(np.sqrt(_ratio(sums)))


class AbsoluteTrajectoryError(PositionError):
    """The same once each track is shifted and turned onto the true path as well as can be (ATE)."""

    name = "ate"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of squares, and of how many poses."""
        rows = []
        for output, truth in zip(outputs, truths, strict=True):
            track, true = together(output, truth)
            poses = planar_poses(track.place, track.heading), planar_poses(true.place, true.heading)
            errors = absolute_errors(*poses) if len(true) else np.zeros(0)
            rows.append([(errors**2).sum(), len(errors)])
        return np.asarray(rows, float).reshape(-1, 2)


class RelativePoseError(PositionError):
    """The root of the mean square error of the motion within ten seconds (RPE), metres."""

    name = "rpe_10s"
    _SECONDS = 10.0

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of squares, and of how many pairs of poses."""
        rows = []
        for output, truth in zip(outputs, truths, strict=True):
            track, true = together(output, truth)
            last = np.searchsorted(true.time, true.time + self._SECONDS - 1e-6)
            first = np.flatnonzero(last < len(true))
            errors = np.zeros(0)
            if len(first):
                poses = planar_poses(track.place, track.heading), planar_poses(true.place, true.heading)
                errors = relative_errors(*poses, first, last[first])[0]
            rows.append([(errors**2).sum(), len(errors)])
        return np.asarray(rows, float).reshape(-1, 2)


class HorizontalError(Metric):
    """The distance from the true place that a share of all places keeps within, metres.

    Args:
        share: such as .95.
    """

    higher_is_better = False
    unit = "m"

    def __init__(self, share: float) -> None:
        self._share = share
        self.name = f"horizontal_{round(100 * share)}"  # type: ignore[misc]

    def statistics(self, outputs: Values, truths: Values) -> list[Array]:
        """The errors of each drive, thinned where there are very many."""
        found = [np.sort(place_errors(output, truth)) for output, truth in zip(outputs, truths, strict=True)]
        return [one if len(one) <= _MOST else one[np.linspace(0, len(one) - 1, _MOST).astype(int)] for one in found]

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        kept = [(one, weight) for one, weight in zip(statistics, weights, strict=True) if weight > 0 and len(one)]
        if not kept:
            return float("nan")
        errors = np.concatenate([one for one, _ in kept])
        weight = np.concatenate([np.full(len(one), each) for one, each in kept])
        order = np.argsort(errors, kind="stable")
        reached = np.cumsum(weight[order]) >= self._share * weight.sum() - 1e-9
        return float(errors[order][int(np.argmax(reached))])


def track_metrics(gnss: bool, lengths_m: Sequence[float]) -> tuple[Metric, ...]:
    """What is measured, the primary metric first: places where there are fixes of GNSS, else drift."""
    drifts: tuple[Metric, ...] = (TranslationalDrift(lengths_m), RotationalDrift(lengths_m))
    places: tuple[Metric, ...] = (PositionError(), HorizontalError(0.5), HorizontalError(0.95))
    others: tuple[Metric, ...] = (AbsoluteTrajectoryError(), RelativePoseError())
    return (*places, *drifts, *others) if gnss else (*drifts, *places, *others)


def _ratio(sums: Any) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)
