"""How an error falls with the number of samples: a power law, its slope and how sure that is.

Source: J. Hestness et al., "Deep learning scaling is predictable, empirically", 2017: over wide ranges the error falls
as a n^-b. R resamples, P points of a curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.evaluation.intervals import Estimate, resampled
from assay.evaluation.metrics import Metric, Values

Array = np.ndarray[Any, Any]
Order = Literal["first", "second", "overtakes", "overtaken", "unknown"]
#: The standard deviation of the slope that no resampling of test units shows: a power law is only nearly true, and
#: other training samples would have given other points. `docs/log.md` tells how the three below were checked.
SLOPE_DOUBT = 0.04
#: The slope ahead as a share of the slope so far: errors flatten towards what no amount of data takes away.
FLATTENING = 0.85
#: The standard deviation of an error's logarithm between two trainings alike, on other samples of one size.
TRAINING_DOUBT = 0.03
#: The steepest slope that is read from trainings, and that is believed of what is ahead; statistics alone knows 1/2
#: and 1.
_STEEPEST, _STEEPEST_AHEAD = 2.0, 1.0
_LEAST_ERROR = 1e-4
#: The share of the draws that must agree before two curves are said to lie so.
_SURE = 0.95


@dataclass(frozen=True)
class Answers:
    """What a model trained on `samples` samples says of the units that all are judged by."""

    samples: int
    outputs: Values


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = error (n / anchor)^-slope up to the model at hand, and with a flatter slope beyond it (`_ahead`).

    Attributes:
        anchor: the number of samples that the model at hand was trained on.
        errors: (R,) its error under resampled units.
        slopes: (R,) the slope under the same.
        luck: (R,) the logarithm of what another training of another size would have made of the error by chance.
        error: its error.
        slope: the slope.
    """

    anchor: int
    error: float
    slope: float
    errors: Array
    slopes: Array
    luck: Array | float = 0.0

    def draws(self, samples: float) -> Array:
        """(R,) the errors expected with another number of samples.

        The model at hand is known; the further from it in size, the more a model is another one with its own luck, and
        from half or twice the size on it is that wholly.
        """
        other = min(1.0, abs(math.log2(samples / self.anchor)))
        return np.asarray(self.errors * self._factor(samples, self.slopes) * np.exp(other * self.luck))

    def _factor(self, samples: float, slope: Any) -> Any:
        """What another number of samples makes of the error."""
        ratio = samples / self.anchor
        return ratio ** -(_ahead(slope) if ratio > 1 else slope)

    def at(self, samples: float) -> Estimate:
        """The error expected with another number of samples, with its 95 % interval."""
        low, high = np.quantile(self.draws(samples), [0.025, 0.975])
        value = float(self.error * self._factor(samples, self.slope))
        return Estimate(value, min(float(low), value), max(float(high), value))


def error_of(metric: Metric, value: float | Array) -> Any:
    """A metric as an error that falls towards 0: what lacks to the best, or where less is better the value itself."""
    return metric.best - np.asarray(value) if metric.higher_is_better else np.asarray(value)


def value_of(metric: Metric, error: float) -> float:
    """The inverse of `error_of`."""
    return metric.best - error if metric.higher_is_better else error


