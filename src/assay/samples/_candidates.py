"""The nearest neighbours of images, of which the one may show a part of the other or of its mirror image.

Shapes: N images, A asked about, D frequencies, V windows, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from assay.samples._descriptors import WINDOWS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Candidates:
    """Pairs (P,) that may be copies.

    Attributes:
        asked: the image that was asked about, which is one of the two.
        first, second, window, mirrored: as `_alignment.differences` takes them.
    """

    asked: Array
    first: Array
    second: Array
    window: Array
    mirrored: Array

    def only(self, rows: Array) -> Candidates:
        """Some of the pairs: (P,) bool or their places."""
        return Candidates(*(getattr(self, field.name)[rows] for field in fields(self)))

    def ways(self) -> tuple[Array, Array, Array, Array]:
        """The pairs as `_alignment.differences` takes them."""
        return self.first, self.second, self.window, self.mirrored


def candidates(vectors: Array, signs: Array, asked: Array, both: bool, least: float, most: int) -> Candidates:
    """The nearest neighbours of images.

    Args:
        vectors: (V, N, D) as `describe` gives them.
        signs: (D,) likewise.
        asked: (A,) whose neighbours.
        both: look also for those that show more than the image asked about; without need where all are asked about.
        least: the smallest product of a candidate's vectors.
        most: candidates for each image, at most.
    """
    count = vectors.shape[1]
    most = min(most, count - 1)
    bar = np.full((len(asked), 1), least, np.float32)
    found: list[tuple[Array, ...]] = []
    for window, mirrored, turned in _ways(both):
        own, other = (0, window) if turned else (window, 0)
        products = (vectors[own][asked] * (signs if mirrored else 1)) @ vectors[other].T
        products[np.arange(len(asked)), asked] = -2.0
        if not found:  # what is no nearer than the nearest of the whole images is none of the nearest
            bar = np.maximum(bar, np.partition(products, count - most, axis=1)[:, [count - most]])
        row, column = np.divmod(np.flatnonzero(products >= bar), count)
        first, second = (column, asked[row]) if turned else (asked[row], column)
        way = np.full((2, len(row)), [[window], [mirrored]])
        found.append((row, column, products[row, column], first, second, *way))
    row, column, product, *others = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = _best(row, column, product, most)
    first, second, window_, mirrored_ = (values[kept] for values in others)
    return Candidates(asked[row[kept]], first, second, window_, mirrored_.astype(bool))


def _ways(both: bool) -> Iterator[tuple[int, int, int]]:
    """Which window, whether mirrored, and whether it is the other image that is cut: the plain way first."""
    for window in range(len(WINDOWS)):
        for mirrored in (0, 1):
            for turned in (0, 1) if both and window else (0,):
                yield window, mirrored, turned


def _best(row: Array, column: Array, product: Array, most: int) -> Array:
    """The places of the best way of each pair, of the `most` best pairs of each row."""
    by = np.lexsort((-product, column, row))
    fresh = np.ones(len(by), bool)
    fresh[1:] = (np.diff(row[by]) != 0) | (np.diff(column[by]) != 0)
    pairs = by[fresh]
    pairs = pairs[np.lexsort((-product[pairs], row[pairs]))]
    start = np.searchsorted(row[pairs], row[pairs], "left")
    return np.asarray(pairs[np.arange(len(pairs)) - start < most])
