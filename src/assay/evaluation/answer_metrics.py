"""How good answers to questions are, each a span of the text that was asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.evaluation.answers import best_over_truths, exact_match, token_f1
from assay.evaluation.metrics import Additive, Values, _ratio

Array = np.ndarray[Any, Any]


class AnswerF1(Additive):
    """The mean over questions of the F1 score of the answer's tokens, against the best of several true answers.

    Outputs are `Span`s; a truth is a tuple of (text, start), empty where the question has no answer.
    """

    name = "f1"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the F1 score, and one."""
        return _statistics(token_f1, outputs, truths)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class ExactMatch(Additive):
    """The share of questions whose answer is one of the true ones, but for case, punctuation and articles.

    Outputs and truths are as for `AnswerF1`.
    """

    name = "exact_match"
    unit = "share"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): right (0 or 1), and one."""
        return _statistics(exact_match, outputs, truths)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


def answer_scores(score: Callable[[str, str], float], outputs: Values, truths: Values) -> Array:
    """(U,) the score of each answer against the best of its truths."""
    pairs = zip(outputs, truths, strict=True)
    return np.asarray([best_over_truths(score, span.text, [text for text, _ in truth]) for span, truth in pairs], float)


def _statistics(score: Callable[[str, str], float], outputs: Values, truths: Values) -> Array:
    values = answer_scores(score, outputs, truths)
    return np.stack([values, np.ones(len(values))], axis=1)