def fit_power_law(
    metric: Metric,
    curve: Sequence[Answers],
    whole: Answers,
    truths: Values,
    groups: Array,
    seed: int = 0,
    doubt_seed: int = 0,
) -> PowerLaw | None:
    """The power law through the points of a curve, moved onto the model at hand.

    Args:
        metric: what is measured; its error must fall towards 0 (`error_of`).
        curve: models trained on fewer samples, of at least two sizes, several of a size where there are.
        whole: the model at hand.
        truths: (U,) the truths of the units that all were asked about; none of them was trained on.
        groups: (U,) int64, the group of each unit.
        seed: of the resampling; two laws with the same one can be compared.
        doubt_seed: of the doubt about the law itself; two laws with the same one would err alike.

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
    # No error among U units is no error of 0: half a unit stands for it.
    least = metric.best * max(_LEAST_ERROR, 0.5 / len(truths)) if metric.higher_is_better else _LEAST_ERROR
    logs = np.log(np.clip(np.stack(draws), least, None))  # (P + 1, R)
    middle = np.log(np.clip(points, least, None))
    slope, scatter = _slope(sizes, middle[:-1])
    slopes = np.asarray([_slope(sizes, column)[0] for column in logs[:-1].T])
    random = np.random.default_rng([seed, 7, doubt_seed])
    slopes = slopes + random.normal(0.0, math.hypot(SLOPE_DOUBT, scatter), len(slopes))
    luck = random.normal(0.0, math.sqrt(2) * TRAINING_DOUBT, len(slopes))
    error, slope = float(np.exp(middle[-1])), min(max(slope, 0.0), _STEEPEST)
    return PowerLaw(whole.samples, error, slope, np.exp(logs[-1]), np.clip(slopes, 0.0, _STEEPEST), luck)


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Minus the slope of least squares, and its standard error from the scatter about the line (0 with two points)."""
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float((centred * (y - y.mean())).sum() / spread)
    left = y - y.mean() - slope * centred
    freedom = len(x) - 2
    return -slope, math.sqrt(float((left**2).sum()) / freedom / spread) if freedom > 0 else 0.0


@dataclass(frozen=True)
class Meeting:
    """How two learning curves lie to one another within a range of sizes.

    Attributes:
        order: "first" is better over the whole range; "second" is; the first "overtakes" in it; it is "overtaken" in
            it; "unknown" where none of these holds in 95 % of the draws.
        at: the number of samples where they meet, with its 95 % interval; None where they do not meet in the range.
            Without bounds where the order is unknown, but their best guesses meet.
    """

    order: Order
    at: Estimate | None = None


def meeting(first: PowerLaw, second: PowerLaw, low: float, high: float) -> Meeting:
    """Which of two power laws is lower from `low` to `high` samples, or where they meet.

    Two power laws meet once at most, so what holds at both ends holds in between. Both must have been resampled alike,
    and be of models trained on the same number of samples.
    """
    ahead = [first.draws(size) < second.draws(size) for size in (low, high)]
    cases: dict[Order, Array] = {
        "first": ahead[0] & ahead[1],
        "second": ~ahead[0] & ~ahead[1],
        "overtakes": ~ahead[0] & ahead[1],
        "overtaken": ahead[0] & ~ahead[1],
    }
    likely: Order = next((name for name, held in cases.items() if held.mean() >= _SURE), "unknown")
    guess = _meets(first.anchor, first.error, second.error, first.slope, second.slope)
    inside = bool(low < guess < high)
    if likely in ("first", "second"):
        return Meeting(likely)
    if likely == "unknown":
        return Meeting("unknown", Estimate(float(guess)) if inside else None)
    held = cases[likely]
    found = _meets(first.anchor, first.errors, second.errors, first.slopes, second.slopes)[held]
    bounds = np.quantile(np.clip(found, low, high), [0.025, 0.975])
    value = float(guess) if inside else float(np.median(found))
    return Meeting(likely, Estimate(value, min(float(bounds[0]), value), max(float(bounds[1]), value)))


def _ahead(slope: Any) -> Any:
    """The slope beyond the data at hand, of the slope so far: (R,) or a number."""
    return FLATTENING * np.minimum(slope, _STEEPEST_AHEAD)


def _meets(anchor: int, error: Any, other: Any, slope: Any, other_slope: Any) -> Any:
    """The number of samples at which two errors are equal; not finite, or far away, where they fall side by side."""
    with np.errstate(all="ignore"):
        apart = np.log(np.maximum(error, _LEAST_ERROR) / np.maximum(other, _LEAST_ERROR))
        behind, ahead = apart / (slope - other_slope), apart / (_ahead(slope) - _ahead(other_slope))
        return anchor * np.exp(np.where(behind < 0, behind, np.where(ahead > 0, ahead, np.inf)))
