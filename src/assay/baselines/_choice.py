"""Logistic regression among the candidates of a question: which of them is the answer.

The probability of a candidate is the softmax of scores over the candidates of its question. A score is linear in the
candidate's features; each word that tells the kind of a question adds weights of its own.

Source: D. McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.

Shapes: C candidates of a question, R those of all, G questions, D numbers, K frequent words, Q kinds, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from assay.baselines._question_features import BESIDE, Features

Array = np.ndarray[Any, Any]
#: How much weaker the penalty is on what holds for all questions than on what holds for one kind.
_SHARED = 0.1


@dataclass(frozen=True)
class Choice:
    """Weights (1 + Q, F) float64: those for all questions, then those of each kind; F is D and four times K + 1."""

    weights: Array

    def scores(self, features: Features) -> Array:
        """(C,) of the candidates of a question."""
        own = self.weights[0] + features.kind @ self.weights[1:]
        nothing = np.zeros(len(features.spans), np.int64)
        return _scored(features.numbers, features.beside, own[None], nothing, np.asarray([0, len(nothing)]))


@dataclass(frozen=True)
class Asked:
    """Training questions, all candidates one after the other.

    Attributes:
        numbers: (R, D) float32.
        beside: (R, 4).
        kind: (G, 1 + Q), the first is one.
        question: (R,) ascending.
        truth: (R,) the share of a question's probability that each should have.
    """

    numbers: Array
    beside: Array
    kind: Array
    question: Array
    truth: Array


def asked(features: Sequence[Features], truths: Sequence[Array], kept: Sequence[Array]) -> Asked:
    """Questions for `fit_choice`.

    Args:
        features: of each question.
        truths: (C,) of each, which sum to one.
        kept: the candidates of each that are learned from.
    """
    rows = list(zip(features, truths, kept, strict=True))
    return Asked(
        np.concatenate([one.numbers[keep] for one, _, keep in rows]),
        np.concatenate([one.beside[keep] for one, _, keep in rows]),
        np.stack([np.r_[1.0, one.kind] for one, _, _ in rows]),
        np.repeat(np.arange(len(rows)), [len(keep) for _, _, keep in rows]),
        np.concatenate([truth[keep] for _, truth, keep in rows]),
    )


def fit_choice(data: Asked, frequent: int, penalty: float, rounds: int, start: Choice | None = None) -> Choice:
    """The weights under which the true candidates are most probable.

    Args:
        data: the questions.
        frequent: K.
        penalty: of the squared weights of the kinds, for each question.
        rounds: of the search, at most.
        start: where it begins.
    """
    from scipy.optimize import minimize

    kinds, count = data.kind.shape[1], data.numbers.shape[1] + BESIDE * (frequent + 1)
    strength = np.full((kinds, count), penalty * len(data.kind))
    strength[0] *= _SHARED
    bounds = np.r_[np.flatnonzero(np.r_[True, np.diff(data.question) > 0]), len(data.question)]
    firsts = bounds[:-1]

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(kinds, count)
        scores = _scored(data.numbers, data.beside, data.kind @ weights, data.question, bounds)
        scores -= np.maximum.reduceat(scores, firsts)[data.question]
        powers = np.exp(scores)
        totals = np.add.reduceat(powers, firsts)
        chances = powers / totals[data.question]
        value = -float(data.truth @ (scores - np.log(totals)[data.question]))
        off = (chances - data.truth).astype(np.float32)
        gradient = data.kind.T @ _gathered(data, off, bounds, frequent)
        return value + 0.5 * float((strength * weights**2).sum()), (gradient + strength * weights).ravel()

    begin = np.zeros(kinds * count) if start is None else start.weights.ravel()
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    return Choice(found.x.reshape(kinds, count))


def _scored(numbers: Array, beside: Array, own: Array, question: Array, bounds: Array) -> Array:
    """(R,) scores, where `own` (G, F) are each question's weights, and its candidates those between two `bounds`."""
    width = numbers.shape[1]
    wide = own[:, :width].astype(np.float32)
    scores = np.zeros(len(numbers))
    for place, (first, end) in enumerate(pairwise(bounds.tolist())):  # small products: they stay in the cache
        scores[first:end] = numbers[first:end] @ wide[place]
    step = (own.shape[1] - width) // BESIDE
    for place in range(BESIDE):
        scores += own[question, width + place * step + beside[:, place]]
    return scores


def _gathered(data: Asked, off: Array, bounds: Array, frequent: int) -> Array:
    """(G, F) the sum of the features of each question's candidates, times `off` (R,)."""
    step = frequent + 1
    wide = [off[first:end] @ data.numbers[first:end] for first, end in pairwise(bounds.tolist())]
    parts = [np.stack(wide)]
    for place in range(BESIDE):
        cells = data.question * step + data.beside[:, place]
        parts.append(np.bincount(cells, off, len(data.kind) * step).reshape(-1, step))
    return np.hstack(parts)
