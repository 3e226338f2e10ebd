"""95 % intervals and paired comparisons, by resampling groups of units.

Sources: the percentile bootstrap (Efron 1979) over groups where units share one (cluster bootstrap). For shares of
independent units, where a bootstrap of few mistakes is too sure: Wilson's score interval (1927), and for the paired
difference of two shares that of Bonett and Price (Journal of Educational and Behavioral Statistics 37, 2012).

Shapes: U units, G groups, R resamples, K statistics of a unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Metric, Values

Array = np.ndarray[Any, Any]
RESAMPLES = 1000
#: The draws for up to so many groups stay in memory: 20 MB, those of two seeds or numbers of groups.
_KEPT_GROUPS = 10_000
_Z = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; the bounds are None where there are too few units to say."""

    value: float
    low: float | None = None
    high: float | None = None


def estimate(metric: Metric, outputs: Values, truths: Values, groups: Array, seed: int = 0) -> Estimate:
    """A metric over units with its interval.

    Args:
        metric: what is measured.
        outputs: (U,) the answers.
        truths: (U,) the truths.
        groups: (U,) int64, the group of each unit.
        seed: of the resampling.
    """
    if not len(truths):
        return Estimate(math.nan)
    statistics = metric.statistics(outputs, truths)
    value = metric.aggregate(statistics, np.ones(len(truths)))
    count = len(np.unique(groups))
    # Where all units are right, or none is, every resample says the same and would leave no doubt at all.
    if metric.unit == "share" and (count == len(groups) or value in (0.0, 1.0)):
        counted = metric.counted(statistics)
        return Estimate(value, *wilson(value, count if counted is None else len(np.unique(groups[counted]))))
    if count < 3:
        return Estimate(value)
    return Estimate(value, *_interval(_resampled(metric, statistics, groups, seed)))


def difference(
    metric: Metric, first: Values, second: Values, truths: Values, groups: Array, seed: int = 0, among: int = 1
) -> Estimate:
    """The metric of `first` minus that of `second` on the same units, with a paired interval (better is larger).

    For a metric of which less is better the sign is turned, so that a positive difference always speaks for `first`.

    Args:
        metric: what is measured.
        first: (U,) answers.
        second: (U,) the other answers.
        truths: (U,) the truths.
        groups: (U,) int64, the group of each unit.
        seed: of the resampling.
        among: how many differences are looked at together; all of their intervals hold at once in 95 % of the cases
            (Bonferroni), so that also that of the largest does.
    """
    if not len(truths):
        return Estimate(math.nan)
    sign = 1.0 if metric.higher_is_better else -1.0
    kept = [metric.statistics(outputs, truths) for outputs in (first, second)]
    ones = np.ones(len(truths))
    value = sign * (metric.aggregate(kept[0], ones) - metric.aggregate(kept[1], ones))
    count = len(np.unique(groups))
    simple = metric.unit == "share" and metric.counted(kept[0]) is None
    if simple and isinstance(metric, Additive) and count == len(groups):
        first_right, second_right = (metric.from_sums(np.asarray(statistics, float)) for statistics in kept)
        return Estimate(value, *paired_shares(sign * (first_right - second_right), among))
    if count < 3:
        return Estimate(value)
    draws = [_resampled(metric, statistics, groups, seed) for statistics in kept]
    return Estimate(value, *_interval(sign * (draws[0] - draws[1]), among))


def resampled(metric: Metric, outputs: Values, truths: Values, groups: Array, seed: int = 0) -> Array:
    """(R,) the metric under resampled groups; the same seed draws the same groups, whatever the outputs."""
    return _resampled(metric, metric.statistics(outputs, truths), groups, seed)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share of `count` independent units."""
    if not count or math.isnan(share):
        return 0.0, 1.0
    z2 = _Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def paired_shares(gains: Array, among: int = 1) -> tuple[float, float]:
    """The 95 % interval of the difference of two shares of the same independent units, never without doubt.

    As if two more units had been asked about, one that speaks for the first and one for the second.

    Args:
        gains: (U,) 1 where only the first is right about the unit, -1 where only the second is, else 0.
        among: see `difference`.
    """
    count = len(gains) + 2
    middle = float(np.sum(gains)) / count
    z = NormalDist().inv_cdf(1 - 0.025 / among)
    half = z * math.sqrt(((float(np.sum(gains**2)) + 2) / count - middle**2) / count)
    return max(-1.0, middle - half), min(1.0, middle + half)


def _resampled(metric: Metric, statistics: Values, groups: Array, seed: int) -> Array:
    """(R,) the metric under resampled groups; the same seed draws the same groups for every metric."""
    names, place = np.unique(groups, return_inverse=True)
    results: list[Array] = []
    if isinstance(metric, Additive):
        values = np.asarray(statistics, float)
        sums = np.stack([np.bincount(place, column, len(names)) for column in values.T], axis=1)
        for weights in _weights(len(names), seed):
            results.append(metric.from_sums(weights @ sums))
    else:
        for weights in _weights(len(names), seed):
            results.append(np.asarray([metric.aggregate(statistics, row[place]) for row in weights]))
    return np.concatenate(results)


def _weights(groups: int, seed: int) -> Iterator[Array]:
    """How often each group is drawn, (<= 100, G) at a time, R rows in all."""
    for counts in _kept(groups, seed) if groups <= _KEPT_GROUPS else _drawn(groups, seed):
        yield counts.astype(float)


@lru_cache(maxsize=2)
def _kept(groups: int, seed: int) -> tuple[Array, ...]:
    """The same draws for the next metric: to draw takes longer than what is done with it."""
    return tuple(counts.astype(np.uint16) for counts in _drawn(groups, seed))


def _drawn(groups: int, seed: int) -> Iterator[Array]:
    random = np.random.default_rng([seed, 95])
    for _ in range(0, RESAMPLES, 100):
        drawn = random.integers(0, groups, (100, groups))
        yield np.stack([np.bincount(row, minlength=groups) for row in drawn])


def _interval(values: Array, among: int = 1) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if len(known) < RESAMPLES / 2:
        return None, None
    low, high = np.quantile(known, [0.025 / among, 1 - 0.025 / among])
    return float(low), float(high)
