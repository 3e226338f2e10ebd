"""What the page shows of boxes: how well each class is found, kinds of errors, sizes, and what is taken for what.

Shapes: U pictures, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.box_errors import KINDS, MISSED, box_errors, error_counts, error_gains
from assay.evaluation.box_matching import NOBODY, match
from assay.evaluation.box_metrics import ClassAveragePrecision50, found_boxes
from assay.evaluation.box_sizes import SizeAveragePrecision50, SizeRecall, size_groups
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Values
from assay.evidence.finding import Figure
from assay.samples.box_spec import BoxSpec
from assay.task_parts import Confusion

Array = np.ndarray[Any, Any]
_WORDS = {
    "localisation": "right class, but badly placed",
    "classification": "well placed, but of another class",
    "duplicate": "an object found twice",
    "background": "nothing there",
    "both": "neither class nor place are right",
    MISSED: "objects without any of these",
}


def box_figures(evaluation: Evaluation, spec: BoxSpec) -> tuple[Figure, ...]:
    """The figures of the test side."""
    if not len(evaluation):
        return ()
    return (_matrix(evaluation, spec), _errors(evaluation), *_by_size(evaluation), *_by_class(evaluation, spec))


def box_confusions(outputs: Values, truths: Values, spec: BoxSpec) -> list[Confusion]:
    """Classes of which well placed boxes say another, the commonest first."""
    rows: dict[tuple[int, int], list[int]] = {}
    counts: dict[tuple[int, int], int] = {}
    for place, (found, objects) in enumerate(zip(outputs, truths, strict=True)):
        counted = found_boxes(found)
        one = box_errors(counted, objects)
        for row in np.flatnonzero(one.kind == KINDS.index("classification")):
            key = int(objects[one.about[row]][4]), int(counted[row, 5])
            counts[key] = counts.get(key, 0) + 1
            if place not in rows.setdefault(key, []):
                rows[key].append(place)
    order = sorted(rows, key=lambda key: -counts[key])
    return [
        Confusion(spec.classes[true], spec.classes[predicted], tuple(rows[true, predicted]))
        for true, predicted in order
    ]


def _matrix(evaluation: Evaluation, spec: BoxSpec) -> Figure:
    """How often each class was predicted as which; a row for boxes where nothing is, a column for missed objects.

    Boxes are paired with objects whatever their classes.
    """
    count = len(spec.classes)
    table = np.zeros((count + 1, count + 1), int)
    for output, truth in zip(evaluation.outputs, evaluation.truths, strict=True):
        found, objects = np.array(found_boxes(output), np.float64), np.array(truth, np.float64)
        predicted, true = found[:, 5].astype(int), objects[:, 4].astype(int)
        found[:, 5], objects[:, 4] = 0, 0
        one = match(found, objects, (0.5,))
        taken, right = one.taken[0], one.right[0]
        np.add.at(table, (true[taken[right]], predicted[one.row[right]]), 1)
        np.add.at(table, (np.full(int((taken == NOBODY).sum()), count), predicted[one.row[taken == NOBODY]]), 1)
        missed = np.setdiff1d(np.flatnonzero(objects[:, 5] == 0), taken[right])
        np.add.at(table, (true[missed], np.full(len(missed), count)), 1)
    rows, columns = [*spec.classes, "none there"], [*spec.classes, "missed"]
    caption = (
        "Boxes that count as found; one is paired with the object that it overlaps most, by half or more. Hard objects "
        "are left out."
    )
    return Figure("matrix", "What is taken for what", {"rows": rows, "columns": columns, "counts": table.tolist()},
                  caption)  # fmt: skip


def _errors(evaluation: Evaluation) -> Figure:
    counts = error_counts(evaluation.outputs, evaluation.truths)
    gains = error_gains(evaluation.outputs, evaluation.truths)
    order = sorted(counts, key=lambda name: -np.nan_to_num(gains[name]))
    rows = [[name, _WORDS[name], counts[name], None if math.isnan(gains[name]) else round(100 * gains[name], 1)]
            for name in order]  # fmt: skip
    columns = ["error", "what that is", "how many", "points of mAP50"]
    return Figure("table", "What goes wrong", {"columns": columns, "rows": rows}, _error_words(counts, gains))


def _error_words(counts: dict[str, int], gains: Any) -> str:
    """The kinds of error in sentences: which one costs most, and how these are counted."""
    how = (
        "Counted among the boxes that count as found; the last column is what the mAP50 would gain, were all errors of "
        "this kind mended and no other, whatever the boxes' scores (TIDE, Bolya et al. 2020)."
    )
    if not any(counts.values()):
        return f"No box is wrong and no object is missed. {how}"
    known = {name: gain for name, gain in gains.items() if not math.isnan(gain)}
    most = max(known, key=lambda name: known[name], default=None)
    if most is None or known[most] <= 0:
        return how
    about = "objects that are missed" if most == MISSED else f"{most} errors"
    return f"Most is lost to {about}: without them the mAP50 would be {100 * known[most]:.1f} points higher. {how}"


def _by_size(evaluation: Evaluation) -> tuple[Figure, ...]:
    """Recall and AP50 by size; nothing where there are too few objects."""
    sizes = size_groups(evaluation.truths)
    if len(sizes) < 2:
        return ()
    rows = []
    for name, metric in (("recall", SizeRecall), ("mAP50", SizeAveragePrecision50)):
        for size in sizes:
            measured = evaluation.measure(metric(size))
            rows.append({"label": f"{size.name} ({size.objects:,})", **_row(measured), "group": name})
    text = (
        "Objects by the side of a square of their area in pixels of the picture, with their number. Recall is the "
        "share of the objects that is found."
    )
    return (Figure("intervals", "What is found, by size", {"rows": rows, "x": "by size", "unit": "%"}, text),)


def _by_class(evaluation: Evaluation, spec: BoxSpec) -> Sequence[Figure]:
    if len(spec.classes) < 2:
        return ()
    objects = np.concatenate([np.asarray(truth)[np.asarray(truth)[:, 5] == 0, 4] for truth in evaluation.truths])
    counts = np.bincount(objects.astype(int), minlength=len(spec.classes))
    rows = [{"label": f"{name} ({counts[number]:,})",
             **_row(evaluation.measure(ClassAveragePrecision50(number, name)))}
            for number, name in enumerate(spec.classes) if counts[number]]  # fmt: skip
    text = "The average precision at an overlap of one half, with the number of objects of each class."
    return (Figure("intervals", "How well each class is found", {"rows": rows, "x": "AP50", "unit": "%"}, text),)


def _row(found: Estimate) -> dict[str, float | None]:
    value = None if math.isnan(found.value) else found.value
    return {"value": value, "low": found.low, "high": found.high}
