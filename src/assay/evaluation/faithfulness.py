"""Whether what an explanation marks is what an answer depends on: deletion and insertion, against chance.

The parts of an input are ranked by their weights. Deletion takes them away, the heaviest first, and watches how much of
the answer is left; insertion shows the heaviest first on an input that says nothing. The area between such a curve and
that of parts in random order is the gain: positive where the explanation knows more than chance.

Sources: V. Petsiuk, A. Das, K. Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC
2018; J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018 (`rank_correlation`).

Shapes: B inputs, K parts of one that are taken away as a whole, S points of a curve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.metrics import Additive, Values

Array = np.ndarray[Any, Any]
#: Takes which places are kept, (B, ...) bool, and gives how much of each answer is left, (B,).
Left = Callable[[Array], Array]
#: Blocks along each side of an image, at most; steps of a curve, at most; random orders that stand for chance.
SIDE, STEPS, ORDERS = 14, 12, 4


@dataclass(frozen=True)
class Curves:
    """How much is left of the answers as parts go.

    Attributes:
        shares: (S,) the share of the parts that is gone, from 0 to 1.
        deletion: (B, S) the heaviest parts gone first.
        insertion: (B, S) the heaviest parts gone last.
        random: (R, B, S) parts gone in R random orders.
    """

    shares: Array
    deletion: Array
    insertion: Array
    random: Array

    @property
    def deletion_gains(self) -> Array:
        """(B,) by how much less is left when the heaviest parts go first than when random ones do, on average."""
        return np.asarray(self._chance.mean(axis=0) - area(self.shares, self.deletion))

    @property
    def insertion_gains(self) -> Array:
        """(B,) by how much more is left when the heaviest parts go last than when random ones do, on average."""
        return np.asarray(area(self.shares, self.insertion) - self._chance.mean(axis=0))

    @property
    def beaten(self) -> Array:
        """(B,) the share of the random orders that lie above deletion and below insertion."""
        deletion, insertion = (area(self.shares, one) for one in (self.deletion, self.insertion))
        return np.asarray(((deletion < self._chance) & (self._chance < insertion)).mean(axis=0))

    @property
    def _chance(self) -> Array:
        """(R, B)."""
        return area(self.shares, self.random)


def curves(left: Left, weights: Array, by_size: bool = False, orders: int = ORDERS, seed: int = 0) -> Curves:
    """The curves of some inputs.

    Args:
        left: see `Left`.
        weights: (B, ...) of each place of the inputs.
        by_size: a negative weight counts like a positive one of its size.
        orders: how many random orders.
        seed: of the random orders.
    """
    block = blocks(weights.shape[1:])
    pooled = pool(weights, block)
    count = pooled.shape[1]
    gone = np.unique(np.linspace(0, count, min(count, STEPS) + 1).round().astype(int))
    random = np.random.default_rng([seed, 18])

    def walk(order: Array) -> Array:
        """(B, S) along an order: (B, K) how many blocks go before each."""
        inner = [left((order >= steps)[:, block]) for steps in gone[1:-1]]
        return np.stack([whole, *inner, nothing], axis=1)

    whole, nothing = (left(np.full(weights.shape, kept)) for kept in (True, False))
    heaviest = _places(np.abs(pooled) if by_size else pooled, random)
    lots = [_places(np.zeros_like(pooled), random) for _ in range(orders)]
    chance = np.stack([walk(lot) for lot in lots])
    return Curves(gone / count, walk(heaviest), walk(count - 1 - heaviest), chance)


def blocks(shape: tuple[int, ...]) -> Array:
    """The number of the block (...) that each place belongs to: of an image at most 14 a side, of a row one a place."""
    if len(shape) == 1:
        return np.arange(shape[0])
    whole = np.zeros(shape, np.int64)
    for axis, size in enumerate(shape):
        most = min(size, SIDE)
        along = np.arange(size) * most // size
        whole = whole * most + along.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    return whole


def pool(weights: Array, block: Array) -> Array:
    """(B, K) the weights (B, ...) summed by block (...)."""
    flat = np.asarray(weights, float).reshape(len(weights), -1)
    count = int(block.max()) + 1
    return np.stack([np.bincount(block.ravel(), row, count) for row in flat])


def area(shares: Array, values: Array) -> Array:
    """(...) the area under values (..., S) over shares (S,), by trapezoids."""
    return np.asarray(((values[..., 1:] + values[..., :-1]) / 2 * np.diff(shares)).sum(axis=-1))


def mean(values: Array, groups: Array) -> Estimate:
    """The mean of values (U,) with its interval over groups (U,)."""
    return estimate(_Mean(), values, values, groups)


def rank_correlation(first: Array, second: Array) -> Array:
    """(B,) Spearman's correlation of the rows of two arrays (B, K); 0 where a row is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(rows, axis=1) for rows in (first, second)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    norm = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.asarray((one * other).sum(axis=1) / np.where(norm > 0, norm, 1.0))


def _places(heavy: Array, random: np.random.Generator) -> Array:
    """(B, K) the place of each block when the heaviest come first, equal ones in random order."""
    lot = np.asarray(random.random(heavy.shape))
    order = np.lexsort((lot, -heavy), axis=1)
    return np.argsort(order, axis=1)


class _Mean(Additive):
    name = "mean"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the value, and one."""
        values = np.asarray(outputs, float)
        return np.stack([values, np.ones(len(values))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(sums[:, 0] / sums[:, 1])
