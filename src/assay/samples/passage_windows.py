"""Passages in windows, of which each token is foretold exactly once, from at least half of what a network can read.

Shapes: N passages, W windows, T tokens of one, B windows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrays import array_of
from assay.samples.text_windows import text_bytes
from assay.samples.tokens import Tokenizer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PassageWindows:
    """Passages in windows.

    A window ends with the tokens that it foretells. Before them stands so much of the passage that a training can move
    a network's stretch of it to and fro (`cropped`); a passage begins with the tokeniser's mark.

    Attributes:
        tokens: W arrays (T,) int32.
        scored: (W,) int32, how many tokens at its end a window foretells.
        text: W arrays of uint8, the UTF-8 bytes of a passage beside its first window, nothing beside the others.
        row: (W,) int64, the passage that each window is from.
    """

    tokens: list[Array]
    scored: Array
    text: list[Array]
    row: Array


def cut_passages(texts: Sequence[str], tokenizer: Tokenizer, longest: int) -> PassageWindows:
    """Passages in windows, for a network that reads `longest` tokens at once; an empty passage has none."""
    tokens: list[Array] = []
    scored: list[int] = []
    stored: list[Array] = []
    rows: list[int] = []
    step = max(1, longest // 2)
    for row, (text, ids) in enumerate(zip(texts, tokenizer.encode_batch(texts), strict=True)):
        marked = np.r_[np.int32(tokenizer.begin), ids]
        for first in range(0, len(ids), step):
            end = min(first + step, len(ids))
            tokens.append(marked[max(0, end - longest - step) : end + 1])
            scored.append(end - first)
            stored.append(text_bytes(text if first == 0 else ""))
            rows.append(row)
    return PassageWindows(tokens, np.asarray(scored, np.int32), stored, np.asarray(rows, np.int64))


def cut_prompts(texts: Sequence[str], tokenizer: Tokenizer, longest: int) -> PassageWindows:
    """The end of each text, one window each, which may hold nothing but the mark before a text."""
    tokens = [np.r_[np.int32(tokenizer.begin), ids][-longest:] for ids in tokenizer.encode_batch(texts)]
    nothing = np.zeros(len(texts), np.int32)
    return PassageWindows(tokens, nothing, [text_bytes(text) for text in texts], np.arange(len(texts)))


def cropped(tokens: Any, mask: Any, length: int, places: Any = None) -> tuple[Any, Any]:
    """Stretches of at most `length` tokens, and their mask; tensors of tensors, arrays of arrays.

    Args:
        tokens: (B, T), padded at the end.
        mask: (B, T) bool.
        length: the most tokens of a stretch.
        places: (B,) in [0, 1), where each stretch begins among the places where it can; None for the last.
    """
    known, there = array_of(tokens), array_of(mask)
    real = there.sum(axis=1)
    spare = (real - length).clip(min=0)
    start = spare if places is None else (array_of(places) * (spare + 1).astype(np.float32)).astype(np.int64)
    width = min(length, known.shape[1])
    index = start[:, None] + np.arange(width)
    inside = index < real[:, None]
    found = np.take_along_axis(known, index.clip(max=known.shape[1] - 1), 1) * inside.astype(known.dtype)
    if isinstance(tokens, np.ndarray):
        return found, inside
    import torch

    return torch.from_numpy(found), torch.from_numpy(inside)
