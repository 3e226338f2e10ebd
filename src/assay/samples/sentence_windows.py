"""Texts in pieces that a translating network can take, cut where sentences end."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from assay.samples.text_windows import Array, Windows, text_bytes
from assay.samples.tokens import Tokenizer

#: What ends a sentence, with the white space behind it; scripts without spaces have none there.
_END = re.compile(r"(?<=[.!?;:…])\s+|(?<=[。！？；])")


def cut_sentences(texts: Sequence[str], tokenizer: Tokenizer, longest: int) -> Windows:
    """Texts in pieces of at most `longest` tokens, without marks; most are one piece."""
    tokens: list[Array] = []
    stored: list[Array] = []
    rows: list[int] = []
    for row, (text, ids) in enumerate(zip(texts, tokenizer.encode_batch(texts), strict=True)):
        parts = [ids] if len(ids) <= longest else tokenizer.encode_batch(pieces(text, tokenizer, longest))
        parts = [part[:longest] for part in parts]
        tokens += parts
        stored += [text_bytes(text), *(text_bytes("") for _ in parts[1:])]
        rows += [row] * len(parts)
    return Windows(tokens, stored, np.asarray(rows, np.int64))


def pieces(text: str, tokenizer: Tokenizer, longest: int) -> list[str]:
    """A text in pieces of at most `longest` tokens, which joined give the text.

    As many sentences as fit stay together; one that does not fit alone is cut between two tokens.
    """
    starts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    sentences = [text[first:end] for first, end in itertools.pairwise(starts) if end > first]
    units = [part for sentence in sentences for part in _fitting(sentence, tokenizer, longest)]
    found: list[str] = []
    for unit, size in zip(units, map(len, tokenizer.encode_batch(units)), strict=True):
        joined = found[-1] + unit if found else unit
        # A token may begin where a piece ends, so that the joined text is counted, and not its parts.
        if found and size < longest and len(tokenizer.encode_batch([joined])[0]) <= longest:
            found[-1] = joined
        else:
            found.append(unit)
    return found or [text]


def _fitting(sentence: str, tokenizer: Tokenizer, longest: int) -> list[str]:
    """A sentence as it is, or cut where a token begins after every half of what fits."""
    (ids,), (places,) = tokenizer.encode_with_offsets([sentence])
    if len(ids) <= longest:
        return [sentence]
    step = max(1, longest // 2)
    cuts = sorted({0, len(sentence), *(int(places[place][0]) for place in range(step, len(ids), step))})
    return [sentence[first:end] for first, end in itertools.pairwise(cuts)]
