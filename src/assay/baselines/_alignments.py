"""Which word of a sentence stands for which of its translation.

Each target word comes from one source word or from none, with a probability that falls with the distance from the
diagonal: IBM model 1 (Brown et al. 1993) with the prior of Dyer, Chahuneau and Smith 2013 (fast_align), learned by
expectation maximisation with a sparse Dirichlet prior over translations. Alignments of both directions are joined by
grow-diag-final-and (Koehn, Och and Marcu 2003).

Shapes: N sentence pairs, S source tokens and T target tokens of all of them, K cells (a target token with one source
token of its sentence, or with none).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_NULL = 0.08  # the prior of a target word that comes from no source word
_TENSION = 4.0  # how fast the prior falls, at first
_SPARSE = 0.01  # the Dirichlet prior's concentration
_ROUNDS = 5
_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class Flat:
    """Sentences one after the other: sentence n is `values[offsets[n] : offsets[n + 1]]`."""

    values: Array
    offsets: Array

    @staticmethod
    def of(sentences: Sequence[Sequence[int]]) -> Flat:
        """Sentences (T_i,) of token numbers, joined."""
        lengths = [len(sentence) for sentence in sentences]
        values = np.fromiter((token for sentence in sentences for token in sentence), np.int64, sum(lengths))
        return Flat(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @property
    def lengths(self) -> Array:
        """(N,) tokens of each sentence."""
        return np.diff(self.offsets)

    @property
    def sentence(self) -> Array:
        """The sentence of each token."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    @property
    def place(self) -> Array:
        """The place of each token in its sentence."""
        return np.asarray(np.arange(len(self.values)) - np.repeat(self.offsets[:-1], self.lengths))


def align(source: Flat, target: Flat, rounds: int = _ROUNDS) -> Array:
    """(T,) for each target token the place in its sentence of the source token that it comes from; -1 for none."""
    cells = _cells(source, target)
    if not len(cells.pair):
        return np.full(len(target.values), -1)
    chances, tension = np.full(len(cells.given), 1.0), _TENSION
    for _ in range(rounds):
        prior = cells.prior(tension)
        shares = chances[cells.pair] * prior
        shares /= np.add.reduceat(shares, cells.starts)[cells.slot]
        chances = _expected(np.bincount(cells.pair, shares, len(cells.given)), cells.given)
        tension = cells.tension(tension, prior, shares)
    scores = chances[cells.pair] * cells.prior(tension)
    best = np.maximum.reduceat(scores, cells.starts)
    hits = np.flatnonzero(scores == best[cells.slot])
    first = hits[np.concatenate([[True], np.diff(cells.slot[hits]) > 0])]
    found = np.full(len(target.values), -1)
    found[cells.owner] = cells.within[first] - 1
    return found


@dataclass(frozen=True)
class _Cells:
    """All cells, those of a target token together, the one without a source token first.

    Attributes:
        pair: (K,) the number of the pair of words.
        given: the source word of each pair of words.
        slot: (K,) which of the aligned target tokens.
        starts: the first cell of each slot.
        owner: the target token (of all of them) of each slot.
        within: (K,) 0 for none, else the place of the source token and one.
        nearness: (K,) minus the distance from the diagonal, in shares of the sentences' lengths.
    """

    pair: Array
    given: Array
    slot: Array
    starts: Array
    owner: Array
    within: Array
    nearness: Array

    def prior(self, tension: float) -> Array:
        """(K,) the probability of each cell before the words are seen."""
        weights = np.exp(tension * self.nearness)
        weights[self.starts] = 0.0
        weights *= (1 - _NULL) / np.add.reduceat(weights, self.starts)[self.slot]
        weights[self.starts] = _NULL
        return np.asarray(weights)

    def tension(self, tension: float, prior: Array, shares: Array) -> float:
        """One step of Newton's method towards the tension under which these shares are most probable."""
        real = self.within > 0
        near, weight = self.nearness[real], prior[real] / (1 - _NULL)
        found = np.bincount(self.slot[real], shares[real], len(self.starts))  # how much of a slot comes from a word
        mean = np.bincount(self.slot[real], weight * near, len(self.starts))
        spread = np.bincount(self.slot[real], weight * near**2, len(self.starts)) - mean**2
        gain, bend = (shares[real] * near).sum() - (found * mean).sum(), (found * spread).sum()
        return float(np.clip(tension + gain / bend, 0.1, 14.0)) if bend > 0 else tension


def _cells(source: Flat, target: Flat) -> _Cells:
    sentence = target.sentence
    owner = np.flatnonzero(source.lengths[sentence] > 0)
    count = source.lengths[sentence[owner]] + 1
    starts = np.cumsum(count) - count
    slot = np.repeat(np.arange(len(owner)), count)
    within = np.arange(len(slot)) - starts[slot]
    first = source.offsets[sentence[owner]]
    none = int(source.values.max(initial=-1)) + 1
    words = np.where(within > 0, source.values[np.minimum(first[slot] + within - 1, len(source.values) - 1)], none)
    size = int(target.values.max(initial=-1)) + 1
    codes, pair = np.unique(words * size + target.values[owner[slot]], return_inverse=True)
    across = within / (count[slot] - 1)
    along = (target.place[owner] + 1) / target.lengths[sentence[owner]]
    nearness = -np.abs(across - along[slot])
    return _Cells(pair.astype(np.int32), codes // max(size, 1), slot, starts, owner, within, nearness)


def _expected(counts: Array, given: Array) -> Array:
    """The chance of each pair of words given its source word, as the Dirichlet prior expects it."""
    from scipy.special import digamma

    kinds = np.bincount(given)
    total = np.bincount(given, counts) + _SPARSE * kinds
    return np.asarray(np.exp(digamma(counts + _SPARSE) - digamma(total)[given]))


def join_directions(forward: Array, backward: Array, source: Flat, target: Flat) -> tuple[Array, Array]:
    """The links of both directions together, as pairs of a source and a target token (of all of them).

    Args:
        forward: (T,) for each target token the place of its source token, -1 for none.
        backward: (S,) for each source token the place of its target token, -1 for none.
        source: the source sentences.
        target: their translations.
    """
    froms: list[int] = []
    tos: list[int] = []
    there, back = forward.tolist(), backward.tolist()
    bounds = zip(
        source.offsets[:-1].tolist(), source.offsets[1:].tolist(), target.offsets[:-1].tolist(),
        target.offsets[1:].tolist(), strict=True,
    )  # fmt: skip
    for low, high, left, right in bounds:
        one = {(place, column) for column, place in enumerate(there[left:right]) if place >= 0}
        other = {(row, place) for row, place in enumerate(back[low:high]) if place >= 0}
        for row, column in sorted(_grown(one, other)):
            froms.append(low + row)
            tos.append(left + column)
    return np.asarray(froms, np.int64), np.asarray(tos, np.int64)


def _grown(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Grow-diag-final-and: from what both say to neighbours that one says, then what leaves no word of two alone."""
    links, either = one & other, one | other
    rows, columns = {row for row, _ in links}, {column for _, column in links}
    waiting = sorted(links)
    while waiting:
        row, column = waiting.pop(0)
        for down, right in _NEIGHBOURS:
            link = (row + down, column + right)
            if link in either and link not in links and (link[0] not in rows or link[1] not in columns):
                links.add(link)
                rows.add(link[0])
                columns.add(link[1])
                waiting.append(link)
    for row, column in (*sorted(one), *sorted(other)):
        if row not in rows and column not in columns:
            links.add((row, column))
            rows.add(row)
            columns.add(column)
    return links
