"""A linear model over the columns of a table: what each column adds, and nothing of how columns act together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._columns import Columns, Sides, read_sides
from assay.baselines._fitting import Clock, doubt, require_fitted, score
from assay.baselines._linear import outputs_of, solve
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines._table_model import TableModel

if TYPE_CHECKING:
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_STRENGTHS = (1.0, 0.1, 10.0, 0.01, 100.0, 0.001)
_LIMIT = 10.0  # standard deviations; what lies beyond counts as this


@dataclass(frozen=True)
class Weights:
    """A fitted linear model; its inputs are numbers, a mark for each missing number, then one place a category code.

    Attributes:
        mean: (P,) of the training rows; a missing number counts as the mean.
        deviation: (P,) of the training rows.
        weights: (2 P + sum of category sizes, O).
        offset: (O,).
    """

    mean: Array
    deviation: Array
    weights: Array
    offset: Array

    def scores(self, rows: Columns, sizes: tuple[int, ...]) -> Array:
        """(N, O) logits, or numbers in the target's own unit."""
        numbers = _numeric_inputs(rows.numbers, self.mean, self.deviation)
        total = numbers @ self.weights[: numbers.shape[1]] + self.offset
        start = numbers.shape[1]
        for place, size in enumerate(sizes):
            total += self.weights[start + rows.categories[:, place]]
            start += size
        return np.asarray(total)


class LinearTable(TableModel[Weights]):
    """Logistic regression, or ridge regression for a number, over standardised numbers and one-hot categories.

    The strength of the penalty is chosen on the validation side.
    """

    name = "a linear model"
    reading = "one weight for each column and answer"
    libraries = ("scipy.sparse", "sklearn.linear_model")

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        limit = max(200, int(2e7 * budget_s / (len(self.sizes) + 10) / self.target.outputs))
        sides = read_sides(self.target, train, validation, self.sizes, limit, seed)
        mean, deviation = _scale(sides.train.numbers)
        inputs = _inputs(sides.train, mean, deviation, self.sizes)
        best: tuple[tuple[float, float], Weights, float] | None = None
        for tried, strength in enumerate(_STRENGTHS):
            if best is not None and clock.left_s() < 2 * clock.spent_s / tried:
                break
            weights = Weights(mean, deviation, *solve(self.target, inputs, sides.truths, strength, clock.left_s()))
            rating = self._rate(weights, sides)
            if best is None or rating > best[0]:
                best = (rating, weights, strength)
        if best is None:
            raise RuntimeError("no strength was tried")
        self._fitted = best[1]
        return f"{len(sides.train)} training samples, penalty 1/{best[2]:g}"

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "linear.npz", vars(require_fitted(self._fitted)))

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "linear.npz"
        got = read_arrays(path, mean=1, deviation=1, weights=2, offset=1)
        inputs = 2 * len(got["mean"]) + sum(self.sizes)
        require(got["deviation"].shape == got["mean"].shape and bool((got["deviation"] > 0).all()), path, "bad scales")
        require(got["weights"].shape == (inputs, self.target.outputs), path, "another number of weights")
        require(len(got["offset"]) == self.target.outputs, path, "another number of outputs than the target has")
        self._fitted = Weights(**got)

    def _outputs(self, model: Weights, rows: Columns) -> Array:
        return outputs_of(self.target, model.scores(rows, self.sizes))

    def _rate(self, weights: Weights, sides: Sides) -> tuple[float, float]:
        if not len(sides.answers):
            return (0.0, 0.0)
        outputs = self._outputs(weights, sides.aside)
        return score(self.target, outputs, sides.answers), -doubt(self.target, outputs, sides.answers)


def _scale(numbers: Array) -> tuple[Array, Array]:
    """The mean and deviation (P,) of what is not missing; 0 and 1 where nothing is there or nothing varies."""
    there = np.isfinite(numbers)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, numbers, 0.0).sum(axis=0, dtype=float) / count
    spread = np.sqrt((np.where(there, numbers - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1e-30), spread, 1.0)


def _numeric_inputs(numbers: Array, mean: Array, deviation: Array) -> Array:
    """(N, 2 P): standardised numbers with missing ones at the mean, then 1 for each missing one."""
    missing = ~np.isfinite(numbers)
    scaled = np.clip((np.where(missing, mean, numbers) - mean) / deviation, -_LIMIT, _LIMIT)
    return np.concatenate([scaled, missing.astype(float)], axis=1)


def _inputs(rows: Columns, mean: Array, deviation: Array, sizes: tuple[int, ...]) -> Any:
    """(N, 2 P + sum of sizes), sparse where there are categories."""
    numbers = _numeric_inputs(rows.numbers, mean, deviation)
    if not sizes:
        return numbers
    from scipy import sparse

    starts = np.cumsum([0, *sizes[:-1]])
    places = (rows.categories + starts).ravel()
    owners = np.repeat(np.arange(len(rows)), len(sizes))
    shape = (len(rows), sum(sizes))
    one_hot = sparse.csr_matrix((np.ones(len(places)), (owners, places)), shape=shape)
    return sparse.hstack([sparse.csr_matrix(numbers), one_hot], format="csr")
