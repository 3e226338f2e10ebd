"""A number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.evaluation.metrics import R2, MeanAbsoluteError, Metric, RootMeanSquaredError, Values
from assay.evidence.finding import Figure
from assay.targets.target import Array, Target
from assay.task import Support

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from assay.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class NumberAnswer:
    """The number, in the target's own unit."""

    value: float


@dataclass(frozen=True)
class NumberTarget(Target):
    """A number; cached as float32 in standard deviations from the mean of the training rows."""

    mean: float
    deviation: float
    kind = "number"

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def encode(self, targets: pa.Array) -> tuple[Array, Array]:
        """See `Target.encode`."""
        values = np.asarray(targets.to_numpy(zero_copy_only=False), float)
        scaled = ((values - self.mean) / self.deviation).astype(np.float32)
        return scaled, np.isfinite(values)

    def truths(self, targets: pa.ChunkedArray) -> Array:
        """(U,) in the target's own unit."""
        return np.asarray(targets.to_numpy(), float)

    def loss(self, logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Squared error in squared standard deviations."""
        return (logits[:, 0].float() - target) ** 2

    def soft(self, target: Tensor) -> Tensor:
        """As they are."""
        return target

    def output(self, logits: Tensor) -> Array:
        """(B,) in the target's own unit."""
        return np.asarray(array_of(logits)[:, 0].astype(np.float64) * self.deviation + self.mean)

    def answer(self, output: Any) -> NumberAnswer:
        """See `Target.answer`."""
        return NumberAnswer(float(output))

    def metrics(self) -> Sequence[Metric]:
        """The explained share of the variance first."""
        return (R2(), RootMeanSquaredError(), MeanAbsoluteError())

    def losses(self, outputs: Values, truths: Values) -> Array:
        """The absolute error, in the target's own unit."""
        return np.asarray(np.abs(np.asarray(outputs, float) - np.asarray(truths, float)))

    def mistakes(self, outputs: Values, truths: Values) -> None:
        """A number is only more or less far off."""
        return None

    def residuals(self, outputs: Values, truths: Values) -> Array:
        """In the target's own unit."""
        return np.asarray(np.asarray(truths, float) - np.asarray(outputs, float))

    def score(self, logits: Tensor, answered: Tensor) -> Tensor:
        """The number, in standard deviations."""
        return logits[:, 0]

    def strength(self, outputs: Values, answered: Values) -> Array:
        """The number, in the target's own unit."""
        return np.asarray(outputs, float)

    def support(self, outputs: Values, answered: Values) -> Support:
        """Minus the distance from the number answered, in standard deviations."""
        moved = np.abs(np.asarray(outputs, float) - np.asarray(answered, float))
        return Support(-moved / self.deviation, "standard deviations", by_size=True)

    def words(self, output: Any) -> str:
        """The number, to four digits."""
        return f"{float(output):.4g}"

    def truth_words(self, truth: Any) -> str:
        """The number, to four digits."""
        return f"{float(truth):.4g}"

    def figures(self, evaluation: Evaluation) -> Sequence[Figure]:
        """Answers against truths."""
        chosen = np.linspace(0, max(len(evaluation) - 1, 0), min(len(evaluation), 2000)).astype(int)
        data = {
            "x": np.asarray(evaluation.truths, float)[chosen].tolist(),
            "y": np.asarray(evaluation.outputs, float)[chosen].tolist(),
            "x_label": "true",
            "y_label": "answered",
            "diagonal": True,
        }
        return (Figure("scatter", "Answers against truths", data, "A perfect answer lies on the line."),)
