"""Texts as the cache holds them: tokens in windows, and the text itself beside the first window of each.

Shapes: N texts, W windows, T tokens of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from assay.samples.tokens import Tokenizer

Array = np.ndarray[Any, Any]
#: The share of a window that it has in common with the one before it, so that no phrase is cut in all of them.
_SHARED = 0.125


@dataclass(frozen=True)
class Windows:
    """Texts in windows.

    Attributes:
        tokens: W arrays (T,) int32; from `cut` with the marks that the tokeniser puts around a text.
        text: W arrays of uint8, the UTF-8 bytes of a text beside its first window, nothing beside the others.
        row: (W,) int64, the text that each window is from.
    """

    tokens: list[Array]
    text: list[Array]
    row: Array


def cut(texts: Sequence[str], tokenizer: Tokenizer, longest: int) -> Windows:
    """Texts in windows of at most `longest` tokens, of about one length where a text takes several."""
    tokens: list[Array] = []
    stored: list[Array] = []
    rows: list[int] = []
    room = max(1, longest - tokenizer.marks())
    for row, (text, ids) in enumerate(zip(texts, tokenizer.encode_batch(texts), strict=True)):
        pieces = _pieces(ids, room)
        tokens += [tokenizer.join(piece).ids for piece in pieces]
        stored += [text_bytes(text), *(text_bytes("") for _ in pieces[1:])]
        rows += [row] * len(pieces)
    return Windows(tokens, stored, np.asarray(rows, np.int64))


def text_bytes(text: str) -> Array:
    """(N,) uint8 in UTF-8; half a surrogate pair, which no file can hold, becomes a question mark."""
    return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)


def names(text: str, place: int, tokenizer: Tokenizer, longest: int) -> list[str]:
    """What each token of a window says, with the white space before it; "" for marks.

    Args:
        text: the whole text.
        place: which of its windows, from 0.
        tokenizer: as in `cut`.
        longest: as in `cut`.
    """
    (ids,), (offsets,) = tokenizer.encode_with_offsets([text])
    room = max(1, longest - tokenizer.marks())
    start = _starts(len(ids), room)[place]
    told = said(text, offsets[start : start + room], int(offsets[:start, 1].max(initial=0)))
    joined = tokenizer.join(ids[start : start + room])
    first = joined.starts[0]
    return [""] * first + told + [""] * (len(joined.ids) - first - len(told))


def said(text: str, offsets: Array, before: int) -> list[str]:
    """What each of some tokens that follow one another says, with the white space before it.

    Args:
        text: the whole text.
        offsets: (T, 2) the characters that each token covers.
        before: the character at which the token before them ends.
    """
    ends = np.maximum.accumulate(np.r_[before, offsets[:, 1]]).tolist()
    return [text[first:end] for first, end in pairwise(ends)]


def _pieces(ids: Array, room: int) -> list[Array]:
    """One piece, or several that overlap and are of one length."""
    return [ids[start : start + room] for start in _starts(len(ids), room)]


def _starts(count: int, room: int) -> list[int]:
    """The first token of each piece of a text of so many."""
    if count <= room:
        return [0]
    step = max(1, int(room * (1 - _SHARED)))
    pieces = 1 + -(-(count - room) // step)
    return [int(start) for start in np.linspace(0, count - room, pieces).round()]
