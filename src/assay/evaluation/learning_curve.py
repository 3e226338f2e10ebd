"""How an error falls with the number of samples: a power law, its slope and how sure that is.

Source: J. Hestness et al., "Deep learning scaling is predictable, empirically", 2017: over wide ranges the error falls
as a n^-b. R resamples, P points of a curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, resampled
from assay.evaluation.metrics import Metric, Values

Array = np.ndarray[Any, Any]
#: The standard deviation of the slope that no resampling shows: a power law is only nearly true, and the trainings that
#: it is read from are shorter than the one it is used for. Chosen on Fashion-MNIST's training images (`docs/log.md`).
SLOPE_DOUBT = 0.04
#: The steepest slope that is believed; statistics alone knows 1/2 and 1.
_STEEPEST = 1.0
_LEAST_ERROR = 1e-4


@dataclass(frozen=True)
class Answers:
    """What a model trained on `samples` samples says of the units that all are judged by."""

    samples: int
    outputs: Values


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = anchor_error (n / anchor)^-slope.

    Attributes:
        anchor: the number of samples that the model at hand was trained on.
        errors: (R,) its error under resampled units.
        slopes: (R,) the slope under the same.
        error: its error.
        slope: the slope.
    """

    anchor: int
    error: float
    slope: float
    errors: Array
    slopes: Array

    def at(self, samples: float) -> Estimate:
        """The error expected with another number of samples, with its 95 % interval."""
        ratio = samples / self.anchor
        draws = self.errors * ratio**-self.slopes
        low, high = np.quantile(draws, [0.025, 0.975])
        value = self.error * ratio**-self.slope
        return Estimate(value, min(float(low), value), max(float(high), value))


def error_of(metric: Metric, value: float | Array) -> Any:
    """A metric as an error that falls towards 0: one minus a share or a coefficient, or the value itself."""
    return 1 - np.asarray(value) if metric.higher_is_better else np.asarray(value)


def value_of(metric: Metric, error: float) -> float:
    """The inverse of `error_of`."""
    return 1 - error if metric.higher_is_better else error


def fit_power_law(
    metric: Metric, curve: Sequence[Answers], whole: Answers, truths: Values, groups: Array, seed: int = 0
) -> PowerLaw | None:
    """The power law through the points of a curve, moved onto the model at hand.

    Args:
        metric: what is measured; its error must fall towards 0 (`error_of`).
        curve: models trained on fewer samples, of at least two sizes, several of a size where there are.
        whole: the model at hand.
        truths: (U,) the truths of the units that all were asked about; none of them was trained on.
        groups: (U,) int64, the group of each unit.
        seed: of the resampling.

    Returns:
        None where a slope cannot be told: fewer than two sizes, or errors that are not finite.
    """
    sizes = np.log([part.samples for part in curve])
    if len(np.unique(sizes)) < 2:
        return None
    draws = [error_of(metric, resampled(metric, part.outputs, truths, groups, seed)) for part in (*curve, whole)]
    ones = np.ones(len(truths))
    points = [error_of(metric, metric.aggregate(metric.statistics(part.outputs, truths), ones))
              for part in (*curve, whole)]  # fmt: skip
    if not np.isfinite(points).all():
        return None
    logs = np.log(np.clip(np.stack(draws), _LEAST_ERROR, None))  # (P + 1, R)
    middle = np.log(np.clip(points, _LEAST_ERROR, None))
    slope, scatter = _slope(sizes, middle[:-1])
    slopes = np.asarray([_slope(sizes, column)[0] for column in logs[:-1].T])
    random = np.random.default_rng([seed, 7])
    slopes = slopes + random.normal(0.0, math.hypot(SLOPE_DOUBT, scatter), len(slopes))
    return PowerLaw(
        whole.samples, float(np.exp(middle[-1])), min(max(slope, 0.0), _STEEPEST),
        np.exp(logs[-1]), np.clip(slopes, 0.0, _STEEPEST),
    )  # fmt: skip


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Minus the slope of least squares, and its standard error from the scatter about the line (0 with two points)."""
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float((centred * (y - y.mean())).sum() / spread)
    left = y - y.mean() - slope * centred
    freedom = len(x) - 2
    return -slope, math.sqrt(float((left**2).sum()) / freedom / spread) if freedom > 0 else 0.0


def crossing(first: PowerLaw, second: PowerLaw) -> tuple[float, float | None, float | None] | None:
    """The number of samples from which on `first` is the better one, with its 95 % interval.

    None where the two do not cross within a thousand times more or fewer samples than at hand.
    """

    def solve(error: Any, other: Any, slope: Any, slope_other: Any) -> Any:
        with np.errstate(all="ignore"):
            return first.anchor * np.exp(np.log(error / other) / (slope - slope_other))

    value = float(solve(first.error, second.error, first.slope, second.slope))
    if first.slope <= second.slope or not first.anchor / 1000 < value < first.anchor * 1000:
        return None
    draws = solve(first.errors, second.errors, first.slopes, second.slopes)
    good = (first.slopes > second.slopes) & np.isfinite(draws)
    if good.mean() < 0.95:
        return value, None, None
    low, high = np.quantile(draws[good], [0.025, 0.975])
    return value, float(low), float(high)
