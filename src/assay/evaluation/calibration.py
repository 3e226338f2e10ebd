"""How far a confidence can be believed: temperature scaling, reliability, calibration error, Brier score.

Sources: temperature scaling (Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017),
with the softened targets of Platt ("Probabilistic outputs for support vector machines", 1999), so that a network that
is right about every validation unit does not become certain; the expected calibration error over bins of equal mass and
its correction for the noise in each bin (Kumar, Liang and Ma, "Verified uncertainty calibration", NeurIPS 2019); the
basic bootstrap interval (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 5.2.1), which
turns the upward bias of a resampled error round; the score of Brier (1950) over all classes.

Shapes: U units, C classes, B bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, resampled
from assay.evaluation.metrics import Additive, Values

Array = np.ndarray[Any, Any]
BINS = 15
#: Fewer independent units than this fit no temperature.
FEWEST = 50
#: At least so many units to a bin.
_IN_A_BIN = 20
_COLDEST, _HOTTEST = 0.1, 100.0
#: What stands for a probability of exactly 0: the smallest that the float32 of a network can tell from it.
_LEAST = 2.0**-149
#: Of how good the answers in a bin are, at least.
_LEAST_VARIANCE = 1e-8


def sharpen(probabilities: Array, temperature: float) -> Array:
    """(U, C) probabilities p as p^(1/T) / sum p^(1/T): what softmax gives of logits divided by T.

    The order of the classes stays. At a temperature of 1 they are given back as they are; a probability of 0 stays next
    to 0 only as far as float32 could have told it from 0.
    """
    if temperature == 1.0:
        return probabilities
    scaled = _logarithms(probabilities) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Array, truths: Array, groups: Array) -> float:
    """The temperature at which the log loss is least; 1 where there are too few units, or next to nothing is gained.

    The loss is convex in 1/T. One more unit, whose truth is any class alike, is counted with the others; a temperature
    has to gain more than a nat over all independent units together, as Akaike's criterion asks of a parameter.

    Args:
        probabilities: (U, C) on units that the network was not trained on.
        truths: (U,) their classes.
        groups: (U,) which units belong together.
    """
    from scipy.optimize import minimize_scalar

    independent = len(np.unique(groups))
    if independent < FEWEST:
        return 1.0
    logs = _logarithms(probabilities)
    soft = 1.0 / (len(logs) + 1)
    own = (1 - soft) * logs[np.arange(len(logs)), np.asarray(truths, np.int64)] + soft * logs.mean(axis=1)

    def loss(logarithm: float) -> float:
        sharpness = math.exp(-logarithm)
        scaled = sharpness * logs
        most = scaled.max(axis=1)
        total = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float((total - sharpness * own).mean())

    found = minimize_scalar(loss, bounds=(math.log(_COLDEST), math.log(_HOTTEST)), method="bounded")
    gained = independent * (loss(0.0) - float(found.fun))
    return round(math.exp(float(found.x)), 6) if gained > 1 else 1.0


@dataclass(frozen=True)
class Reliability:
    """How often answers of like confidence are right, or how good they are.

    Attributes:
        confidence: (B,) the mean of each bin, ascending.
        right: (B,) the share that is right, or the mean of how good answers are.
        count: (B,) units.
        noise: (B,) the standard error of `right`.
    """

    confidence: Array
    right: Array
    count: Array
    noise: Array


def top_label(probabilities: Array, truths: Array) -> tuple[Array, Array]:
    """(U,) the probability of the answered class, and (U,) 1.0 where that is the true one, else 0.0."""
    answered = probabilities.argmax(axis=1)
    confidence = np.asarray(probabilities[np.arange(len(answered)), answered], float)
    return confidence, (answered == np.asarray(truths)).astype(float)


def reliability(confidence: Array, right: Array, bins: int = BINS) -> Reliability:
    """Bins of equal mass; units of the same confidence share a bin, so there may be fewer.

    Args:
        confidence: (U,) from 0 to 1.
        right: (U,) 0 or 1, or how good an answer is, from 0 to 1.
        bins: how many at most; fewer where that would leave fewer than 20 units in each.
    """
    place = _places(confidence, _edges(confidence, bins))
    count = np.bincount(place).astype(float)
    kept = count > 0
    means = [np.bincount(place, values)[kept] / count[kept] for values in (confidence, right)]
    if np.isin(right, (0, 1)).all():
        # Of a bin in which all are right, or none is, the share is not known without any doubt.
        share = (means[1] * count[kept] + 0.5) / (count[kept] + 1)
        variance = share * (1 - share)
    else:
        squares = np.bincount(place, np.square(right))[kept] / count[kept]
        variance = np.maximum(squares - means[1] ** 2, _LEAST_VARIANCE)
    return Reliability(means[0], means[1], count[kept].astype(np.int64), np.sqrt(variance / count[kept]))


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error: the mean over units of the distance of confidence and share right in their bin.

    Attributes:
        error: as the field measures it, which is never 0 on finitely many units; with its interval.
        debiased: without what the noise in the bins adds; with the same interval.
    """

    error: Estimate
    debiased: Estimate


