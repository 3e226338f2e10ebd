"""One of several classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of, softmax
from assay.evaluation.calibration import sharpen
from assay.evaluation.intervals import wilson
from assay.evaluation.metrics import Accuracy, BinaryAuc, LogLoss, MacroF1, Metric, Values, class_losses
from assay.evidence.finding import Figure
from assay.targets.target import Array, Target

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from assay.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class ClassAnswer:
    """The most probable class, its probability, and the probability of each class (the 20 most probable at most)."""

    label: str
    confidence: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class ClassTarget(Target):
    """One of `classes`; cached as int64, -1 where a row's class is unknown."""

    classes: tuple[str, ...]
    kind = "class"

    @property
    def outputs(self) -> int:
        """A logit a class."""
        return len(self.classes)

    def encode(self, targets: pa.Array) -> tuple[Array, Array]:
        """See `Target.encode`."""
        from assay.arrow import pa, pc

        known = pa.array(self.classes, pa.string())
        codes = pc.fill_null(pc.index_in(targets.cast(pa.string()), known), -1)
        values = np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)
        return values, values >= 0

    def loss(self, logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Cross-entropy in nats."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits.float(), target, reduction="none", label_smoothing=label_smoothing)

    def soft(self, target: Tensor) -> Tensor:
        """(B, C) one-hot."""
        from torch.nn.functional import one_hot

        return one_hot(target, len(self.classes)).float() if target.dim() == 1 else target

    def output(self, logits: Tensor) -> Array:
        """(B, C) probabilities."""
        return softmax(array_of(logits))

    def answer(self, output: Any) -> ClassAnswer:
        """See `Target.answer`."""
        row = np.asarray(output, float)
        best = np.argsort(-row, kind="stable")[:20]
        shares = {self.classes[place]: round(float(row[place]), 6) for place in best}
        return ClassAnswer(self.classes[best[0]], round(float(row[best[0]]), 6), shares)

    def metrics(self) -> Sequence[Metric]:
        """Accuracy first; the area under the ROC curve where there are two classes."""
        both: tuple[Metric, ...] = (BinaryAuc(),) if len(self.classes) == 2 else ()
        return (Accuracy(), MacroF1(), LogLoss(), *both)

    def losses(self, outputs: Values, truths: Values) -> Array:
        """Cross-entropy in nats."""
        return class_losses(np.asarray(outputs), np.asarray(truths))

    def mistakes(self, outputs: Values, truths: Values) -> Array:
        """Where the most probable class is not the true one."""
        return np.asarray(np.asarray(outputs).argmax(axis=1) != np.asarray(truths))

    def probabilities(self, outputs: Values) -> Array:
        """As they are."""
        return np.asarray(outputs)

    def sharpened(self, outputs: Values, temperature: float) -> Array:
        """See `sharpen`."""
        return sharpen(np.asarray(outputs), temperature)

    def score(self, logits: Tensor, answered: Tensor) -> Tensor:
        """The log-odds of the most probable class against all others."""
        if self.outputs == 1:
            return logits[:, 0]
        own = answered.argmax(dim=1, keepdim=True)
        others = logits.scatter(1, own, float("-inf"))
        return logits.gather(1, own)[:, 0] - others.logsumexp(dim=1)

    def strength(self, outputs: Values, answered: Values) -> Array:
        """The probability of the most probable class."""
        places = np.asarray(answered).argmax(axis=1)
        return np.asarray(np.asarray(outputs, float)[np.arange(len(places)), places])

    def words(self, output: Any) -> str:
        """The class and its probability."""
        answer = self.answer(output)
        return f"{answer.label} ({100 * answer.confidence:.0f} %)"

    def truth_words(self, truth: Any) -> str:
        """The class."""
        return self.classes[int(truth)]

    def figures(self, evaluation: Evaluation) -> Sequence[Figure]:
        """The share of right answers for each class, and the confusion matrix."""
        truths, answers = np.asarray(evaluation.truths, np.int64), np.asarray(evaluation.outputs).argmax(axis=1)
        size = len(self.classes)
        counts = np.bincount(truths * size + answers, minlength=size * size).reshape(size, size)
        rows = []
        for name, row, hits in zip(self.classes, counts, np.diag(counts), strict=True):
            if row.sum():
                low, high = wilson(hits / row.sum(), int(row.sum()))
                rows.append({"label": name, "value": hits / row.sum(), "low": low, "high": high})
        recall = Figure(
            "intervals",
            "Right answers by true class",
            {"rows": rows, "x": "share right", "unit": "%"},
            "Each dot is the share of a class that is answered rightly, with its 95 % interval.",
        )
        matrix = {
            "rows": self.classes,
            "columns": self.classes,
            "counts": counts.tolist(),
            "x": "answered",
            "y": "true",
        }
        return (
            recall,
            Figure("matrix", "What is taken for what", matrix, "Rows are true classes, columns are answers."),
        )
