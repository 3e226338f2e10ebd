"""What guessing reaches: the answer that knows how often each target occurs, and nothing of the sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import known, require_fitted, require_training
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]


class Dummy(Baseline):
    """Answers the same for every unit: the share of each class or label in the training data, or the mean number.

    Args:
        target: what is predicted.
    """

    name = "always the same answer"
    features = "none"
    reading = "the most frequent class, or the mean"
    floor = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self._answer: Array | None = None  # (O,) for classes and labels, (1,) for a number

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        truths = known(self.target, train)[1]
        require_training(len(truths))
        if self.target.kind == "class":
            self._answer = np.bincount(truths, minlength=self.target.outputs) / len(truths)
        else:
            self._answer = np.atleast_1d(truths.astype(float).mean(axis=0))
        return f"from the targets of {len(truths)} training samples"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        answers: Array = np.repeat(require_fitted(self._answer)[None], len(view), axis=0)
        return answers[:, 0] if self.target.kind == "number" else answers

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "dummy.npz", {"answer": require_fitted(self._answer)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "dummy.npz"
        answer = read_arrays(path, answer=1)["answer"]
        require(len(answer) == self.target.outputs, path, "another number of outputs than the target has")
        self._answer = answer
