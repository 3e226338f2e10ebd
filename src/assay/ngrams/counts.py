"""Counts of all n-grams of token sequences up to an order, as sorted arrays instead of dictionaries.

An n-gram's number is its place among those of its order; its code is the number of its context (the n-gram without the
last token) times the alphabet's size, plus its last token. So a text is looked up order by order with one binary search
for all of its places at once. Each sequence begins with a mark of its own, which is only ever a context.
What Kneser-Ney smoothing takes from counts stands here, too.

Shapes: T tokens of all sequences with their marks, G n-grams of one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Of a count: discounts never vanish, so that something is left for what was never seen.
LEAST_DISCOUNT = 0.02
#: Used where too few counts are one, two or three to estimate from, as KenLM (Heafield et al. 2013) does.
_FALLBACK = (0.5, 1.0, 1.5)
_COUNTS = np.array([1.0, 2.0, 3.0])


@dataclass(frozen=True)
class Tokens:
    """Sequences one after the other, each with the begin mark before it.

    Attributes:
        values: (T,) int64, tokens from 0 to `size` - 1; `size` is the begin mark.
        depth: (T,) int64, how many tokens of the same sequence, with the mark, come before.
        size: how many different tokens there are.
    """

    values: Array
    depth: Array
    size: int

    @property
    def real(self) -> Array:
        """(T,) bool, False for the marks."""
        return self.depth > 0


def join(sequences: Sequence[Any], size: int) -> Tokens:
    """Sequences (T_i,) of tokens below `size`, joined."""
    lengths = np.asarray([len(one) + 1 for one in sequences], np.int64)
    starts = np.cumsum(lengths) - lengths
    depth = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    values = np.full(len(depth), size, np.int64)
    if len(sequences):
        values[depth > 0] = np.concatenate([np.asarray(one, np.int64) for one in sequences])
    return Tokens(values, depth, size)


@dataclass(frozen=True)
class Grams:
    """All n-grams of one order.

    Attributes:
        codes: (G,) int64, ascending.
        count: (G,) int64, how often each occurs; 0 for the begin mark by itself, which is never foretold.
        before: (G,) int64, how many different tokens come before it; its count where nothing can.
        suffix: (G,) int64, the number of the n-gram without its first token among those of the order below.
    """

    codes: Array
    count: Array
    before: Array
    suffix: Array

    def __len__(self) -> int:
        return len(self.codes)

    def find(self, codes: Array) -> Array:
        """The numbers of n-grams by their codes; -1 where there is none."""
        if not len(self.codes):
            return np.full(np.shape(codes), -1)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, -1)


def count_ngrams(tokens: Tokens, order: int, most: float = np.inf) -> list[Grams]:
    """Counts of the orders from 1 to `order`: to a lower one where there would be more than `most` n-grams, or none.

    The counts of at least one order are given. Of the highest one `before` is the same as `count`.
    """
    found: list[Grams] = []
    numbers = np.zeros(len(tokens.values), np.int64)  # of the n-gram of the last order that ends at each place
    total = 0
    for length in range(1, order + 1):
        ends = np.flatnonzero(tokens.depth >= length - 1)
        contexts = numbers[ends - 1] if length > 1 else np.zeros(len(ends), np.int64)
        codes = contexts * (tokens.size + 1) + tokens.values[ends]
        unique, first, place, count = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
        total += len(unique)
        if found and (total > most or not len(unique)):
            break
        suffix = numbers[ends[first]]
        if found:
            found[-1] = _with_before(found[-1], suffix)
        else:
            count = np.where(unique == tokens.size, 0, count)
        found.append(Grams(unique, count, count, suffix))
        numbers = np.full(len(tokens.values), -1)
        numbers[ends] = place
    return found


def look_up(grams: Sequence[Grams], tokens: Tokens) -> list[tuple[Array, Array]]:
    """For each order and each place of a text (T,): the number of the context before it, and of the n-gram up to it.

    -1 where the training text holds none of it, or the sequence is not long enough.
    """
    found: list[tuple[Array, Array]] = []
    numbers = np.zeros(len(tokens.values), np.int64)
    for length, one in enumerate(grams, 1):
        contexts = np.zeros(len(numbers), np.int64) if length == 1 else np.concatenate([[-1], numbers[:-1]])
        contexts = np.where(tokens.depth >= length - 1, contexts, -1)
        codes = contexts * (tokens.size + 1) + tokens.values
        numbers = np.where(contexts >= 0, one.find(codes), -1)
        found.append((contexts, numbers))
    return found


def counts_at(grams: Sequence[Grams], place: int) -> Array:
    """(G,) what counts at an order: occurrences at the highest, different tokens before it at the others."""
    return grams[place].count if place == len(grams) - 1 else grams[place].before


def sums_of_contexts(contexts: Array, counts: Array, size: int) -> tuple[Array, Array]:
    """Of each context (C,) the sum of counts, and (C, 3) how many are one, two, and three or more."""
    total = np.bincount(contexts, counts, size)
    kinds = [np.bincount(contexts, np.minimum(counts, 3) == kind, size) for kind in (1, 2, 3)]
    return total, np.stack(kinds, axis=1)


def absolute_discounts(counts: Array) -> Array:
    """(3,) the discounts of counts of one, two, and three or more, from how many counts (G,) are one to four."""
    one, two, three, four = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if not one or not two or not three:
        return np.array(_FALLBACK)
    share = one / (one + 2 * two)
    found = _COUNTS - _COUNTS * share * np.array([2 * two / one, 3 * three / two / 2, 4 * four / three / 3])
    return np.asarray(np.clip(found, LEAST_DISCOUNT * _COUNTS, _COUNTS))


def _with_before(grams: Grams, suffix: Array) -> Grams:
    """With the number of different tokens before each, from the suffixes of all n-grams that are a token longer."""
    before = np.bincount(suffix, minlength=len(grams))
    return Grams(grams.codes, grams.count, np.where(before > 0, before, grams.count), grams.suffix)
