"""What follows, by counts of n-grams: interpolated modified Kneser-Ney, looked up for many places at once.

Shapes: B texts, T tokens, V tokens of the vocabulary, K orders, G n-grams of an order, C contexts (the n-grams of the
order below).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.ngrams.counts import sums_of_contexts

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Order:
    """One order, as `Followers` looks it up.

    Attributes:
        codes: (G,) int64, ascending: the context's number times (V + 1), plus the last token.
        counts: (G,).
        totals: (C,), of each context the sum of counts.
        kinds: (C, 3), of each context how many counts are one, two, and three or more.
        discounts: (4,), of counts of zero, one, two, and three or more.
    """

    codes: Array
    counts: Array
    totals: Array
    kinds: Array
    discounts: Array

    def find(self, codes: Array) -> Array:
        """Numbers of n-grams by their codes; -1 where there is none."""
        if not len(self.codes):
            return np.full(codes.shape, -1)
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, -1)


class Followers:
    """The probability of each token after the tokens before it.

    Args:
        size: of the vocabulary, V.
        begin: the token that stands before a text.
        codes: of each order.
        counts: of each order.
        discounts: (K, 3).
    """

    def __init__(
        self, size: int, begin: int, codes: Sequence[Array], counts: Sequence[Array], discounts: Array
    ) -> None:
        self.size, self.begin = size, begin
        there = [place for place, one in enumerate(codes) if len(one)]
        self._orders = [
            self._order(codes[place], counts[place], discounts[place], len(codes[place - 1]) if place else 1)
            for place in there
        ]

    def _order(self, codes: Array, counts: Array, discounts: Array, contexts: int) -> _Order:
        total, kinds = sums_of_contexts(codes // (self.size + 1), counts, contexts)
        known = np.concatenate([np.zeros(1, np.float32), discounts.astype(np.float32)])
        return _Order(codes, counts.astype(np.float32), total.astype(np.float32), kinds.astype(np.float32), known)

    def probabilities(self, tokens: Array, targets: Array, leaves_out: bool = False) -> tuple[Array, Array]:
        """The probability of each target, and which n-grams had a say: (B, T) float32 and (B, T) int64.

        The second is the length of the longest n-gram whose context was seen, 0 for none.

        Args:
            tokens: (B, T).
            targets: (B, T), what follows each token.
            leaves_out: the texts were counted, and each place is asked about as if it had not been.
        """
        contexts = self._contexts(tokens)
        numbers = [np.where(context >= 0, order.find(context * (self.size + 1) + targets), -1)
                   for order, context in zip(self._orders, contexts, strict=True)]  # fmt: skip
        counts = [np.where(number >= 0, order.counts[number.clip(min=0)], np.float32(0))
                  for order, number in zip(self._orders, numbers, strict=True)]  # fmt: skip
        fewer = _fewer(counts, contexts) if leaves_out else [np.zeros_like(one) for one in counts]
        found = np.full(tokens.shape, 1 / self.size, np.float32)
        longest = np.zeros(tokens.shape, np.int64)
        for place, (order, context, count, less) in enumerate(zip(self._orders, contexts, counts, fewer, strict=True)):
            at = context.clip(min=0)
            total, own = order.totals[at] - less, count - less
            left = order.kinds[at] @ order.discounts[1:]
            discount = order.discounts[own.clip(max=3).astype(np.int64)]
            whole = order.discounts[count.clip(max=3).astype(np.int64)]
            left = left - (whole - discount)  # nothing where nothing is left out
            there = (context >= 0) & (total > 0)
            mixed = ((own - discount).clip(min=0) + left * found) / total.clip(min=1)
            found = np.where(there, mixed, found)
            longest[there] = place + 1
        return found, longest

    def distribution(self, tokens: Array, last: bool = False) -> tuple[Array, Array]:
        """(B, T, V) float32, the probability of all that can follow each place; and (B, T) int64 as `probabilities`.

        Args:
            tokens: (B, T).
            last: of the last place alone: (B, 1, V) and (B, 1).
        """
        contexts = [context[:, -1:] if last else context for context in self._contexts(tokens)]
        shape = contexts[0].shape
        found = np.full((contexts[0].size, self.size), 1 / self.size, np.float32)
        longest = np.zeros(contexts[0].size, np.int64)
        for place, (order, context) in enumerate(zip(self._orders, contexts, strict=True)):
            at, first = context.ravel().clip(min=0), context.ravel() * (self.size + 1)
            total = order.totals[at]
            there = (context.ravel() >= 0) & (total > 0)
            low = np.searchsorted(order.codes, first)
            known = np.where(there, np.searchsorted(order.codes, first + self.size) - low, 0)
            rows = np.repeat(np.arange(len(known)), known)
            places = np.arange(len(rows)) + (low - known.cumsum() + known)[rows]
            counts = order.counts[places]
            kept = (counts - order.discounts[counts.clip(max=3).astype(np.int64)]).clip(min=0)
            left = np.where(there, (order.kinds[at] @ order.discounts[1:]) / total.clip(min=1), np.float32(1))
            found *= left[:, None]
            found[rows, order.codes[places] - first[rows]] += kept / total[rows]
            longest[there] = place + 1
        return found.reshape(*shape, self.size), longest.reshape(shape)

    def _contexts(self, tokens: Array) -> list[Array]:
        """For each order (B, T) int64: the number of the context that ends at each token.

        -1 where it was never seen, or the text does not reach so far back.
        """
        marked = np.where(tokens == self.begin, self.size, tokens).astype(np.int64)
        contexts = [np.zeros_like(marked)]
        for place, order in enumerate(self._orders[:-1]):
            before = contexts[-1]
            if place:
                before = np.pad(before[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
            contexts.append(np.where(before >= 0, order.find(before * (self.size + 1) + marked), -1))
        return contexts


def _fewer(counts: list[Array], contexts: list[Array]) -> list[Array]:
    """By how much each order's count (B, T) is too high where the place itself was counted, 0 or 1.

    The longest n-gram was counted once for each of its places. A shorter one was counted once for each token before it,
    so that it loses one only where the longer one vanishes.
    """
    fewer: list[Array] = []
    lost = np.ones(counts[0].shape, bool)
    for count, context in zip(reversed(counts), reversed(contexts), strict=True):
        fewer.append((lost & (count > 0)).astype(np.float32))
        lost = np.where(context >= 0, lost & (count <= 1), lost)
    return fewer[::-1]
