"""Rows of a table that are equal in every column, and too special to be so by chance.

Shapes: N rows, P columns of numbers, Q columns of categories.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.draws import order
from assay.samples.lookalikes import Lookalikes

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
_STEPS = 1e6
#: Fewer equal rows than this are expected by chance before two are called copies.
_CHANCE = 0.01
_VALUES_A_SECOND = 3e6


def row_lookalikes(samples: Samples, asked: Array, budget_s: float) -> Lookalikes:
    """Copies of rows whose columns are the fields `numbers` and `categories`: see `Task.lookalikes`.

    Where the table is too large for the time, only some of the rows are compared with those asked about; equal digests
    tell of the others.
    """
    count = len(samples.side)
    columns = sum(np.asarray(samples.field(name, np.arange(1))).shape[1] for name in ("numbers", "categories"))
    room = max(0, int(_VALUES_A_SECOND * budget_s / max(1, columns)))
    others = np.setdiff1d(np.arange(count), asked)
    rows = np.concatenate([asked, order(others, "rows", 0)[: max(0, room - len(asked))]])
    numbers, categories = (np.asarray(samples.field(name, rows)) for name in ("numbers", "categories"))
    pairs, ordinary = equal_rows(numbers, categories, count)
    return Lookalikes(np.sort(rows[pairs], axis=1), np.sort(asked), np.sort(rows[ordinary]))


def equal_rows(numbers: Array, categories: Array, among: int | None = None) -> tuple[Array, Array]:
    """Pairs that link the rows which are copies of one another.

    Two rows are equal where their numbers are, after rounding to a millionth of each column's range, and their
    categories. They are copies where so many values together are rare: with the columns taken as independent, less
    than .01 other rows should be like this one by chance. A table of few coarse columns has equal rows by nature.

    Args:
        numbers: (N, P), NaN where missing.
        categories: (N, Q) integers.
        among: how many rows the whole table has; None for N.

    Returns:
        (pairs, 2) int64, each row of a set of copies with the set's first; and (N,) bool, the rows so ordinary that
        equal ones are no copies.
    """
    columns = [*(_rounded(column) for column in np.asarray(numbers, float).T), *np.asarray(categories).T]
    rows = len(numbers)
    if not columns or not rows:
        return np.zeros((0, 2), np.int64), np.ones(rows, bool)
    bits, same = np.zeros(rows), np.zeros(rows, np.int64)
    for column in columns:
        code, counts = np.unique(column, return_inverse=True, return_counts=True)[1:]
        bits += np.log2(rows / counts[code])
        same = np.unique(same * len(counts) + code, return_inverse=True)[1]
    ordinary = bits < math.log2((among or rows) / _CHANCE)
    first = np.unique(same, return_index=True)[1][same]
    found = np.flatnonzero(~ordinary & (first != np.arange(rows)))
    return np.stack([first[found], found], axis=1).astype(np.int64), ordinary


def _rounded(column: Array) -> Array:
    """(N,) int64; all missing values alike."""
    known = column[np.isfinite(column)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    places = np.rint((column - low) / ((high - low) or 1.0) * _STEPS)
    return np.where(np.isfinite(column), places, -1).astype(np.int64)
