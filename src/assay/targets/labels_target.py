"""Any number of labels at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of, sigmoid
from assay.evaluation.intervals import estimate
from assay.evaluation.metrics import LabelsF1, Metric, SubsetAccuracy, Values
from assay.evidence.finding import Figure
from assay.targets.target import Array, Target

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from assay.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class LabelsAnswer:
    """The labels at a probability of one half or more, and the probability of each label."""

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class LabelsTarget(Target):
    """Any of `classes` at once; cached as float32 (N, C) of zeros and ones."""

    classes: tuple[str, ...]
    kind = "labels"

    @property
    def outputs(self) -> int:
        """A logit a label."""
        return len(self.classes)

    def encode(self, targets: pa.Array) -> tuple[Array, Array]:
        """See `Target.encode`; an empty list is a usable target, a missing one is not."""
        place = {name: number for number, name in enumerate(self.classes)}
        rows = targets.to_pylist()
        values = np.zeros((len(rows), len(self.classes)), np.float32)
        for row, labels in enumerate(rows):
            values[row, [place[label] for label in labels or () if label in place]] = 1.0
        return values, np.asarray([labels is not None for labels in rows], bool)

    def loss(self, logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Binary cross-entropy in nats, the mean over labels."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        smooth = target * (1 - label_smoothing) + label_smoothing / 2
        return binary_cross_entropy_with_logits(logits.float(), smooth, reduction="none").mean(dim=1)

    def soft(self, target: Tensor) -> Tensor:
        """As they are."""
        return target

    def output(self, logits: Tensor) -> Array:
        """(B, C) probabilities."""
        return sigmoid(array_of(logits))

    def answer(self, output: Any) -> LabelsAnswer:
        """See `Target.answer`."""
        row = np.asarray(output, float)
        labels = tuple(name for name, share in zip(self.classes, row, strict=True) if share >= 0.5)
        return LabelsAnswer(
            labels, {name: round(float(share), 6) for name, share in zip(self.classes, row, strict=True)}
        )

    def metrics(self) -> Sequence[Metric]:
        """F1 over all pairs of unit and label first."""
        return (LabelsF1(), SubsetAccuracy())

    def losses(self, outputs: Values, truths: Values) -> Array:
        """Binary cross-entropy in nats, the mean over labels."""
        share, true = np.clip(np.asarray(outputs, float), 1e-12, 1 - 1e-12), np.asarray(truths, float)
        return np.asarray(-(true * np.log(share) + (1 - true) * np.log(1 - share)).mean(axis=1))

    def mistakes(self, outputs: Values, truths: Values) -> Array:
        """Where any label is wrong."""
        return np.asarray(((np.asarray(outputs) >= 0.5) != (np.asarray(truths) > 0.5)).any(axis=1))

    def score(self, logits: Tensor, answered: Tensor) -> Tensor:
        """The log-odds of the labels answered; where there is none, those against each."""
        given = (answered >= 0).to(logits.dtype)
        given = given - (given.sum(dim=1, keepdim=True) == 0).to(logits.dtype)
        return (logits * given).sum(dim=1)

    def strength(self, outputs: Values, answered: Values) -> Array:
        """The mean probability of the labels answered; where there is none, that of the absence of each."""
        shares = np.asarray(outputs, float)
        given = np.asarray(np.asarray(answered) >= 0.5)
        some = np.asarray(given.any(axis=1))
        there = np.where(some[:, None], shares * given, 1 - shares).sum(axis=1)
        return np.asarray(there / np.where(some, given.sum(axis=1), max(1, shares.shape[1])))

    def words(self, output: Any) -> str:
        """The labels."""
        return ", ".join(self.answer(output).labels) or "no label"

    def truth_words(self, truth: Any) -> str:
        """The labels."""
        return ", ".join(name for name, share in zip(self.classes, truth, strict=True) if share > 0.5) or "no label"

    def figures(self, evaluation: Evaluation) -> Sequence[Figure]:
        """F1 of each label, with its interval."""
        outputs, truths = np.asarray(evaluation.outputs), np.asarray(evaluation.truths)
        rows = []
        for place, name in enumerate(self.classes):
            found = estimate(LabelsF1(), outputs[:, [place]], truths[:, [place]], evaluation.groups)
            rows.append({"label": name, "value": found.value, "low": found.low, "high": found.high})
        data = {"rows": rows, "x": "F1", "unit": ""}
        return (Figure("intervals", "F1 by label", data, "Each dot is a label's F1 score, with its 95 % interval."),)
