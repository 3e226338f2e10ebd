"""What the classical models of a table have in common: how they are made, and what they are asked with."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from assay.baselines._columns import Columns, as_columns, read_columns
from assay.baselines._fitting import Model, require_fitted
from assay.baselines.baseline import Baseline

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]


class TableModel(Baseline, Generic[Model]):
    """A classical model over the fields `numbers` (N, P) float32, NaN where missing, and `categories` (N, Q) int64.

    Args:
        target: what is predicted; of several labels, each has a model of its own.
        spec: has `category_sizes`, the number of codes of each category column, code 0 included.
    """

    features = "the columns as they are"

    def __init__(self, target: Target, spec: Any) -> None:
        self.target = target
        self.sizes: tuple[int, ...] = tuple(spec.category_sizes)
        self._fitted: Model | None = None

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        model = require_fitted(self._fitted)
        if not len(view):
            return np.zeros((0,) if self.target.kind == "number" else (0, self.target.outputs))
        return self._outputs(model, read_columns(view, self.sizes))

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`; the batch has the fields `numbers` and `categories`, and a row at least."""
        rows = as_columns(np.asarray(batch.numbers), np.asarray(batch.categories), self.sizes)
        return self._outputs(require_fitted(self._fitted), rows)

    @abstractmethod
    def _outputs(self, model: Model, rows: Columns) -> Array:
        """The target's outputs for at least one row: (N, O) probabilities, or (N,) numbers."""
