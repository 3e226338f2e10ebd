"""Classes of cells beside those of their neighbours: tissue grows in groups of one kind.

A cell's probabilities are averaged with those of the cells about it. How much these count is learned on the validation
side; where they tell nothing, it is 0.

Shapes: N cells, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.evaluation.cells import Cells

Array = np.ndarray[Any, Any]
#: What is tried for how much one sure neighbour at no distance counts beside the cell itself.
WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5)
#: Neighbours lie within so many radii of a usual cell, and not beyond what a tile sees past its part.
_REACH = 8.0
_LEAST = 1e-6


def reach_of(size: float, margin: float) -> float:
    """How far a neighbour may be, in pixels, by a usual cell's radius and the tiles' margin."""
    return min(_REACH * size, float(margin))


def with_neighbours(cells: Cells, weight: float, reach: float) -> Cells:
    """The cells with the classes that they and their neighbours speak for.

    Args:
        cells: of one tile or picture, with `shares` (N, C).
        weight: how much a neighbour counts that is sure and near; it falls off as a Gaussian of half the reach.
        reach: in pixels.
    """
    if weight <= 0 or len(cells) < 2 or not cells.shares.shape[1]:
        return cells
    shares = _weighed(cells, _said_around(cells, reach), weight)
    return replace(cells, shares=shares.astype(np.float32), label=shares.argmax(axis=1))


def best_weight(pictures: Sequence[tuple[Cells, Array, Array]], reach: float) -> float:
    """The weight under which the true classes are likeliest.

    Args:
        pictures: of each the cells found, the positions of those whose class is known, and these classes.
        reach: see `with_neighbours`.
    """
    surprise = np.zeros(len(WEIGHTS))
    for cells, known, label in pictures:
        around = _said_around(cells, reach)
        for place, weight in enumerate(WEIGHTS):
            likely = _weighed(cells, around, weight)[known, label]
            surprise[place] -= np.log(np.maximum(likely, _LEAST)).sum()
    return WEIGHTS[int(np.argmin(surprise))]


def _said_around(cells: Cells, reach: float) -> Array:
    """(N, C) what each cell's neighbours say of classes, by how sure and how near they are."""
    from scipy.spatial import cKDTree

    said = np.zeros(cells.shares.shape)
    if len(cells) < 2:
        return said
    near = cKDTree(cells.places).query_pairs(reach, output_type="ndarray")
    one, other = np.concatenate([near, near[:, ::-1]]).T
    apart = ((cells.places[one] - cells.places[other]) ** 2).sum(axis=1)
    counts = cells.probability[other] * np.exp(-apart / (2 * (reach / 2) ** 2))
    np.add.at(said, one, counts[:, None] * cells.shares[other])
    return said


def _weighed(cells: Cells, around: Array, weight: float) -> Array:
    """(N, C) the cells' shares with those of their neighbours."""
    shares = cells.shares + weight * around
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