def calibration_error(confidence: Array, right: Array, groups: Array, bins: int = BINS) -> CalibrationError:
    """The binned error of a confidence, with a bootstrap interval over groups.

    The interval begins at 0 where noise alone gives an honest confidence as large an error in one of forty draws.

    Args:
        confidence: (U,) from 0 to 1.
        right: (U,) 0 or 1, or how good an answer is, from 0 to 1.
        groups: (U,) which units belong together.
        bins: how many bins of equal mass at most.
    """
    edges = _edges(confidence, bins)
    metric = _BinnedGaps(edges, np.zeros(len(edges) + 1))
    value = metric.value(confidence, right)
    corrected = _debiased(reliability(confidence, right, bins))
    if len(np.unique(groups)) < 3:
        return CalibrationError(Estimate(value), Estimate(corrected))
    most, least = np.quantile(resampled(metric, confidence, right, groups), [0.975, 0.025]).tolist()
    low, high = max(0.0, 2 * value - most), max(0.0, 2 * value - least)
    honest = resampled(_BinnedGaps(edges, metric.gaps(confidence, right)), confidence, right, groups)
    if value <= np.quantile(honest, 0.975):
        low = 0.0
    error = Estimate(value, min(low, value), max(high, value))
    return CalibrationError(error, Estimate(corrected, min(low, corrected), max(high, corrected)))


class _BinnedGaps(Additive):
    """The calibration error over fixed bins; outputs are confidences (U,), truths 1.0 where the answer is right.

    Args:
        edges: (B - 1,) what parts the bins.
        honest: (B,) the distance in each bin, as a share of all units, that counts as none: 0, or under resampling the
            distances found, to see what noise alone would make of a confidence that is honest.
    """

    name = "ece"
    higher_is_better = False

    def __init__(self, edges: Array, honest: Array) -> None:
        self._edges, self._honest = edges, honest

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, B + 1): confidence minus right in the unit's bin, and one."""
        confidence, right = np.asarray(outputs, float), np.asarray(truths, float)
        kept = np.zeros((len(confidence), len(self._edges) + 2))
        kept[np.arange(len(confidence)), _places(confidence, self._edges)] = confidence - right
        kept[:, -1] = 1.0
        return kept

    def gaps(self, confidence: Array, right: Array) -> Array:
        """(B,) the mean of confidence minus right over all units, by bin."""
        return np.asarray(self.statistics(confidence, right)[:, :-1].mean(axis=0))

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        gaps = sums[:, :-1] / np.maximum(sums[:, -1:], 1.0)
        return np.asarray(np.abs(gaps - self._honest).sum(axis=1))


class Brier(Additive):
    """The mean squared distance of the probabilities from certainty about the true class; 0 is best, 2 worst."""

    name = "brier"
    higher_is_better = False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the squared distance, and one."""
        shares = np.asarray(outputs, float)
        own = shares[np.arange(len(shares)), np.asarray(truths, np.int64)]
        return np.stack([(shares**2).sum(axis=1) - 2 * own + 1, np.ones(len(shares))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(sums[:, 0] / np.maximum(sums[:, 1], 1.0))


def _logarithms(probabilities: Array) -> Array:
    shares = np.asarray(probabilities, float)
    return np.log(np.where(shares > 0, shares, _LEAST))


def _edges(confidence: Array, bins: int) -> Array:
    """What parts the bins: at most `bins` - 1 different confidences, each the first of its bin."""
    count = max(1, min(bins, len(confidence) // _IN_A_BIN))
    if count == 1:
        return np.zeros(0)
    return np.unique(np.quantile(confidence, np.arange(1, count) / count, method="higher"))


def _places(confidence: Array, edges: Array) -> Array:
    return np.asarray(np.searchsorted(edges, confidence, side="right"))


def _debiased(found: Reliability) -> float:
    """The binned error less what the noise of each bin's share adds to its distance (a folded normal's mean)."""
    from scipy.special import ndtr

    gap, noise = np.abs(found.confidence - found.right), found.noise
    folded = noise * math.sqrt(2 / math.pi) * np.exp(-((gap / noise) ** 2) / 2) + gap * (1 - 2 * ndtr(-gap / noise))
    weight = found.count / found.count.sum()
    return max(0.0, float((weight * (2 * gap - folded)).sum()))
