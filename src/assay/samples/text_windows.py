"""Texts as the cache holds them: tokens in windows, and the text itself beside the first window of each.

Shapes: N texts, W windows, T tokens of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
        tokens: W arrays (T,) int32, with the marks that the tokeniser puts around a text.
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


def _pieces(ids: Array, room: int) -> list[Array]:
    """One piece, or several that overlap and are of one length within a token."""
    if len(ids) <= room:
        return [ids]
    step = max(1, int(room * (1 - _SHARED)))
    count = 1 + -(-(len(ids) - room) // step)
    starts = np.linspace(0, len(ids) - room, count).round().astype(int)
    return [ids[start : start + room] for start in starts]
