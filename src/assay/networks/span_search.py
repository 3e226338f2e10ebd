"""The best spans of a text, and which of them to answer with, out of the scores of their ends.

Shapes: B texts, T tokens, N spans.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.arrays import largest, softmax

Array = np.ndarray[Any, Any]
#: The logit of what is not possible.
NEVER = -1e4


def best_spans(spans: Array, none: Array, longest: int, count: int = 1) -> tuple[Array, Array, Array]:
    """The spans of at most `longest` tokens that score highest.

    Args:
        spans: (B, T, 2) logits of the first and the last token.
        none: (B,) the logit of there being no answer, among those of either end.
        longest: the most tokens of a span.
        count: how many are wanted.

    Returns:
        First tokens, last tokens (B, count) int64, and log-probabilities (B, count) float32 among all spans and no
        answer; the probability of no answer is what is left. Places that no answer may stand at have a log-probability
        below -1000.
    """
    scores = _scores(spans, longest)
    flat = scores.reshape(len(scores), -1)
    total = _logsumexp(np.concatenate([flat, 2 * none.astype(np.float32)[:, None]], axis=1))
    count = min(count, flat.shape[1])
    place = np.stack([largest(row, count) for row in flat]) if len(flat) else np.zeros((0, count), np.int64)
    best = np.take_along_axis(flat, place, axis=1)
    return place // scores.shape[2], place % scores.shape[2], best - total[:, None]


def spans_log_odds(spans: Array, none: Array, longest: int) -> Array:
    """(B,) the log-odds of all spans of at most `longest` tokens together against no answer."""
    scores = _scores(spans, longest)
    return np.asarray(_logsumexp(scores.reshape(len(scores), -1)) - 2 * none.astype(np.float32))


def likely(first: Array, last: Array, logs: Array) -> Array:
    """(B,) which of some spans shares most with what may be right: the one with the highest expected F1 of its tokens.

    Where two spans that share their end are each a third probable and another span 34 %, one of the two is the better
    bet.

    Args:
        first: (B, N) the spans' first tokens.
        last: (B, N) their last ones.
        logs: (B, N) their log-probabilities.

    Source: S. Kumar, W. Byrne, "Minimum Bayes-risk decoding for statistical machine translation", NAACL 2004.
    """
    shared = np.minimum(last[:, :, None], last[:, None]) - np.maximum(first[:, :, None], first[:, None]) + 1
    # A short text has fewer spans than were asked for: the others end before they begin.
    size = (last - first + 1).clip(min=1)
    f1 = 2 * shared.clip(min=0) / (size[:, :, None] + size[:, None])
    return np.asarray((f1 * softmax(logs, axis=1)[:, None]).sum(axis=2).argmax(axis=1))


def _scores(spans: Array, longest: int) -> Array:
    """(B, T, T) of each first and last token."""
    ends = spans.astype(np.float32, copy=False)
    scores = ends[:, :, None, 0] + ends[:, None, :, 1]
    places = np.arange(spans.shape[1])
    length = places[None, :] - places[:, None]
    scores[:, (length < 0) | (length >= longest)] = 2 * NEVER
    return np.asarray(scores)


def _logsumexp(values: Array) -> Array:
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))
