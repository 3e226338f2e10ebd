"""The columns of a table as the classical models take them.

Shapes: N rows, P number columns, Q category columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import hold_out, known, require_training

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Columns:
    """Rows of a table.

    Attributes:
        numbers: (N, P) float32, NaN where a value is missing.
        categories: (N, Q) int64 codes, 0 where a value is missing or was never seen in training.
    """

    numbers: Array
    categories: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Array) -> Columns:
        """Some of the rows."""
        return Columns(self.numbers[rows], self.categories[rows])


@dataclass(frozen=True)
class Sides:
    """What a model learns from and what it chooses on, with their truths (N, ...)."""

    train: Columns
    truths: Array
    aside: Columns
    answers: Array


def read_columns(view: View, sizes: tuple[int, ...]) -> Columns:
    """The fields `numbers` and `categories` of a view, as `as_columns` gives them."""
    if not len(view):
        return Columns(np.zeros((0, 0), np.float32), np.zeros((0, len(sizes)), np.int64))
    return as_columns(view.array("numbers"), view.array("categories"), sizes)


def as_columns(numbers: Array, categories: Array, sizes: tuple[int, ...]) -> Columns:
    """Numbers (N, P) and codes (N, Q) of one row or more; a code out of range counts as never seen."""
    numbers = np.asarray(numbers, np.float32).reshape(len(numbers), -1)
    categories = np.asarray(categories, np.int64).reshape(len(categories), -1)
    if not numbers.shape[1] + categories.shape[1]:
        numbers = np.zeros((len(numbers), 1), np.float32)  # a column that says nothing, as no model takes none
    inside = (categories >= 0) & (categories < np.asarray(sizes, np.int64))
    return Columns(np.where(np.isfinite(numbers), numbers, np.nan), np.where(inside, categories, 0))


def read_sides(target: Target, train: View, validation: View, sizes: tuple[int, ...], limit: int, seed: int) -> Sides:
    """Both sides without the rows of unknown truth, at most `limit` to train; a held-out tenth where none validate."""
    places, truths = known(target, train)
    require_training(len(places))
    if len(places) > limit:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(places))[:limit])
        places, truths = places[drawn], truths[drawn]
    rows = read_columns(train, sizes).take(places)
    places, answers = known(target, validation)
    if len(places):
        return Sides(rows, truths, read_columns(validation, sizes).take(places), answers)
    kept, aside = hold_out(len(rows), seed)
    return Sides(rows.take(kept), truths[kept], rows.take(aside), truths[aside])
