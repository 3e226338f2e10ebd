"""Rows of a table that are equal in every column, and too special to be so by chance.

Shapes: N rows, P columns of numbers, Q columns of categories.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_STEPS = 1e6
#: Fewer equal rows than this are expected by chance before two are called copies.
_CHANCE = 0.01


def equal_rows(numbers: Array, categories: Array) -> Array:
    """Pairs that link the rows which are copies of one another.

    Two rows are equal where their numbers are, after rounding to a millionth of each column's range, and their
    categories. They are copies where so many values together are rare: with the columns taken as independent, less
    than .01 other rows should be like this one by chance. A table of few coarse columns has equal rows by nature.

    Args:
        numbers: (N, P), NaN where missing.
        categories: (N, Q) integers.

    Returns:
        (pairs, 2) int64: each row of a set of copies with the set's first.
    """
    columns = [*(_rounded(column) for column in np.asarray(numbers, float).T), *np.asarray(categories).T]
    if not columns or not len(columns[0]):
        return np.zeros((0, 2), np.int64)
    rows = len(columns[0])
    bits, same = np.zeros(rows), np.zeros(rows, np.int64)
    for column in columns:
        code, counts = np.unique(column, return_inverse=True, return_counts=True)[1:]
        bits += np.log2(rows / counts[code])
        same = np.unique(same * len(counts) + code, return_inverse=True)[1]
    special = bits >= math.log2(rows / _CHANCE)
    first = np.unique(same, return_index=True)[1][same]
    found = np.flatnonzero(special & (first != np.arange(rows)))
    return np.stack([first[found], found], axis=1).astype(np.int64)


def _rounded(column: Array) -> Array:
    """(N,) int64; all missing values alike."""
    known = column[np.isfinite(column)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    places = np.rint((column - low) / ((high - low) or 1.0) * _STEPS)
    return np.where(np.isfinite(column), places, -1).astype(np.int64)
