"""Weights of a translation's features under which held-out sentences are translated best.

Sources: expected BLEU over lists of the best translations, by its gradient (Rosti et al. 2010); lists grow from search
to search, as in minimum error rate training (Och 2003).

Shapes: N sentences, H translations of all of them, F features, R sums of the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.baselines._phrase_translator import Translation
from assay.evaluation.translation_metrics import Bleu

Array = np.ndarray[Any, Any]
_ORDER = 4  # of BLEU
_NEAR = 0.05  # how strongly weights are held near those that they start from
_STEPS = 60
_PATIENCE = 1  # further searches after one that was no better than the best so far


@dataclass
class Lists:
    """The different translations of each sentence that searches have found.

    Args:
        truths: (N,) the sentences' true translations.
        metric: BLEU, with the tokens that suit the language.
    """

    truths: Sequence[str]
    metric: Bleu
    _seen: dict[tuple[int, str], int] = field(default_factory=dict)
    _features: list[Array] = field(default_factory=list)
    _statistics: list[Array] = field(default_factory=list)

    def add(self, found: Sequence[Sequence[Translation]]) -> int:
        """Take in the translations (N lists) of another search, and say how many of them are new."""
        new: list[tuple[int, str]] = []
        for number, translations in enumerate(found):
            for one in translations:
                key = (number, one.text)
                if key not in self._seen:
                    self._seen[key] = len(self._seen)
                    self._features.append(one.features)
                    new.append(key)
        if new:
            texts = [text for _, text in new]
            self._statistics += list(self.metric.statistics(texts, [self.truths[number] for number, _ in new]))
        return len(new)

    def best(self, start: Array) -> Array:
        """Weights (F,) of the highest expected BLEU, found by L-BFGS from `start` on."""
        from scipy.optimize import minimize

        owner = np.asarray([number for number, _ in self._seen], np.int64)
        order = np.argsort(owner, kind="stable")
        features, statistics = np.stack(self._features)[order], np.stack(self._statistics)[order]
        given = (features, statistics, owner[order], start)
        return np.asarray(minimize(_loss, start, given, "L-BFGS-B", jac=True, options={"maxiter": _STEPS}).x)


def tune_weights(
    search: Callable[[Array], Sequence[Sequence[Translation]]],
    lists: Lists,
    start: Array,
    rounds: int,
    enough: Callable[[], bool],
) -> tuple[Array, float, int]:
    """Search and choose in turns.

    Args:
        search: gives under weights (F,) the best translations of each of the N sentences, the best first.
        lists: an empty one.
        start: the weights (F,) to begin with.
        rounds: how often to search at most; it ends before where little or nothing new is found.
        enough: says before each further search that there shall be none.

    Returns:
        Of the weights that were searched with those of the highest BLEU, that BLEU, and how often was searched.
    """
    weights, best, kept, done, at = start, -np.inf, start, 0, 0
    while done < rounds and done - at <= _PATIENCE and not (done and enough()):
        found = search(weights)
        value = lists.metric.value([one[0].text if one else "" for one in found], list(lists.truths))
        done += 1
        if value > best:
            best, kept, at = value, weights, done
        if not lists.add(found):
            break
        weights = lists.best(kept)
    return kept, float(best), done


def _loss(weights: Array, features: Array, statistics: Array, owner: Array, near: Array) -> tuple[float, Array]:
    """Minus the logarithm of expected BLEU with a penalty for weights that go far, and the gradient (F,).

    Args:
        weights: (F,).
        features: (H, F).
        statistics: (H, R), see `Bleu.statistics`.
        owner: (H,) the sentence of each translation, ascending.
        near: (F,) the weights that are free of the penalty.
    """
    starts = np.flatnonzero(np.concatenate([[True], np.diff(owner) > 0]))
    slot = np.cumsum(np.concatenate([[0], np.diff(owner) > 0]))
    scores = features @ weights
    shares = np.exp(scores - np.maximum.reduceat(scores, starts)[slot])
    shares /= np.add.reduceat(shares, starts)[slot]
    value, slope = _log_bleu(shares @ statistics)
    gains = statistics @ slope
    mean = np.add.reduceat(shares * gains, starts)[slot]
    gradient = (shares * (gains - mean)) @ features
    away = weights - near
    return float(_NEAR * away @ away - value), 2 * _NEAR * away - gradient


def _log_bleu(sums: Array) -> tuple[float, Array]:
    """The logarithm of BLEU (from 0 to 1) for sums (R,) that need not be whole numbers, and its gradient (R,)."""
    slope = np.zeros(len(sums))
    written, wanted = max(sums[0], 1e-9), sums[1]
    right, total = np.maximum(sums[2 : 2 + _ORDER], 1e-3), np.maximum(sums[2 + _ORDER :], 1e-3)
    value = float(np.mean(np.log(right) - np.log(total)))
    slope[2 : 2 + _ORDER], slope[2 + _ORDER :] = 1 / (_ORDER * right), -1 / (_ORDER * total)
    if written < wanted:
        value += 1 - wanted / written
        slope[0], slope[1] = wanted / written**2, -1 / written
    return value, slope
