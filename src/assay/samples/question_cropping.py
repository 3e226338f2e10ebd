"""Texts that lose their beginning and end in training, so that an answer has to be found wherever it stands.

Shapes: B windows, T tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from assay.samples.draws import Draws

#: The segment of the text, see `Tokenizer.join`.
_TEXT = 1


def crop_texts(batch: Any, least: float, draws: Draws) -> Any:
    """Windows whose texts are a stretch of what they were, which holds the answer where there is one.

    Args:
        batch: `tokens`, `segments`, `looks` and `mask` (B, T), `places` (B, T, 2), `span` (B, 2); a text ends with a
            mark.
        least: the smallest share of a text that is left; shares are drawn evenly from here to 1.
        draws: the randomness.
    """
    mask = torch.ones_like(batch.tokens, dtype=torch.bool) if batch.mask is None else batch.mask
    text = (batch.segments == _TEXT) & mask
    length, begin = text.sum(dim=1) - 1, text.int().argmax(dim=1)  # the mark after a text stays
    share, place = draws.uniform("crop", 2).unbind(dim=1)
    first, last = batch.span.unbind(dim=1)
    there = first >= 0
    first, last = torch.where(there, first - begin, length), torch.where(there, last - begin, -1)
    kept = ((least + (1 - least) * share) * length).ceil().long().clamp_min(1)
    kept = torch.maximum(kept, torch.where(there, last - first + 1, 1)).minimum(length)
    low, high = (last + 1 - kept).clamp_min(0), torch.minimum(first, length - kept)
    start = low + (place * (high - low + 1)).long().minimum(high - low)
    numbers = torch.arange(mask.shape[1])[None] - begin[:, None]
    cut = text & (numbers < length[:, None]) & ((numbers < start[:, None]) | (numbers >= (start + kept)[:, None]))
    left = mask & ~cut
    order = torch.argsort((~left).int(), dim=1, stable=True)[:, : int(left.sum(dim=1).max())]
    moved = {name: getattr(batch, name).gather(1, order) for name in ("tokens", "segments", "looks")}
    places = batch.places.gather(1, order[:, :, None].expand(-1, -1, 2))
    span = torch.where(there[:, None], batch.span - start[:, None], batch.span)
    return replace(batch, **moved, places=places, span=span, mask=left.gather(1, order))
