"""How far the confidence of answers can be believed that are neither a class nor a number: spans, translations.

Such an answer says how sure it is, from 0 to 1, and was more or less good, from 0 to 1. Two questions are apart: does
the confidence rank answers, and is it on the scale of how good they are? A monotone map cannot mend the first and does
mend the second.

Sources: the map of few answers is Platt's ("Probabilistic outputs for support vector machines", 1999), that of many is
isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
estimates", KDD 2002); which of the two from how many on: Niculescu-Mizil and Caruana, "Predicting good probabilities
with supervised learning", ICML 2005. What is gained by leaving out the least sure: El-Yaniv and Wiener, "On the
foundations of noise-free selective classification", JMLR 11, 2010.

Shapes: U units, K knots, S shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.calibration import FEWEST
from assay.evaluation.metrics import Additive, Metric, Values

Array = np.ndarray[Any, Any]
#: From so many independent units on the map is isotonic.
MANY = 1000
#: Knots of a map that is a logistic curve, and how near to 0 and 1 confidences are told apart.
_KNOTS, _NEAR = 65, 1e-6


@dataclass(frozen=True)
class ConfidenceMap:
    """What a stated confidence stands for: a rising curve through knots, level beyond them.

    Attributes:
        stated: (K,) confidences, ascending.
        expected: (K,) how good the answers are that state them, from 0 to 1, not descending.
        kind: "isotonic" or "logistic".
    """

    stated: tuple[float, ...]
    expected: tuple[float, ...]
    kind: str

    def __call__(self, confidence: Array) -> Array:
        """(U,) how good answers of these confidences are expected to be."""
        return np.asarray(np.interp(np.asarray(confidence, float), self.stated, self.expected))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {"kind": self.kind, "stated": list(self.stated), "expected": list(self.expected)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ConfidenceMap:
        """The inverse of `to_json`; raises `ValueError` for knots that are no rising curve from 0 to 1."""
        stated, expected = (np.asarray(data[name], float) for name in ("stated", "expected"))
        rising = stated.ndim == 1 and stated.shape == expected.shape and len(stated) > 0
        if not rising or (np.diff(stated) <= 0).any() or (np.diff(expected) < 0).any():
            raise ValueError("the knots of a confidence map do not rise")
        if not ((expected >= 0) & (expected <= 1)).all() or not np.isfinite(stated).all():
            raise ValueError("the knots of a confidence map are not from 0 to 1")
        return ConfidenceMap(tuple(stated.tolist()), tuple(expected.tolist()), str(data["kind"]))


def fit_map(confidence: Array, goodness: Array, groups: Array) -> ConfidenceMap | None:
    """The map under which confidences come closest to how good answers are; None for too few units.

    As if one more perfect and one more useless answer had been seen, so that nothing is certain.

    Args:
        confidence: (U,) from 0 to 1, of units that the network was not trained on.
        goodness: (U,) from 0 to 1.
        groups: (U,) which units belong together.
    """
    independent = len(np.unique(groups))
    if independent < FEWEST:
        return None
    soft = 1 / (len(goodness) + 2)
    wanted = soft + (1 - 2 * soft) * np.asarray(goodness, float)
    return (_isotonic if independent >= MANY else _logistic)(np.asarray(confidence, float), wanted)


def _isotonic(confidence: Array, wanted: Array) -> ConfidenceMap:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=float(wanted.min()), y_max=float(wanted.max())).fit(confidence, wanted)
    # The two ends of a level stretch may be given as one place.
    stated, first = np.unique(fitted.X_thresholds_, return_index=True)
    return ConfidenceMap(tuple(stated.tolist()), tuple(fitted.y_thresholds_[first].tolist()), "isotonic")


def _logistic(confidence: Array, wanted: Array) -> ConfidenceMap:
    from scipy.optimize import minimize
    from scipy.special import expit

    scores = _log_odds(confidence)

    def loss(line: Array) -> tuple[float, Array]:
        """Cross-entropy of wanted values from expit(line[0] scores + line[1]), and its gradient."""
        logits = line[0] * scores + line[1]
        off = expit(logits) - wanted
        return float((np.logaddexp(0, logits) - wanted * logits).mean()), np.stack([(off * scores).mean(), off.mean()])

    found = minimize(loss, np.asarray([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    places = np.unique(np.linspace(scores.min(), scores.max(), _KNOTS))
    expected = expit(found.x[0] * places + found.x[1])
    return ConfidenceMap(tuple(expit(places).tolist()), tuple(expected.tolist()), "logistic")


def _log_odds(confidence: Array) -> Array:
    shares = np.clip(confidence, _NEAR, 1 - _NEAR)
    return np.asarray(np.log(shares / (1 - shares)))


class RankCorrelation(Additive):
    """Spearman's correlation of confidences (outputs) and how good answers are (truths); NaN where one is constant.

    Under resampling the ranks stay those among all units.
    """

    name = "rank_correlation"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 6): both ranks, their squares and product, and one."""
        from scipy.stats import rankdata

        first, second = (rankdata(values) / max(1, len(values)) - 0.5 for values in (outputs, truths))
        return np.stack([first, second, first**2, second**2, first * second, np.ones(len(first))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second, squares, others, products = (sums[:, place] / sums[:, 5] for place in range(5))
            spread = np.sqrt(np.maximum(squares - first**2, 0) * np.maximum(others - second**2, 0))
            return np.where(spread > 1e-12, (products - first * second) / spread, np.nan)


def surest(confidence: Array, share: float) -> Array:
    """(U,) bool: the units with the highest confidence, a share of all; of equal ones those that come first."""
    chosen = np.zeros(len(confidence), bool)
    chosen[np.argsort(-confidence, kind="stable")[: round(share * len(confidence))]] = True
    return chosen


def selective_curve(metric: Metric, outputs: Values, truths: Values, confidence: Array, shares: Array) -> Array:
    """(S,) a metric over the surest answers alone, for each share of all."""
    statistics = metric.statistics(outputs, truths)
    return np.asarray([metric.aggregate(statistics, surest(confidence, share).astype(float)) for share in shares])
