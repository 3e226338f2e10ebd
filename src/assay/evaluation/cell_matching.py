"""Which found cell is which true one: pairs one to one, as many as possible within a radius, then the nearest.

Shapes: F found, N true cells, P pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.cells import Cells, painted

Array = np.ndarray[Any, Any]
#: By how much an F1 may be below the best and still be as good.
_AS_GOOD = 5e-3


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


def overlaps(found: Cells, true: Cells) -> tuple[Array, Array, Array]:
    """What outlines share, in pixels.

    Returns:
        (F, N) shared by each pair, and the areas (F,) and (N,). Where outlines of one side overlap each other, a pixel
        belongs to the last.
    """
    every = [outline for outline in (*found.outlines, *true.outlines) if len(outline)]
    height = max((int(outline[:, 0].max()) for outline in every), default=-1) + 1
    width = max((int(outline[:, 2].max()) for outline in every), default=0)
    first, second = painted(found.outlines, height, width), painted(true.outlines, height, width)
    counts = np.bincount(
        first.ravel() * (len(true) + 1) + second.ravel(), minlength=(len(found) + 1) * (len(true) + 1)
    ).reshape(len(found) + 1, len(true) + 1)
    return counts[1:, 1:], counts[1:].sum(axis=1), counts[:, 1:].sum(axis=0)


def matched_outlines(found: Cells, true: Cells, least: float = 0.5) -> Array:
    """(P, 2) the pairs whose outlines share at least `least` (0.5 or more) of what they cover together.

    At more than one half no outline can have two partners (Kirillov et al. 2019); at exactly one half the first is
    taken.
    """
    shared, own, other = overlaps(found, true)
    union = own[:, None] + other[None] - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(union > 0, shared / union, 0.0)
    rows, columns = np.nonzero(share >= least)
    pairs = np.stack([rows, columns], axis=1)
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
    good = np.flatnonzero(scores >= scores.max() - _AS_GOOD)
    best = good[miscounted[good] == miscounted[good].min()]
    return float(tried[best[len(best) // 2]])
