"""Interpolated modified Kneser-Ney smoothing over sequences of tokens.

A token's probability after a context is its count there less a discount, over all counts there, plus what the discounts
left over times its probability after the context without its first token; below the highest order a token counts once
for each different token before it; below all orders all tokens are equally probable. So every sequence has a
probability. Sources: Kneser and Ney 1995; Chen and Goodman 1999, whose three discounts for counts of one, two, and
three or more are those that `estimated` gives, and which `tune` improves on held-out text.

Shapes: T tokens with marks (see `counts`), G n-grams of an order, C contexts (n-grams of the order below), V alphabet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.ngrams.counts import (
    LEAST_DISCOUNT,
    Grams,
    Tokens,
    absolute_discounts,
    counts_at,
    look_up,
    sums_of_contexts,
)

Array = np.ndarray[Any, Any]
_COUNTS = np.array([1.0, 2.0, 3.0])
_STEPS = 30


@dataclass(frozen=True)
class KneserNey:
    """A language model.

    Attributes:
        size: V, how many different tokens there are.
        grams: the n-grams of each order.
        probability: for each order (G,): the last token after the context, all lower orders mixed in.
        left: for each order (C,): what discounts leave of a context for the order below.
    """

    size: int
    grams: tuple[Grams, ...]
    probability: tuple[Array, ...]
    left: tuple[Array, ...]

    @property
    def order(self) -> int:
        """The longest n-grams' length."""
        return len(self.grams)

    def log_probabilities(self, tokens: Tokens) -> Array:
        """(T,) nats of each token after those before it in its sequence; 0 for the begin marks."""
        values = np.full(len(tokens.values), 1 / self.size)
        for (contexts, numbers), given, left in zip(
            look_up(self.grams, tokens), self.probability, self.left, strict=True
        ):
            values = np.where(numbers >= 0, given[numbers], np.where(contexts >= 0, left[contexts] * values, values))
        return np.asarray(np.where(tokens.real, np.log(values), 0.0))

    def distribution(self, context: Sequence[int]) -> Array:
        """(V,) the probability of each token after a context, which begins with the mark `size` where a text begins."""
        values = np.full(self.size, 1 / self.size)
        for length, (one, given, left) in enumerate(zip(self.grams, self.probability, self.left, strict=True)):
            number = self.number(context[len(context) - length :]) if length <= len(context) else -1
            if number < 0:
                break  # what follows a longer context follows this one, too
            first = number * (self.size + 1)
            low, high = np.searchsorted(one.codes, [first, first + self.size])
            values = left[number] * values
            values[one.codes[low:high] - first] = given[low:high]
        return values

    def number(self, tokens: Sequence[int]) -> int:
        """The number of an n-gram among those of its length; 0 for that of no tokens, -1 where it was never seen."""
        number = 0
        for one, token in zip(self.grams, tokens, strict=False):
            number = int(one.find(np.asarray(number * (self.size + 1) + int(token))))
            if number < 0:
                return -1
        return number


def build(grams: Sequence[Grams], size: int, order: int, discounts: Sequence[Array]) -> KneserNey:
    """The model of an order out of counts of at least that order, with the discounts (3,) of each."""
    taken = list(grams[:order])
    probability: list[Array] = []
    lefts: list[Array] = []
    below: Array = np.full(1, 1 / size)
    for place, (one, discount) in enumerate(zip(taken, discounts, strict=True)):
        counts, contexts = counts_at(taken, place), one.codes // (size + 1)
        total, kinds = sums_of_contexts(contexts, counts, len(taken[place - 1]) if place else 1)
        left = np.where(total > 0, (kinds @ discount) / np.maximum(total, 1), 1.0)
        kept = np.maximum(counts - _discount(counts, discount), 0) / np.maximum(total, 1)[contexts]
        below = kept + left[contexts] * (below[one.suffix] if place else below[0])
        probability.append(below)
        lefts.append(left)
    return KneserNey(size, tuple(taken), tuple(probability), tuple(lefts))


def estimated(grams: Sequence[Grams], order: int) -> list[Array]:
    """The discounts (3,) of each order that follow from the counts themselves."""
    return [absolute_discounts(counts_at(grams[:order], place)) for place in range(order)]


def tune(grams: Sequence[Grams], order: int, aside: Tokens, steps: int = _STEPS) -> list[Array]:
    """The discounts (3,) of each order under which a held-out text is most probable, found by L-BFGS."""
    from scipy.optimize import minimize

    places = [_Places.of(grams[:order], place, found, aside.size, aside.real)
              for place, found in enumerate(look_up(grams[:order], aside))]  # fmt: skip
    start = np.concatenate(estimated(grams, order))
    limits = [(LEAST_DISCOUNT * most, most) for most in _COUNTS] * order
    found = minimize(
        _loss, start, (places, aside.size), "L-BFGS-B", jac=True, bounds=limits, options={"maxiter": steps}
    )
    return list(np.asarray(found.x).reshape(order, 3))


@dataclass(frozen=True)
class _Places:
    """One order at the N places of a held-out text, of which the context was seen at `there`.

    Attributes:
        there: (M,) the places whose context was seen.
        kept: (M,) the token's count there over all counts there.
        cut: (M, 3) minus one over all counts there in the column of the token's own discount.
        left: (M, 3) what each discount leaves: how many tokens have it, over all counts there.
    """

    there: Array
    kept: Array
    cut: Array
    left: Array

    @staticmethod
    def of(grams: Sequence[Grams], place: int, found: tuple[Array, Array], size: int, real: Array) -> _Places:
        """One order's part of what `look_up` found."""
        counts, codes = counts_at(grams, place), grams[place].codes
        total, kinds = sums_of_contexts(codes // (size + 1), counts, len(grams[place - 1]) if place else 1)
        contexts, numbers = found[0][real], found[1][real]
        there = np.flatnonzero((contexts >= 0) & (total[contexts] > 0))
        contexts, numbers = contexts[there], numbers[there]
        own = np.where(numbers >= 0, counts[numbers], 0)
        all_counts = total[contexts].astype(float)
        cut = (np.minimum(own, 3)[:, None] == _COUNTS) / -all_counts[:, None]
        return _Places(there, own / all_counts, cut, kinds[contexts] / all_counts[:, None])


def _loss(flat: Array, places: Sequence[_Places], size: int) -> tuple[float, Array]:
    """The mean nats of a token under discounts (order * 3,), and the gradient."""
    discounts = flat.reshape(-1, 3)
    count = max((int(one.there[-1]) + 1 for one in places[:1] if len(one.there)), default=0)
    values = [np.full(count, 1 / size)]
    lefts: list[Array] = []
    for one, discount in zip(places, discounts, strict=True):
        left, below = one.left @ discount, values[-1].copy()
        below[one.there] = one.kept + one.cut @ discount + left * below[one.there]
        values.append(below)
        lefts.append(left)
    slope, gradient = -1 / (values[-1] * max(1, count)), np.zeros_like(discounts)
    for place in range(len(places) - 1, -1, -1):
        one, below = places[place], values[place][places[place].there]
        inner = slope[one.there]
        gradient[place] = inner @ one.cut + (inner * below) @ one.left
        slope[one.there] = inner * lefts[place]
    return float(-np.log(values[-1]).mean()) if count else 0.0, gradient.ravel()


def _discount(counts: Array, discount: Array) -> Array:
    """(G,) what is taken from each count."""
    return np.asarray(np.concatenate([[0.0], discount])[np.minimum(counts, 3)])
