"""How well cells are found, told apart by class, counted and outlined.

A found cell is right where it can be paired with a true one, one to one (see `assay.evaluation.cell_matching`). A true
cell without a class is a cell like any other for finding; for classes it counts neither for nor against. What is found
where nobody could tell what is a cell counts neither for nor against anything (`cell_matching.judged`).

Shapes: U pictures, C classes, R resamplings.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.cell_matching import judged, matched_cells, matched_outlines, overlaps
from assay.evaluation.cells import Cells
from assay.evaluation.metrics import Additive, BinaryAuc, Metric, Values, _ratio

Array = np.ndarray[Any, Any]


class DetectionF1(Additive):
    """F1 of finding cells, whatever their class: two times the pairs over all found and all true ones.

    Args:
        radius: how far the centres of a pair may be apart, in pixels.
    """

    name = "detection_f1"

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): pairs; found plus true cells."""
        rows = [(len(matched_cells(found, true, self.radius)), len(found) + len(true))
                for found, true in judged(outputs, truths)]  # fmt: skip
        return np.asarray(rows, float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(2 * sums[:, 0], sums[:, 1])


class InstanceF1(DetectionF1):
    """F1 of outlines: a pair shares at least half of what both cover (IoU >= .5)."""

    name = "instance_f1"

    def __init__(self) -> None:
        super().__init__(0.0)

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): pairs; found plus true outlines."""
        rows = [(len(matched_outlines(found, true)), len(found) + len(true))
                for found, true in judged(outputs, truths)]  # fmt: skip
        return np.asarray(rows, float).reshape(-1, 2)


class _ByClass(Additive):
    """The F1 of each class, weighted by how many true cells it has."""

    unit = ""

    def __init__(self, radius: float, classes: int) -> None:
        self.radius, self.classes = radius, classes

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 3C): of each class the right ones, the found ones, the true ones."""
        rows = [self._counts(found, true) for found, true in judged(outputs, truths)]
        return np.asarray(rows, float).reshape(-1, 3 * self.classes)

    def _counts(self, found: Cells, true: Cells) -> Array:
        raise NotImplementedError

    def _counted(self, predicted: Array, labelled: Array, right: Array) -> Array:
        known = [np.bincount(labels, minlength=self.classes) for labels in (right, predicted, labelled)]
        return np.concatenate(known)

    def by_class(self, sums: Array) -> Array:
        """(R, C) the F1 of each class, from sums of the statistics (R, 3C)."""
        right, predicted, labelled = np.split(sums, 3, axis=1)
        return _ratio(2 * right, predicted + labelled)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        labelled = np.split(sums, 3, axis=1)[2]
        scores = np.nan_to_num(self.by_class(sums))
        return _ratio((scores * labelled).sum(axis=1), labelled.sum(axis=1))


class ClassF1(_ByClass):
    """The weighted F1 of the classes of cells that were found: of pairs alone, whose true class is known."""

    name = "class_f1"

    def _counts(self, found: Cells, true: Cells) -> Array:
        predicted, labelled = _classed_pairs(found, true, self.radius)
        return self._counted(predicted, labelled, predicted[predicted == labelled])


class CellF1(_ByClass):
    """The weighted F1 of finding a cell and telling its class: what was not found, or found for nothing, counts too."""

    name = "cell_f1"

    def _counts(self, found: Cells, true: Cells) -> Array:
        pairs = matched_cells(found, true, self.radius)
        unknown = true.label[pairs[:, 1]] < 0
        asked = np.ones(len(found), bool)
        asked[pairs[unknown, 0]] = False
        predicted, labelled = found.label[pairs[~unknown, 0]], true.label[pairs[~unknown, 1]]
        return self._counted(found.label[asked], true.label[true.label >= 0], predicted[predicted == labelled])


