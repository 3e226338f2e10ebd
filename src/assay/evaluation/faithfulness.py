"""Whether what an explanation marks is what an answer depends on: deletion and insertion, against chance.

The parts of an input are ranked by their weights. Deletion takes them away, the heaviest first, and watches how much of
the answer is left; insertion shows the heaviest first on an input that says nothing. The area between such a curve and
that of parts in random order is the gain: positive where the explanation knows more than chance.

Sources: V. Petsiuk, A. Das, K. Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC
2018; J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018 (`rank_correlation`). Of text, what is lost as
the heaviest words go is comprehensiveness, and what is lost when they alone stay is sufficiency: J. DeYoung et al.,
"ERASER: a benchmark to evaluate rationalized NLP models", ACL 2020.

Inputs may have different numbers of parts: a weight is NaN where an input has none. A share of the parts is then a
share of each input's own.

Shapes: B inputs, K parts of one that are taken away as a whole, S points of a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    def comprehensiveness(self) -> Array:
        """(B,) what is lost when the heaviest parts go, on average over all shares of them; large is good."""
        return np.asarray(self.deletion[:, 0] - area(self.shares, self.deletion))

    @property
    def sufficiency(self) -> Array:
        """(B,) what is lost when the heaviest parts alone stay, on average over all shares of them; small is good."""
        return np.asarray(self.insertion[:, 0] - area(self.shares, self.insertion))

    def only(self, rows: Array) -> Curves:
        """Those of some of the inputs."""
        return Curves(self.shares, self.deletion[rows], self.insertion[rows], self.random[:, rows])

    @property
    def _chance(self) -> Array:
        """(R, B)."""
        return area(self.shares, self.random)


def curves(
    left: Left,
    weights: Array,
    by_size: bool = False,
    orders: int = ORDERS,
    seed: int = 0,
    ragged: bool = False,
    most: int = STEPS,
) -> Curves:
    """The curves of some inputs.

    Args:
        left: see `Left`; places that an input does not have are always kept.
        weights: (B, ...) of each place of the inputs, NaN where an input has no such place.
        by_size: a negative weight counts like a positive one of its size.
        orders: how many random orders.
        seed: of the random orders.
        ragged: inputs may have different numbers of parts, these or others whose curves are to be joined with these:
            the shares are then the same whatever the inputs.
        most: steps of a curve, at most.
    """
    block = blocks(weights.shape[1:])
    pooled = pool(weights, block)
    absent, own = np.isnan(weights), (~np.isnan(pooled)).sum(axis=1)  # (B, ...), (B,)
    shares, gone = _shares(own, ragged or bool((own < pooled.shape[1]).any()), most)
    random = np.random.default_rng([seed, 18])

    def walk(order: Array) -> Array:
        """(B, S) along an order: (B, K) how many blocks go before each."""
        inner = [left((order >= steps[:, None])[:, block] | absent) for steps in gone[1:-1]]
        return np.stack([whole, *inner, nothing], axis=1)

    whole, nothing = (left(np.full(weights.shape, kept) | absent) for kept in (True, False))
    heaviest = _places(np.abs(pooled) if by_size else pooled, random)
    lots = [_places(np.where(np.isnan(pooled), np.nan, 0.0), random) for _ in range(orders)]
    chance = np.stack([walk(lot) for lot in lots])
    return Curves(shares, walk(heaviest), walk(own[:, None] - 1 - heaviest), chance)


def _shares(own: Array, ragged: bool, most: int) -> tuple[Array, Array]:
    """(S,) the shares at which curves are looked at, and (S, B) how many of each input's own parts are then gone."""
    if ragged:
        shares = np.linspace(0, 1, most + 1)
        return shares, (shares[:, None] * own).round().astype(int)
    count = int(own.max())
    gone = np.unique(np.linspace(0, count, min(count, most) + 1).round().astype(int))
    return gone / count, np.tile(gone[:, None], (1, len(own)))


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
    """(B, K) the weights (B, ...) summed by block (...); NaN where an input has no place of a block."""
    flat = np.asarray(weights, float).reshape(len(weights), -1)
    count, place, there = int(block.max()) + 1, block.ravel(), ~np.isnan(flat)
    sums = np.stack([np.bincount(place, row, count) for row in np.where(there, flat, 0.0)])
    if there.all():
        return sums
    return np.where(np.stack([np.bincount(place, row, count) for row in there]) > 0, sums, np.nan)


def count_parts(weights: Array) -> Array:
    """(B,) how many parts each input has that are taken away as a whole."""
    return np.asarray((~np.isnan(pool(weights, blocks(weights.shape[1:])))).sum(axis=1))


def padded(arrays: Sequence[Array]) -> Array:
    """Weights (B_i, ...) of several batches as one (B, ...), with NaN where the inputs of another were longer."""
    shape = np.max([array.shape[1:] for array in arrays], axis=0)
    missing = [[(0, 0), *((0, most - size) for most, size in zip(shape, array.shape[1:], strict=True))]
               for array in arrays]  # fmt: skip
    return np.concatenate(
        [np.pad(array, pairs, constant_values=np.nan) for array, pairs in zip(arrays, missing, strict=True)]
    )


def area(shares: Array, values: Array) -> Array:
    """(...) the area under values (..., S) over shares (S,), by trapezoids."""
    return np.asarray(((values[..., 1:] + values[..., :-1]) / 2 * np.diff(shares)).sum(axis=-1))


def mean(values: Array, groups: Array) -> Estimate:
    """The mean of values (U,) with its interval over groups (U,)."""
    return estimate(_Mean(), values, values, groups)


def rank_correlation(first: Array, second: Array) -> Array:
    """(B,) Spearman's correlation of the rows of two arrays (B, K), over what is NaN in neither; 0 where constant."""
    from scipy.stats import rankdata

    there = ~(np.isnan(first) | np.isnan(second))
    if not there.all():
        rows = zip(first, second, there, strict=True)
        return np.concatenate([rank_correlation(one[None, known], other[None, known]) for one, other, known in rows])
    if not first.shape[1]:
        return np.zeros(len(first))
    ranks = [rankdata(rows, axis=1) for rows in (first, second)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    norm = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.asarray((one * other).sum(axis=1) / np.where(norm > 0, norm, 1.0))


def _places(heavy: Array, random: np.random.Generator) -> Array:
    """(B, K) the place of each block when the heaviest come first, equal ones in random order, and NaN last."""
    lot = np.asarray(random.random(heavy.shape))
    order = np.lexsort((lot, np.where(np.isnan(heavy), np.inf, -heavy)), axis=1)
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
