"""From a network's scores of tokens to spans of characters, with what the network says of every other span.

Shapes: B windows, T tokens, C tokens of one window's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.evaluation.spans import Reading
from assay.networks.span_search import best_spans, likely, spans_log_odds
from assay.samples.question_windows import CONTEXT

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]
#: Windows whose spans are weighed at once: each has T times T of them.
_AT_ONCE = 32
#: How many of the most probable spans of a window are compared.
_WEIGHED = 30
_IMPOSSIBLE = -1e4


def read_windows(network: nn.Module, batch: Any, longest: int) -> list[Reading]:
    """What a network says of each window of a batch, (B,).

    Args:
        network: tokens, segments, looks and mask (B, T) to `SpanScores`.
        batch: questions in windows, as `assay.samples.question_windows.QuestionWindows` has them, padded.
        longest: the most tokens of an answer.
    """
    found: list[Reading] = []
    for start in range(0, len(batch.tokens), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        mask = batch.mask[rows]
        end = int(np.flatnonzero(array_of(mask).any(axis=0)).max()) + 1
        fields = (batch.tokens, batch.segments, batch.looks)
        tokens, segments, looks = (value[rows, :end] for value in fields)
        scores: Any = network(tokens, segments, looks, mask[:, :end])
        ends = scores if isinstance(scores, tuple) else (scores.spans, scores.none)
        places = array_of(batch.places[rows, :end])
        shown = (array_of(segments) == CONTEXT) & (places[:, :, 1] > 0)
        known = (array_of(batch.text[rows]), array_of(batch.text_mask[rows]), batch.shift[rows].tolist())
        texts = list(zip(*known, strict=True))
        spans, none = (array_of(one) for one in ends)
        found += _readings(spans, none, places, shown, texts, longest)
    return found


def _readings(
    spans: Array, none: Array, places: Array, shown: Array, texts: list[tuple[Array, Array, int]], longest: int
) -> Iterator[Reading]:
    """The reading of each window: places (B, T, 2) of its tokens, and which of them are the text's (B, T)."""
    odds = spans - none[:, None, None]
    totals = spans_log_odds(spans, none, longest).tolist()
    first, last, logs = best_spans(spans, none, longest, _WEIGHED)
    ends = np.stack([first, last], axis=2)
    for row, chosen in enumerate(likely(first, last, logs).tolist()):
        (left, right), top = ends[row, chosen], ends[row, 0]
        values, there, shift = texts[row]
        own = shown[row]
        if not own.any():  # a text of nothing that has a token
            nothing = np.zeros((0, 2))
            yield Reading(0, 0, "", 2 * _IMPOSSIBLE, 2 * _IMPOSSIBLE, nothing.astype(np.int32), nothing.astype("f4"))
            continue
        start, end = int(places[row, left, 0]), int(places[row, right, 1])
        text = values[there].tobytes().decode("utf-8", "replace")[max(0, start - shift) : max(0, end - shift)]
        best = float(odds[row, top[0], 0] + odds[row, top[1], 1])
        yield Reading(start, end, text, best, totals[row], places[row][own], odds[row][own])