class OneClassF1(_ByClass):
    """`CellF1` of a single class.

    Args:
        whole: the metric over all classes.
        number: the class.
        label: its name.
    """

    def __init__(self, whole: CellF1, number: int, label: str) -> None:
        super().__init__(whole.radius, whole.classes)
        self.whole, self.number = whole, number
        self.name = f"f1_{label}"  # type: ignore[misc]

    def _counts(self, found: Cells, true: Cells) -> Array:
        return self.whole._counts(found, true)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(self.by_class(sums)[:, self.number])


class ClassAuc(Metric):
    """The area under the ROC curve of one class against all others, over the pairs whose true class is known.

    Args:
        radius: how far the centres of a pair may be apart, in pixels.
        number: the class.
        label: its name.
    """

    def __init__(self, radius: float, number: int, label: str) -> None:
        self.radius, self.number = radius, number
        self.name = f"auc_{label}"  # type: ignore[misc]

    def statistics(self, outputs: Values, truths: Values) -> list[Array]:
        """U arrays (P, 2): the class's share, and whether it is the true one."""
        return [self._pairs(found, true) for found, true in judged(outputs, truths)]

    def _pairs(self, found: Cells, true: Cells) -> Array:
        pairs = _known_pairs(found, true, self.radius)
        share = found.shares[pairs[:, 0], self.number].astype(float)
        return np.stack([share, true.label[pairs[:, 1]] == self.number], axis=1)

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        if not len(statistics):
            return float("nan")
        each = np.repeat(np.asarray(weights, float), [len(one) for one in statistics])
        return BinaryAuc().aggregate(np.concatenate(list(statistics)), each)


class CountError(Additive):
    """By how many cells the counts of the pictures are off, over the true counts."""

    name = "count_error"
    higher_is_better = False
    unit = "rate"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the absolute error; true cells."""
        rows = [(abs(len(found) - len(true)), len(true)) for found, true in judged(outputs, truths)]
        return np.asarray(rows, float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class ForegroundDice(Additive):
    """Dice of all that is cell: two times the pixels that both call so over those that either does."""

    name = "foreground_dice"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): pixels that both call cell; pixels of the one plus pixels of the other."""
        return np.asarray([_pixels(found, true) for found, true in judged(outputs, truths)], float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(2 * sums[:, 0], sums[:, 1])


def cell_metrics(radius: float, classes: tuple[str, ...], outlined: bool) -> tuple[Metric, ...]:
    """The metrics of data with these classes, the primary one first."""
    found: list[Metric] = [InstanceF1(), DetectionF1(radius)] if outlined else [DetectionF1(radius)]
    if len(classes) > 1:
        whole = CellF1(radius, len(classes))
        found += [whole, ClassF1(radius, len(classes))]
        found += [OneClassF1(whole, number, label) for number, label in enumerate(classes)]
        found += [ClassAuc(radius, number, label) for number, label in enumerate(classes)]
    if outlined:
        found.append(ForegroundDice())
    return (*found, CountError())


def picture_scores(outputs: Values, truths: Values, radius: float, outlined: bool) -> Array:
    """(U,) the F1 of each picture, of its primary metric; 1 where there is nothing and nothing is found."""
    counts = np.asarray(cell_metrics(radius, (), outlined)[0].statistics(outputs, truths))
    return np.where(counts[:, 1] > 0, 2 * counts[:, 0] / np.maximum(counts[:, 1], 1), 1.0)


def _known_pairs(found: Cells, true: Cells, radius: float) -> Array:
    """(P, 2) the pairs whose true class is known."""
    pairs = matched_cells(found, true, radius)
    return np.asarray(pairs[true.label[pairs[:, 1]] >= 0])


def _classed_pairs(found: Cells, true: Cells, radius: float) -> tuple[Array, Array]:
    """(P,) the class predicted and (P,) the true one of the pairs whose true class is known."""
    pairs = _known_pairs(found, true, radius)
    return found.label[pairs[:, 0]], true.label[pairs[:, 1]]


def _pixels(found: Cells, true: Cells) -> tuple[int, int]:
    """How many pixels both cover, and how many each, summed."""
    _, shared, own, other = overlaps(found, true)
    return int(shared.sum()), int(own.sum() + other.sum())
