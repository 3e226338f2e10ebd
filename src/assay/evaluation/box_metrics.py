"""How good boxes are: COCO's mean average precision; precision, recall and F1 of the boxes that count as found.

What is kept of the pictures is kept in flat arrays, sorted once, so that a bootstrap only weighs them anew. Boxes of
equal scores enter together, whatever picture they are from: the value does not depend on the pictures' order, and
equals `pycocotools.cocoeval` where no two scores of a class are equal.

Shapes: U pictures, D boxes of a class in all pictures, T thresholds of overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.evaluation.box_matching import NOBODY, OVERLAPS, Matches, match
from assay.evaluation.metrics import Additive, Metric, Values

Array = np.ndarray[Any, Any]
#: COCO's points of recall at which the precision is read.
RECALLS = np.linspace(0.0, 1.0, 101)
#: From this score on a box counts as found: networks and baselines choose on the validation side what scores so much.
FOUND = 0.5


@dataclass(frozen=True)
class ClassBoxes:
    """The boxes of one class in all pictures, from the best on.

    Attributes:
        picture: (D,) int64.
        right: (T, D) bool.
        counts: (T, D) bool, the box is right or wrong: it did not find a difficult object.
        last: (E,) int64, where each run of equal scores ends.
        wanted: (U,) objects of the class in each picture.
    """

    picture: Array
    right: Array
    counts: Array
    last: Array
    wanted: Array


@dataclass(frozen=True)
class BoxStatistics(Sequence[Matches]):
    """The matches of each of U pictures, and by class."""

    matches: tuple[Matches, ...]
    classes: dict[int, ClassBoxes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.matches)

    def __getitem__(self, place: Any) -> Any:
        return self.matches[place]


class MeanAveragePrecision(Metric):
    """The mean over classes and overlaps from .5 to .95 of the average precision, as COCO defines it."""

    name = "map"
    at: tuple[float, ...] = OVERLAPS

    def statistics(self, outputs: Values, truths: Values) -> BoxStatistics:
        """The matches of each picture, and the boxes of each class in their order."""
        matches = tuple(self.pair(found, objects) for found, objects in zip(outputs, truths, strict=True))
        return BoxStatistics(matches, _by_class(matches))

    def pair(self, found: Array, objects: Array) -> Matches:
        """What came of the boxes and the objects of one picture."""
        return match(found, objects, self.at)

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        kept = statistics if isinstance(statistics, BoxStatistics) else _gathered(statistics)
        found = [average_precision(boxes, np.asarray(weights, float)) for boxes in kept.classes.values()]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else float("nan")


class MeanAveragePrecision50(MeanAveragePrecision):
    """The mean over classes of the average precision at an overlap of one half."""

    name = "map50"
    at = (0.5,)


class ClassAveragePrecision50(MeanAveragePrecision50):
    """The average precision at an overlap of one half, of one class.

    Args:
        label: the class's number.
        name: the class's name.
    """

    def __init__(self, label: int, name: str) -> None:
        self._label = label
        self.name = f"map50 {name}"  # type: ignore[misc]

    def aggregate(self, statistics: Values, weights: Array) -> float:
        """See `Metric.aggregate`."""
        kept = statistics if isinstance(statistics, BoxStatistics) else _gathered(statistics)
        boxes = kept.classes.get(self._label)
        value = None if boxes is None else average_precision(boxes, np.asarray(weights, float))
        return float("nan") if value is None else float(np.mean(value))


class _Found(Additive):
    """What the boxes that count as found make of the objects, all classes together, at an overlap of one half."""

    unit = "rate"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 3): objects found; boxes that count as found; objects."""
        rows = [_counts(found, objects) for found, objects in zip(outputs, truths, strict=True)]
        return np.asarray(rows, float).reshape(-1, 3)


class BoxF1(_Found):
    """The harmonic mean of precision and recall."""

    name = "f1"

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


class BoxPrecision(_Found):
    """The share of the boxes found that are right."""

    name = "precision"

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class BoxRecall(_Found):
    """The share of the objects that are found."""

    name = "recall"

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 2])


def average_precision(boxes: ClassBoxes, weights: Array) -> Array | None:
    """(T,) the average precision of a class over pictures that count `weights` (U,) times; None where it has no object.

    The precision at a recall is the best that is reached at this recall or a higher one; its mean over `RECALLS`.
    """
    wanted = float(weights @ boxes.wanted)
    if wanted <= 0:
        return None
    if not len(boxes.last):
        return np.zeros(len(boxes.right))
    each = weights[boxes.picture]
    hits = np.cumsum(boxes.right * each, axis=1)[:, boxes.last]  # (T, E)
    seen = np.cumsum(boxes.counts * each, axis=1)[:, boxes.last]
    precision = hits / np.maximum(seen, 1e-12)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / wanted
    read = np.zeros((len(hits), len(RECALLS)))
    for row in range(len(hits)):
        place = np.searchsorted(recall[row], RECALLS, side="left")
        reached = place < len(recall[row])
        read[row, reached] = best[row, place[reached]]
    return np.asarray(read.mean(axis=1))


def _by_class(matches: Sequence[Matches]) -> dict[int, ClassBoxes]:
    """The boxes of all pictures by class; of classes that only boxes name there is nothing to find."""
    if not matches:
        return {}
    wanted = np.concatenate([one.wanted for one in matches])
    owner = np.repeat(np.arange(len(matches)), [len(one.wanted) for one in matches])
    picture = np.repeat(np.arange(len(matches)), [len(one.score) for one in matches])
    label, score = (np.concatenate([getattr(one, name) for one in matches]) for name in ("label", "score"))
    right = np.concatenate([one.right for one in matches], axis=1)
    counts = ~np.concatenate([one.ignored for one in matches], axis=1)
    found = {}
    for number in np.unique(wanted[wanted != NOBODY]):
        own = np.flatnonzero(label == number)
        own = own[np.argsort(-score[own], kind="stable")]
        last = np.flatnonzero(np.r_[np.diff(score[own]) != 0, True]) if len(own) else np.zeros(0, np.int64)
        objects = np.bincount(owner[wanted == number], minlength=len(matches)).astype(float)
        found[int(number)] = ClassBoxes(picture[own], right[:, own], counts[:, own], last, objects)
    return found


def _gathered(statistics: Values) -> BoxStatistics:
    """Statistics of which somebody took some of the pictures."""
    matches = tuple(statistics)
    return BoxStatistics(matches, _by_class(matches))


def _counts(found: Array, objects: Array) -> tuple[float, float, float]:
    matched = match(found_boxes(found), objects, (0.5,))
    return (
        float(matched.right.sum()),
        float((~matched.ignored).sum()),
        float((matched.wanted != NOBODY).sum()),
    )


def found_boxes(boxes: Array) -> Array:
    """Those of the boxes (n, 6) that count as found."""
    kept: Array = np.asarray(boxes)[np.asarray(boxes)[:, 4] >= FOUND]
    return kept


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
