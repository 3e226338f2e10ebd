"""Metrics of a class for each pixel, all from the counts of a confusion matrix, which add up over pictures.

Shapes: U pictures, C classes, R resamplings.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Values
from assay.sources.label_mask import confusion_counts

Array = np.ndarray[Any, Any]


class ConfusionMetric(Additive):
    """A function of the pixels' confusion matrix; outputs have a `mask`, truths are masks (`LabelMask`).

    Args:
        classes: how many there are.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, C C): how many pixels of each true class got each answer; void ones are not counted."""
        rows = [confusion_counts(truth, output.mask, self.classes).ravel()
                for output, truth in zip(outputs, truths, strict=True)]  # fmt: skip
        return np.asarray(rows, float).reshape(len(rows), self.classes**2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return self.from_counts(np.asarray(sums).reshape(-1, self.classes, self.classes))

    def from_counts(self, counts: Array) -> Array:
        """(R, C, C), true classes in rows, to (R,)."""
        raise NotImplementedError


class MeanIoU(ConfusionMetric):
    """The mean over classes of intersection over union (Jaccard index), as Pascal VOC measures it.

    Pixels of all pictures together; the mean is over the classes that occur among truths or answers, background
    included.
    """

    name = "mean_iou"

    def from_counts(self, counts: Array) -> Array:
        """See `ConfusionMetric.from_counts`."""
        return _mean(class_ious(counts), np.ones(self.classes, bool))


class MeanDice(ConfusionMetric):
    """The mean over classes of Dice's coefficient (F1 of the pixels), without the background.

    Args:
        classes: how many there are.
        foreground: the classes over which the mean is taken.
    """

    name = "dice"

    def __init__(self, classes: int, foreground: tuple[int, ...]) -> None:
        super().__init__(classes)
        self._counted = np.isin(np.arange(classes), foreground)

    def from_counts(self, counts: Array) -> Array:
        """See `ConfusionMetric.from_counts`."""
        hits, true, predicted = _sums(counts)
        return _mean(_ratio(2 * hits, true + predicted), self._counted)


class PixelAccuracy(ConfusionMetric):
    """The share of all pixels that got the true class."""

    name = "pixel_accuracy"
    unit = "rate"

    def from_counts(self, counts: Array) -> Array:
        """See `ConfusionMetric.from_counts`."""
        hits, true, _ = _sums(counts)
        return _ratio(hits.sum(axis=1), true.sum(axis=1))


class ClassIoU(ConfusionMetric):
    """Intersection over union of one class.

    Args:
        classes: how many there are.
        number: the class.
        label: its name.
    """

    name = "iou"

    def __init__(self, classes: int, number: int, label: str) -> None:
        super().__init__(classes)
        self._number = number
        self.name = f"iou_{label}"  # type: ignore[misc]

    def from_counts(self, counts: Array) -> Array:
        """See `ConfusionMetric.from_counts`."""
        return np.asarray(class_ious(counts)[:, self._number])


def class_ious(counts: Array) -> Array:
    """(R, C) intersection over union of each class; NaN for one that occurs neither among truths nor answers."""
    hits, true, predicted = _sums(counts)
    return _ratio(hits, true + predicted - hits)


def _sums(counts: Array) -> tuple[Array, Array, Array]:
    """(R, C) each: pixels rightly of a class, truly of it, answered as it."""
    return np.asarray(np.diagonal(counts, axis1=1, axis2=2)), counts.sum(axis=2), counts.sum(axis=1)


def _mean(values: Array, counted: Array) -> Array:
    """(R,) the mean of those of (R, C) that are numbers and of a class that counts."""
    there = np.isfinite(values) & counted
    return _ratio(np.where(there, values, 0).sum(axis=1), there.sum(axis=1))


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan))
