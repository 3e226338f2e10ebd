"""Phrases of up to a few words and their translations, taken from aligned sentences, and how probable each is.

A pair of phrases is taken where all links of the one's words lie within the other, words without a link at the borders
of the target phrase being part of it or not (Och and Ney 2004; Koehn, Och and Marcu 2003). Its probabilities are
relative counts less a discount for rare pairs (Foster, Kuhn and Johnson 2006), and products of those of its words.

Shapes: S source tokens and T target tokens of all sentences, L links, P places of pairs, K different pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.baselines._alignments import Flat
from assay.ngrams.counts import Grams, absolute_discounts, count_ngrams, join, look_up

Array = np.ndarray[Any, Any]
_FAR = 1 << 40
_MOST_TAKEN = 0.9  # of a count by its discount, so that something is left


@dataclass(frozen=True)
class Phrases:
    """A phrase table.

    Attributes:
        size: how many different source tokens there are.
        grams: the n-grams of the source sentences of each length, by which a phrase is found.
        first: for each length (G + 1,) where the pairs of each source phrase start.
        start: (K,) where the target phrase stands among all target tokens of the training text.
        length: (K,) its length.
        scores: (K, 5) float32: log probability of the target phrase given the source phrase, and the other way round;
            the same of their words; 1 where the pair was seen once only, else 0.
    """

    size: int
    grams: tuple[Grams, ...]
    first: tuple[Array, ...]
    start: Array
    length: Array
    scores: Array

    def spans(self, sentence: Array) -> Iterator[tuple[int, int, int, int]]:
        """The phrases of a sentence (I,) of token numbers, below zero for unknown ones, that have translations.

        Yields:
            The first token, the one behind the last, the first pair of the phrase, and the one behind its last.
        """
        numbers = np.zeros(len(sentence), np.int64)
        for length, (one, first) in enumerate(zip(self.grams, self.first, strict=True), 1):
            last = sentence[length - 1 :]
            numbers = numbers[: len(last)]
            known = (numbers >= 0) & (last >= 0) & (last < self.size)
            numbers = np.where(known, one.find(numbers * (self.size + 1) + last), -1)
            for start in np.flatnonzero(numbers >= 0).tolist():
                low, high = first[numbers[start]], first[numbers[start] + 1]
                if low < high:
                    yield start, start + length, int(low), int(high)


def extract(source: Flat, target: Flat, links: tuple[Array, Array], longest: int, most: int) -> Phrases:
    """The phrases of aligned sentences.

    Args:
        source: source sentences.
        target: their translations.
        links: the source and the target token (of all of them) of each link.
        longest: words of a phrase.
        most: translations of one source phrase that are kept, the most frequent ones.
    """
    places = _places(source, target, links, longest)
    froms, tos = _numbered(source, longest), _numbered(target, longest)
    first, second = froms.of(places.row, places.height), tos.of(places.column, places.width)
    codes, at, pair, count = np.unique(
        first * tos.total + second, return_index=True, return_inverse=True, return_counts=True
    )
    owner, partner = codes // tos.total, codes % tos.total
    forward, backward = _lexical(source, target, links)
    lexical = [
        _best_sum(forward, places.column, places.width, pair),
        _best_sum(backward, places.row, places.height, pair),
    ]
    scores = [_relative(count, owner), _relative(count, partner), *lexical, count == 1]
    table = np.stack(scores, axis=1).astype(np.float32)
    kept = _most_frequent(owner, count + np.exp(lexical[0]), most)
    starts = np.searchsorted(owner[kept], np.arange(froms.total + 1))
    return Phrases(
        int(source.values.max(initial=-1)) + 1,
        froms.grams,
        tuple(starts[low : high + 1] for low, high in zip(froms.offsets, froms.offsets[1:], strict=False)),
        places.column[at][kept],
        places.width[at][kept],
        table[kept],
    )


@dataclass(frozen=True)
class _Places:
    """Where pairs of phrases stand: P source spans from `row` of `height` tokens, target spans from `column`."""

    row: Array
    height: Array
    column: Array
    width: Array


def _places(source: Flat, target: Flat, links: tuple[Array, Array], longest: int) -> _Places:
    low, high = _reach(links[0], links[1], len(source.values))
    back_low, back_high = _reach(links[1], links[0], len(target.values))
    lows, highs = _windows(back_low, longest, np.minimum), _windows(back_high, longest, np.maximum)
    ends = source.offsets[1:][source.sentence]
    rows = np.arange(len(source.values))
    spans_low, spans_high = _windows(low, longest, np.minimum), _windows(high, longest, np.maximum)
    none = np.zeros(0, np.int64)
    found = [_Places(none, none, none, none)]
    for height in range(1, longest + 1):
        first, last = spans_low[height - 1], spans_high[height - 1]
        width = last - first + 1
        row = np.flatnonzero((rows + height <= ends) & (width >= 1) & (width <= longest) & (last >= 0))
        first, width = first[row], width[row]
        inside = (lows[width - 1, first] >= row) & (highs[width - 1, first] < row + height)
        found += _with_borders(row[inside], height, first[inside], width[inside], back_high < 0, target, longest)
    return _Places(*(np.concatenate([getattr(one, name) for one in found])
                     for name in ("row", "height", "column", "width")))  # fmt: skip


def _with_borders(
    row: Array, height: int, first: Array, width: Array, alone: Array, target: Flat, longest: int
) -> list[_Places]:
    """The pairs, and those with target words without a link before and behind, as far as there are any."""
    begins, ends = target.offsets[:-1][target.sentence], target.offsets[1:][target.sentence]
    found: list[_Places] = []
    left = (row, first, width)
    while len(left[0]):
        right = left
        while len(right[0]):
            found.append(_Places(right[0], np.full(len(right[0]), height), right[1], right[2]))
            after = right[1] + right[2]
            more = (after < ends[right[1]]) & (right[2] < longest)
            more &= alone[np.minimum(after, len(alone) - 1)]
            right = (right[0][more], right[1][more], right[2][more] + 1)
        more = (left[1] > begins[left[1]]) & (left[2] < longest) & alone[np.maximum(left[1] - 1, 0)]
        left = (left[0][more], left[1][more] - 1, left[2][more] + 1)
    return found


def _reach(one: Array, other: Array, size: int) -> tuple[Array, Array]:
    """The first and the last token of the other side that each token is linked with; far away and -1 for none."""
    low, high = np.full(size, _FAR), np.full(size, -1)
    np.minimum.at(low, one, other)
    np.maximum.at(high, one, other)
    return low, high


def _windows(values: Array, longest: int, combine: Any) -> Array:
    """(longest, T): the smallest or largest of so many values from each place on, cut at the end."""
    rows = [values]
    for length in range(1, longest):
        rows.append(combine(rows[-1], np.concatenate([values[length:], np.repeat(values[-1:], length)])[: len(values)]))
    return np.stack(rows)


@dataclass(frozen=True)
class _Numbered:
    """All n-grams of a text, numbered over all lengths: those of length n from `offsets[n - 1]` on."""

    grams: tuple[Grams, ...]
    offsets: list[int]
    numbers: list[Array]  # for each length, of the n-gram that starts at each token

    @property
    def total(self) -> int:
        return self.offsets[-1]

    def of(self, start: Array, length: Array) -> Array:
        """The numbers of spans."""
        return np.asarray(np.stack(self.numbers)[length - 1, start] + np.asarray(self.offsets)[length - 1])


def _numbered(text: Flat, longest: int) -> _Numbered:
    size = int(text.values.max(initial=-1)) + 1
    tokens = join(np.split(text.values, text.offsets[1:-1]), size)
    grams = tuple(count_ngrams(tokens, longest))
    real = np.flatnonzero(tokens.real)
    found = [
        numbers[np.minimum(real + length, len(tokens.values) - 1)]
        for length, (_, numbers) in enumerate(look_up(grams, tokens))
    ]
    return _Numbered(grams, [0, *np.cumsum([len(one) for one in grams]).tolist()], found)


def _lexical(source: Flat, target: Flat, links: tuple[Array, Array]) -> tuple[Array, Array]:
    """(T,) and (S,) the log probability of each token given those that it is linked with, or that it has no link."""
    rows, columns = links
    return (
        _given(target.values, columns, source.values[rows], int(source.values.max(initial=-1)) + 1),
        _given(source.values, rows, target.values[columns], int(target.values.max(initial=-1)) + 1),
    )


def _given(values: Array, owner: Array, partner: Array, none: int) -> Array:
    """(T,) log of the mean over links of the share of this word among the words that its partner is linked with."""
    alone = np.flatnonzero(np.bincount(owner, minlength=len(values)) == 0)
    owner, partner = np.concatenate([owner, alone]), np.concatenate([partner, np.full(len(alone), none)])
    size = int(values.max(initial=0)) + 1
    _, pair, count = np.unique(partner * size + values[owner], return_inverse=True, return_counts=True)
    share = count[pair] / np.bincount(partner)[partner]
    total = np.bincount(owner, share, len(values)) / np.bincount(owner, minlength=len(values))
    return np.log(total)


def _best_sum(values: Array, start: Array, length: Array, pair: Array) -> Array:
    """(K,) the largest sum of values over the spans of each pair."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    found = np.full(int(pair.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(found, pair, sums[start + length] - sums[start])
    return found


def _relative(count: Array, owner: Array) -> Array:
    """(K,) the log of each pair's share of its phrase's pairs, less a discount."""
    discounts = np.minimum(absolute_discounts(count), _MOST_TAKEN * np.array([1, 2, 3]))
    left = count - discounts[np.minimum(count, 3) - 1]
    return np.asarray(np.log(left / np.bincount(owner, count)[owner]))


def _most_frequent(owner: Array, value: Array, most: int) -> Array:
    """The places of the pairs of largest value of each phrase, ascending."""
    order = np.lexsort((-value, owner))
    starts = np.searchsorted(owner, owner[order])  # owners ascend
    return np.sort(order[np.arange(len(order)) - starts < most])
