"""Which found cell is which true one: pairs one to one, as many as possible within a radius, then the nearest.

Shapes: F found, N true cells, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cells import Cells, covers, painted, painted_band, runs_of, spans_of

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: Pixels of a band of rows in which outlines are compared.
_BAND = 1 << 20
#: By how much an F1 may be below the best and still be as good.
AS_GOOD = 5e-3


def matched(found: Array, true: Array, radius: float) -> Array:
    """(P, 2) int64: positions of found (F, 2) and true (N, 2) places that are pairs, the found ascending.

    Each place has one partner at most and no pair is farther apart than `radius`. Of all such pairings it is one with
    the most pairs, and of these one with the smallest sum of distances (the assignment problem, solved for each cluster
    of places that lie close to one another, so that a whole slide takes no longer than its parts).

    >>> import numpy as np
    >>> matched(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[2.0, 0.0], [30.0, 0.0]]), 6.0).tolist()
    [[1, 0]]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(found) or not len(true):
        return np.zeros((0, 2), np.int64)
    near = cKDTree(found).sparse_distance_matrix(cKDTree(true), radius, output_type="coo_matrix")
    rows, columns, apart = near.row.astype(np.int64), near.col.astype(np.int64), near.data
    if not len(rows):
        return np.zeros((0, 2), np.int64)
    nodes = len(found) + len(true)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns + len(found))), shape=(nodes, nodes))
    cluster = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(cluster, kind="stable")
    cuts = np.flatnonzero(np.diff(cluster[order])) + 1
    pairs = [_assigned(rows[part], columns[part], apart[part], radius) for part in np.split(order, cuts)]
    joined = np.concatenate(pairs)
    return np.asarray(joined[np.argsort(joined[:, 0], kind="stable")])


def _assigned(rows: Array, columns: Array, apart: Array, radius: float) -> Array:
    """(P, 2) the best pairs of one cluster, given all its pairs within the radius."""
    from scipy.optimize import linear_sum_assignment

    if len(rows) == 1:
        return np.asarray([[rows[0], columns[0]]], np.int64)
    own, row = np.unique(rows, return_inverse=True)
    other, column = np.unique(columns, return_inverse=True)
    # A pair too many must cost more than any sum of distances that it could save.
    never = (radius + 1.0) * (min(len(own), len(other)) + 1)
    cost = np.full((len(own), len(other)), never)
    cost[row, column] = apart
    first, second = linear_sum_assignment(cost)
    kept = cost[first, second] < never
    return np.stack([own[first[kept]], other[second[kept]]], axis=1)


def matched_cells(found: Cells, true: Cells, radius: float) -> Array:
    """(P, 2) the pairs of cells whose centres are no farther apart than `radius` pixels, see `matched`."""
    return matched(found.places, true.places, radius)


def judged(outputs: Values, truths: Values) -> Iterator[tuple[Cells, Cells]]:
    """The found and the true cells of each picture, the found ones as `judged_cells` leaves them."""
    for found, true in zip(outputs, truths, strict=True):
        yield judged_cells(found, true), true


def judged_cells(found: Cells, true: Cells) -> Cells:
    """The found cells of which a truth knows whether they are right.

    Those whose middle lies in a region where nobody could tell what is a cell (`Cells.ignored`) are left out, and what
    outlines of others cover there is cut off; without such regions they are what they were.
    """
    if not true.ignored or not len(found):
        return found
    height, width = _extent(runs_of(true.ignored), runs_of(found.outlines))
    ignored = painted(true.ignored, height, width) > 0
    kept = found.only(~covers(ignored, found.x, found.y))
    numbers = np.where(ignored, 0, painted(kept.outlines, height, width))
    left = dict(zip(*(list(values) for values in spans_of(numbers)), strict=True))
    nothing = np.zeros((0, 3), np.int32)
    return replace(kept, outlines=tuple(left.get(number, nothing) for number in range(1, len(kept) + 1)))


def _extent(*runs: Array) -> tuple[int, int]:
    """Height and width of the smallest picture from (0, 0) on in which runs (R, 4) lie, see `runs_of`."""
    height = max((int(one[-1, 0]) for one in runs if len(one)), default=-1) + 1
    return height, max((int(one[:, 2].max()) for one in runs if len(one)), default=0)


def overlaps(found: Cells, true: Cells) -> tuple[Array, Array, Array, Array]:
    """What outlines share, in pixels, counted in bands of rows: memory grows with the cells, not with their product.

    Returns:
        (P, 2) the pairs that share any, by position and ascending; (P,) how much each shares; the areas (F,) and (N,).
        Where outlines of one side overlap each other, a pixel belongs to the last.
    """
    first, second = runs_of(found.outlines), runs_of(true.outlines)
    height, width = _extent(first, second)
    rows = max(1, _BAND // max(1, width))
    own, other = np.zeros(len(found) + 1, np.int64), np.zeros(len(true) + 1, np.int64)
    keys, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for top in range(0, height, rows):
        one, two = (painted_band(runs, top, min(rows, height - top), width).ravel() for runs in (first, second))
        own += np.bincount(one, minlength=len(own))
        other += np.bincount(two, minlength=len(other))
        both = np.flatnonzero((one > 0) & (two > 0))
        key, count = np.unique((one[both].astype(np.int64) - 1) * len(true) + two[both] - 1, return_counts=True)
        keys.append(key)
        counts.append(count)
    known, place = np.unique(np.concatenate(keys), return_inverse=True)
    shared = np.bincount(place, np.concatenate(counts), len(known)).astype(np.int64)
    pairs = np.stack(np.divmod(known, max(1, len(true))), axis=1)
    return pairs, shared, own[1:], other[1:]


def matched_outlines(found: Cells, true: Cells, least: float = 0.5) -> Array:
    """(P, 2) the pairs whose outlines share at least `least` (0.5 or more) of what they cover together.

    At more than one half no outline can have two partners (Kirillov et al. 2019); at exactly one half the first is
    taken.
    """
    pairs, shared, own, other = overlaps(found, true)
    pairs = pairs[shared / (own[pairs[:, 0]] + other[pairs[:, 1]] - shared) >= least]
    _, once = np.unique(pairs[:, 0], return_index=True)
    pairs = pairs[once]
    _, once = np.unique(pairs[:, 1], return_index=True)
    return np.asarray(pairs[np.sort(once)])


def best_threshold(tried: Array, scores: Array, miscounted: Array) -> float:
    """Of some thresholds the one that counts best among those whose F1 is as good as the best.

    F1 is flat around its best value, where a cell too many and one too few cost alike; their number is not.

    Args:
        tried: (T,) the thresholds.
        scores: (T,) the F1 of each.
        miscounted: (T,) by how many cells the count is off, summed over pictures.
    """
    good = np.flatnonzero(scores >= scores.max() - AS_GOOD)
    best = good[miscounted[good] == miscounted[good].min()]
    return float(tried[best[len(best) // 2]])
