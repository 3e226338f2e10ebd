"""From a network's scores of tokens to spans of characters, with what the network says of every other span.

Shapes: B windows, T tokens, C tokens of one window's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.spans import Reading
from assay.networks.span_reader import CONTEXT

if TYPE_CHECKING:
    from torch import nn

    from assay.networks.spans import SpanScores

Array = np.ndarray[Any, Any]
#: Windows whose spans are weighed at once: each has T times T of them.
_AT_ONCE = 32
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
        end = int(mask.any(dim=0).nonzero().max()) + 1
        fields = (batch.tokens, batch.segments, batch.looks)
        tokens, segments, looks = (value[rows, :end] for value in fields)
        scores = network(tokens, segments, looks, mask[:, :end])
        shown = (segments == CONTEXT) & (batch.places[rows, :end, 1] > 0)
        texts = zip(batch.text[rows].numpy(), batch.text_mask[rows].numpy(), batch.shift[rows].tolist(), strict=True)
        found += _readings(scores, batch.places[rows, :end].numpy(), shown.numpy(), list(texts), longest)
    return found


def _readings(
    scores: SpanScores, places: Array, shown: Array, texts: list[tuple[Array, Array, int]], longest: int
) -> Iterator[Reading]:
    """The reading of each window: places (B, T, 2) of its tokens, and which of them are the text's (B, T)."""
    none = scores.none.float()
    odds = (scores.spans.float() - none[:, None, None]).numpy()
    totals = scores.log_odds(longest).tolist()
    surest = scores.best(longest)
    ends = (*scores.likely(longest), surest[0][:, 0], surest[1][:, 0])
    for row, (left, right, *top) in enumerate(zip(*(places.tolist() for places in ends), strict=True)):
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
